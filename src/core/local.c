/*
 * Greenlet-local storage. The values of a greenlet lie in one array, which is made at the first set
 * and is as long as the highest key needs. Keys belong to the process. A key that was deleted and
 * made again has a new sequence number, so that old values are not seen (as in nptl).
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/renew.h"
#include "core/schedule/schedule.h"

enum {
    KEYS = 128,
    ROUNDS = 4
};

struct key {
    atomic_uint sequence; /* odd: in use */
    void (*destructor)(void *);
};

static struct key keys[KEYS];

int bine_key_create(bine_key *key, void (*destructor)(void *))
{
    if (!key) {
        errno = EINVAL;
        return -1;
    }
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned sequence = atomic_load(&keys[i].sequence);
        if (sequence % 2 == 0 &&
            atomic_compare_exchange_strong(&keys[i].sequence, &sequence, sequence + 1)) {
            keys[i].destructor = destructor;
            *key = i;
            return 0;
        }
    }
    errno = EAGAIN;
    return -1;
}

static unsigned sequence_of(bine_key key)
{
    return key < KEYS ? atomic_load_explicit(&keys[key].sequence, memory_order_relaxed) : 0;
}

int bine_key_delete(bine_key key)
{
    unsigned sequence = sequence_of(key);
    if (sequence % 2 == 0 ||
        !atomic_compare_exchange_strong(&keys[key].sequence, &sequence, sequence + 1)) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

void *bine_getspecific(bine_key key)
{
    struct bine_hub *hub = bine_hub_of_thread;
    struct bine_locals *locals = hub ? hub->current->locals : NULL;
    if (!locals || key >= locals->count || locals->values[key].sequence != sequence_of(key))
        return NULL;
    return locals->values[key].value;
}

/* Runs the destructors. They may park: g is still alive. */
static void locals_destroy(struct bine_greenlet *g)
{
    bool again = true;
    for (int round = 0; round < ROUNDS && again; round++) {
        again = false;
        /* A destructor may set values and so move the array: look it up each time. */
        for (unsigned i = 0; i < g->locals->count; i++) {
            struct bine_local *value = &g->locals->values[i];
            void (*destructor)(void *) =
                value->value && value->sequence == sequence_of(i) ? keys[i].destructor : NULL;
            if (!destructor)
                continue;
            void *old = value->value;
            value->value = NULL;
            destructor(old);
            again = true;
        }
    }
    free(g->locals);
    g->locals = NULL;
}

int bine_setspecific(bine_key key, const void *value)
{
    unsigned sequence = sequence_of(key);
    if (sequence % 2 == 0) {
        errno = EINVAL;
        return -1;
    }
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    struct bine_locals *locals = hub->current->locals;
    unsigned count = locals ? locals->count : 0;
    if (key >= count) {
        unsigned wanted = key + 1 > 2 * count ? key + 1 : 2 * count;
        struct bine_locals *larger =
            realloc(locals, sizeof *locals + wanted * sizeof *locals->values);
        if (!larger)
            return -1;
        locals = larger;
        memset(locals->values + count, 0, (wanted - count) * sizeof *locals->values);
        locals->destroy = locals_destroy;
        locals->count = wanted;
        hub->current->locals = locals;
        hub->current->flags |= BINE_G_BELONGINGS;
    }
    locals->values[key] = (struct bine_local){sequence, (void *)value};
    return 0;
}

bool bine_locals_any_but(bine_key except)
{
    const struct bine_locals *locals = bine_hub_of_thread->current->locals;
    for (unsigned i = 0; locals && i < locals->count; i++)
        if (i != except && locals->values[i].value && locals->values[i].sequence == sequence_of(i))
            return true;
    return false;
}

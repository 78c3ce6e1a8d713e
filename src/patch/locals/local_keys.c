/*
 * Greenlet-local pthread keys. See local_keys.h.
 *
 * A key that a greenlet sets for the first time gets a slot. Each greenlet has one table of values
 * by slot. The table is the value of a greenlet-local key of Bine's, and that key's destructor runs
 * the destructors of the values.
 *
 * Keys that were made before patching have a destructor that only libc knows (hazard 34). If the
 * library is an OpenSSL, its OPENSSL_thread_stop frees what the greenlet left. For other libraries
 * the values of such keys are dropped as they are.
 */
#include "local_keys.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/hub.h"
#include "core/hub/renew.h"
#include "libc/libc.h"
#include "local_tls.h"

enum {
    SLOTS = PTHREAD_KEYS_MAX,
    ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS,
};

struct slot {
    atomic_uint generation; /* changes when the key is made or deleted: older values are not seen */
    void (*destructor)(void *);
    bool destructor_known;
    bool stop_known;
    void (*stop)(void); /* of the library that uses it, if it is an OpenSSL */
    void *caller;       /* some address inside that library */
};

struct value {
    unsigned generation;
    void *value;
};

struct table {
    unsigned count;
    struct value values[];
};

static _Atomic(uint16_t) slot_of[PTHREAD_KEYS_MAX]; /* plus one; 0: none yet */
static struct slot slots[SLOTS + 1];
static atomic_uint slot_count;

static bine_key table_key;
static atomic_int table_key_state; /* 0 not made, 1 being made, 2 made, 3 could not be made */

/* ---- the end of a greenlet ------------------------------------------------------------------- */

/* OPENSSL_thread_stop of the libcrypto that this slot's key belongs to; there may be several.
 * Looked up once: a library that goes away deletes its keys. */
static void (*stop_of(struct slot *slot))(void)
{
    Dl_info info;
    if (!slot->stop_known && slot->caller && dladdr(slot->caller, &info) && info.dli_fname) {
        void *library = bine_libc.dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
        if (library) {
            slot->stop = (void (*)(void))bine_libc.dlsym(library, "OPENSSL_thread_stop");
            bine_libc.dlclose(library);
        }
    }
    slot->stop_known = true;
    return slot->stop;
}

static bool local_keys_is_current(const struct table *table, unsigned i)
{
    return table->values[i].value &&
           table->values[i].generation == atomic_load(&slots[i].generation);
}

/* The table may be moved by what destructors set. */
static struct table *table_here(void)
{
    return bine_getspecific(table_key);
}

static void stop_libraries(void)
{
    void (*stopped)(void) = NULL;
    for (unsigned i = 0; i < table_here()->count; i++) {
        if (!local_keys_is_current(table_here(), i) || slots[i].destructor_known)
            continue;
        void (*stop)(void) = stop_of(&slots[i]);
        if (stop && stop != stopped)
            (stopped = stop)();
    }
}

static bool destroy_round(void)
{
    bool some = false;
    for (unsigned i = 0; i < table_here()->count; i++) {
        struct table *table = table_here();
        void (*destructor)(void *) = local_keys_is_current(table, i) ? slots[i].destructor : NULL;
        if (!destructor)
            continue;
        void *value = table->values[i].value;
        table->values[i].value = NULL;
        destructor(value);
        some = true;
    }
    return some;
}

static void destroy_table(void *table)
{
    /* The destructors ask for other values of theirs. */
    bine_setspecific(table_key, table);
    bine_local_tls_destroy();
    stop_libraries();
    for (int round = 0; round < ROUNDS && destroy_round(); round++)
        ;
    free(table_here());
    bine_setspecific(table_key, NULL);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* In the child the greenlet that forked is the root: its values are the thread's now, in place of
 * the former root's. */
static void local_keys_hub_forked(struct bine_hub *hub)
{
    static const struct bine_greenlet *moved; /* it is that already, and forks again */
    struct table *table = table_here();
    if (!(hub->current->flags & BINE_G_FORKED) || hub->current == moved)
        return;
    moved = hub->current;
    for (pthread_key_t key = 0; key < PTHREAD_KEYS_MAX; key++) {
        unsigned slot = atomic_load(&slot_of[key]);
        if (slot)
            bine_libc.pthread_setspecific(key, table && slot < table->count &&
                                                       local_keys_is_current(table, slot)
                                                   ? table->values[slot].value
                                                   : NULL);
    }
    if (table) {
        free(table);
        bine_setspecific(table_key, NULL);
    }
}

/* ---- get and set ----------------------------------------------------------------------------- */

static bool have_table_key(void)
{
    int state = atomic_load_explicit(&table_key_state, memory_order_acquire);
    if (state == 0 && atomic_compare_exchange_strong(&table_key_state, &state, 1)) {
        state = bine_key_create(&table_key, destroy_table) == 0 ? 2 : 3;
        if (state == 2)
            bine_hub_on_fork(local_keys_hub_forked);
        atomic_store(&table_key_state, state);
    }
    while (state == 1)
        state = atomic_load(&table_key_state);
    return state == 2;
}

/* The greenlet whose values count: NULL for the root, whose values are the thread's, and for one
 * that has a thread of its own. */
static struct bine_greenlet *greenlet_here(void)
{
    struct bine_hub *hub = bine_hub_here();
    return hub && !(hub->current->flags & BINE_G_ROOT) &&
                   hub->current->stack_class != BINE_CLASS_OWN
               ? hub->current
               : NULL;
}

void *bine_local_key_get(pthread_key_t key)
{
    if (!greenlet_here() || key >= PTHREAD_KEYS_MAX)
        return bine_libc.pthread_getspecific(key);
    unsigned slot = atomic_load_explicit(&slot_of[key], memory_order_relaxed);
    if (!slot || !have_table_key())
        return NULL;
    const struct table *table = table_here();
    return table && slot < table->count && local_keys_is_current(table, slot)
               ? table->values[slot].value
               : NULL;
}

bool bine_local_values_but(const void *own)
{
    if (!have_table_key())
        return true;
    const struct table *table = table_here();
    for (unsigned i = 0; table && i < table->count; i++)
        if (local_keys_is_current(table, i) && table->values[i].value != own)
            return true;
    return bine_locals_any_but(table_key);
}

static unsigned slot_for(pthread_key_t key)
{
    unsigned slot = atomic_load(&slot_of[key]);
    if (slot)
        return slot;
    unsigned fresh = atomic_fetch_add(&slot_count, 1) + 1;
    if (fresh > SLOTS) {
        atomic_fetch_sub(&slot_count, 1);
        return 0;
    }
    uint16_t none = 0;
    /* Two threads at once: one slot stays unused. */
    return atomic_compare_exchange_strong(&slot_of[key], &none, (uint16_t)fresh) ? fresh : none;
}

int bine_local_key_set(pthread_key_t key, const void *value, void *caller)
{
    if (!greenlet_here() || key >= PTHREAD_KEYS_MAX)
        return bine_libc.pthread_setspecific(key, value);
    if (!value && !bine_local_key_get(key))
        return 0;
    unsigned slot = slot_for(key);
    if (!slot || !have_table_key())
        return ENOMEM;
    if (!slots[slot].caller)
        slots[slot].caller = caller;
    struct table *table = table_here();
    if (!table || slot >= table->count) {
        unsigned count = table ? table->count : 0,
                 wanted = slot + 1 > 2 * count ? slot + 1 : 2 * count;
        struct table *larger = realloc(table, sizeof *table + wanted * sizeof *table->values);
        if (!larger)
            return ENOMEM;
        memset(larger->values + count, 0, (wanted - count) * sizeof *larger->values);
        larger->count = wanted;
        int saved_errno = errno;
        int failed = bine_setspecific(table_key, larger);
        errno = saved_errno;
        if (failed) {
            /* Only the first time: later there is a place for it. */
            free(larger);
            return ENOMEM;
        }
        table = larger;
    }
    table->values[slot] = (struct value){atomic_load(&slots[slot].generation), (void *)value};
    return 0; /* NOLINT(clang-analyzer-unix.Malloc): the table hangs on the key */
}

/* ---- keys ------------------------------------------------------------------------------------ */

void bine_local_key_made(pthread_key_t key, void (*destructor)(void *))
{
    unsigned slot = key < PTHREAD_KEYS_MAX ? slot_for(key) : 0;
    if (!slot)
        return;
    atomic_fetch_add(&slots[slot].generation, 1);
    slots[slot].destructor = destructor;
    slots[slot].destructor_known = true;
}

void bine_local_key_deleted(pthread_key_t key)
{
    unsigned slot = key < PTHREAD_KEYS_MAX ? atomic_load(&slot_of[key]) : 0;
    if (!slot)
        return;
    atomic_fetch_add(&slots[slot].generation, 1);
    slots[slot].destructor = NULL;
    slots[slot].destructor_known = false;
    slots[slot].stop_known = false;
    slots[slot].stop = NULL;
    slots[slot].caller = NULL;
}

/*
 * How state is exchanged at switches. See exchange.h.
 *
 * A block that equals a new thread's is not copied. So for greenlets that do not use the object a
 * switch only compares.
 */
#include "exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libc/free.h"
#include "libc/libc.h"

/* What a greenlet has while others run; on its stack. */
struct away {
    locale_t locale; /* NULL: the process's */
    uint64_t kept;   /* by the index of the object; not set: as in a new thread */
    char bytes[];    /* by the offset of the object */
};

/* An object's block in this thread. It comes as a message from the thread that chose the object. */
struct block {
    struct bine_message message;
    struct block *next;
    struct state *state; /* for the hub if it has none yet */
    const struct bine_exchange_object *object;
    char *address;
    /* the root's bytes are in the stash: it has not run since the object was chosen */
    bool stashed;
    char stash[];
};

/* Of a hub. */
struct state {
    struct bine_exchange exchange; /* first: hub->exchange points to it */
    bool locales;                  /* some greenlet has called uselocale */
    locale_t root_locale;          /* the root's, until it leaves for the first time */
    unsigned count;
    struct block *blocks[BINE_EXCHANGE_OBJECTS]; /* by index; NULL: not there yet */
    struct block *arrived;                       /* by message; they begin with the next switch */
};

/* All that were chosen so far. Written by one thread at a time (local_tls.c), read by any. */
static const struct bine_exchange_object *_Atomic objects[BINE_EXCHANGE_OBJECTS];

/* ---- blocks ---------------------------------------------------------------------------------- */

struct tls_index {
    unsigned long module, offset;
};
/* NOLINTNEXTLINE(bugprone-reserved-identifier): of the ABI */
extern void *__tls_get_addr(struct tls_index *index);

static bool is_new(const struct block *block)
{
    return memcmp(block->address, block->object->image, block->object->size) == 0;
}

static void make_new(struct block *block)
{
    memcpy(block->address, block->object->image, block->object->size);
}

/* From now on the block is exchanged. What it holds is the root's: `root_here` if the root is the
 * one that finds it there. The loader makes the block, if it has not been used on this thread; for
 * lack of memory it ends the program, as it does on any thread. */
static void begin_block(struct state *state, struct block *block, bool root_here)
{
    const struct bine_exchange_object *object = block->object;
    block->address = __tls_get_addr(&(struct tls_index){object->module, 0});
    if (!root_here && !is_new(block)) {
        memcpy(block->stash, block->address, object->size);
        block->stashed = true;
        make_new(block);
    }
    state->blocks[object->index] = block;
    if (state->count <= object->index)
        state->count = object->index + 1;
    size_t room = sizeof(struct away) + object->offset + object->size;
    if (state->exchange.room < room)
        state->exchange.room = room;
}

static void put_away(const struct block *block, struct away *away)
{
    memcpy(away->bytes + block->object->offset, block->address, block->object->size);
    away->kept |= UINT64_C(1) << block->object->index;
}

static void pass_block(struct block *block, struct away *away, const struct away *next,
                       bool to_root)
{
    bool new = is_new(block);
    if (away && !new)
        put_away(block, away);
    if (to_root && block->stashed) {
        memcpy(block->address, block->stash, block->object->size);
        block->stashed = false;
    } else if (next && next->kept >> block->object->index & 1) {
        memcpy(block->address, next->bytes + block->object->offset, block->object->size);
    } else if (!new) {
        make_new(block);
    }
}

/* The room was made before they began. So the greenlet that is switched away from has only the
 * root's values in them. */
static void begin_arrived(struct state *state, bool to_root)
{
    for (struct block *block; (block = state->arrived);) {
        state->arrived = block->next;
        begin_block(state, block, to_root);
    }
}

/* ---- the locale ------------------------------------------------------------------------------ */

static void pass_locale(const struct state *state, struct away *away, const struct away *next,
                        bool to_root)
{
    locale_t now = bine_libc.uselocale(NULL), wanted = LC_GLOBAL_LOCALE;
    if (away && now != LC_GLOBAL_LOCALE)
        away->locale = now;
    if (next && next->locale)
        wanted = next->locale;
    else if (to_root && !next)
        wanted = state->root_locale;
    if (wanted != now)
        bine_libc.uselocale(wanted);
}

/* ---- passing --------------------------------------------------------------------------------- */

static void exchange_pass(struct bine_hub *hub, struct bine_greenlet *from,
                          struct bine_greenlet *to, void *room)
{
    struct state *state = (struct state *)hub->exchange;
    bool to_root = to == hub->root, begins = state->arrived != NULL;
    /* A greenlet with a thread of its own has all that is exchanged to itself. */
    bool shares = to->stack_class != BINE_CLASS_OWN;
    const struct away *next = shares ? to->slots[BINE_SLOT_APART] : NULL;
    struct away *away = NULL;
    if (from && from->stack_class != BINE_CLASS_OWN) {
        away = room;
        *away = (struct away){0};
    }
    for (unsigned i = 0; i < state->count; i++)
        if (state->blocks[i])
            pass_block(state->blocks[i], away, next, to_root);
    if (__builtin_expect(begins, 0))
        begin_arrived(state, to_root);
    if (state->locales)
        pass_locale(state, away, next, to_root);
    if (shares)
        to->slots[BINE_SLOT_APART] = NULL;
    /* A greenlet without anything put away need not be looked at when it ends; but the root tells
     * by it that it has left before. */
    if (away && (away->kept || away->locale || from == hub->root))
        bine_greenlet_keep(from, BINE_SLOT_APART, away);
}

void bine_exchange_renew(struct bine_hub *hub)
{
    struct state *state = (struct state *)hub->exchange;
    for (unsigned i = 0; state && i < state->count; i++)
        if (state->blocks[i] && !is_new(state->blocks[i]))
            make_new(state->blocks[i]);
}

/* ---- a hub's state --------------------------------------------------------------------------- */

static struct state *new_state(void)
{
    struct state *state = calloc(1, sizeof *state);
    if (state)
        state->exchange = (struct bine_exchange){sizeof(struct away), exchange_pass};
    return state;
}

static struct state *exchange_state_of(struct bine_hub *hub)
{
    if (!hub->exchange) {
        struct state *state = new_state();
        if (state)
            bine_hub_set_exchange(hub, &state->exchange);
    }
    return (struct state *)hub->exchange;
}

static void free_block(struct block *block)
{
    free(block->state);
    free(block);
}

static void drop_block(struct bine_message *message)
{
    free_block((struct block *)message);
}

static void deliver_block(struct bine_message *message)
{
    struct block *block = (struct block *)message;
    struct bine_hub *hub = bine_hub_here();
    if (!hub->exchange) {
        bine_hub_set_exchange(hub, &block->state->exchange);
        block->state = NULL;
    }
    struct state *state = (struct state *)hub->exchange;
    if (state->blocks[block->object->index]) {
        free_block(block);
        return;
    }
    free(block->state);
    block->state = NULL;
    block->next = state->arrived;
    state->arrived = block;
}

static struct block *new_block(const struct bine_exchange_object *object, bool state)
{
    struct block *block = calloc(1, sizeof *block + object->size);
    if (!block)
        return NULL;
    block->message = (struct bine_message){NULL, deliver_block, drop_block};
    block->object = object;
    if (state && !(block->state = new_state())) {
        bine_free(block);
        return NULL;
    }
    return block;
}

static int begin_here(struct bine_hub *hub, const struct bine_exchange_object *object)
{
    struct state *state = exchange_state_of(hub);
    if (!state)
        return ENOMEM;
    if (state->blocks[object->index])
        return 0;
    struct block *block = new_block(object, false);
    if (!block)
        return ENOMEM;
    begin_block(state, block, hub->current == hub->root);
    return 0;
}

static int hub_started(struct bine_hub *hub)
{
    for (unsigned i = 0; i < BINE_EXCHANGE_OBJECTS; i++) {
        const struct bine_exchange_object *object = atomic_load(&objects[i]);
        if (object && begin_here(hub, object) != 0)
            return ENOMEM;
    }
    return 0;
}

static void exchange_hub_ended(struct bine_hub *hub)
{
    struct state *state = (struct state *)hub->exchange;
    if (!state)
        return;
    for (unsigned i = 0; i < state->count; i++)
        if (state->blocks[i])
            free_block(state->blocks[i]);
    for (struct block *block; (block = state->arrived);) {
        state->arrived = block->next;
        free_block(block);
    }
    bine_hub_set_exchange(hub, NULL);
    free(state);
}

/* The greenlet that forked is the root, with what it has; what the former root had is gone with
 * it. */
static void exchange_hub_forked(struct bine_hub *hub)
{
    struct state *state = (struct state *)hub->exchange;
    for (unsigned i = 0; state && i < state->count; i++)
        if (state->blocks[i])
            state->blocks[i]->stashed = false;
}

__attribute__((constructor)) static void exchange_register_hooks(void)
{
    bine_hub_on_start(hub_started);
    bine_hub_on_end(exchange_hub_ended);
    bine_hub_on_fork(exchange_hub_forked);
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* The hubs of other threads, as they are found: one that is made meanwhile finds the object by
 * itself. */
struct others {
    size_t count, room;
    struct bine_hub **list;
};

static void count_hub(struct bine_hub *hub, void *arg)
{
    struct others *others = arg;
    if (others->count < others->room)
        others->list[others->count] = hub;
    others->count++;
}

static int send_to_others(const struct others *others, const struct bine_exchange_object *object)
{
    for (size_t i = 0; i < others->count; i++) {
        if (others->list[i] == bine_hub_here())
            continue;
        struct block *block = new_block(object, true);
        if (!block)
            return ENOMEM;
        if (bine_hub_send(others->list[i], &block->message) != 0)
            free_block(block); /* it has ended */
    }
    return 0;
}

int bine_exchange_add(const struct bine_exchange_object *object)
{
    struct bine_hub *hub = bine_hub_here();
    struct others others = {0};
    /* A hub that begins after this takes it on by itself. */
    atomic_store(&objects[object->index], object);
    int error = hub ? begin_here(hub, object) : 0;
    do {
        others.room = others.count;
        free(others.list);
        others.list = others.room ? malloc(others.room * sizeof *others.list) : NULL;
        if (others.room && !others.list)
            return ENOMEM;
        others.count = 0;
        if (!error)
            bine_hub_each(count_hub, &others);
    } while (others.count > others.room);
    if (!error)
        error = send_to_others(&others, object);
    free(others.list);
    return error;
}

locale_t bine_exchange_locale(struct bine_hub *hub, locale_t locale)
{
    struct state *state = locale ? exchange_state_of(hub) : NULL;
    if (locale && !state) {
        errno = ENOMEM;
        return NULL;
    }
    if (state && !state->locales) {
        state->locales = true;
        state->root_locale = bine_libc.uselocale(NULL);
        if (hub->current != hub->root)
            bine_libc.uselocale(LC_GLOBAL_LOCALE);
    }
    return bine_libc.uselocale(locale);
}

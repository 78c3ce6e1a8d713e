/*
 * What the pollers have in common: the book of operations in flight, one slot for each descriptor,
 * waking, and the slow re-check of long waits. Only for src/io/poller*.c.
 */
#ifndef BINE_IO_POLLER_POLLER_COMMON_H
#define BINE_IO_POLLER_POLLER_COMMON_H

#include "poller.h"

/* What a poller keeps for each descriptor number. */
struct bine_poller_slot {
    /* the operations in flight, the oldest first; its same_previous is the last one */
    struct bine_operation *first;
    uint32_t generation; /* epoll: the descriptor's generation when it was registered */
    uint16_t ready;      /* epoll: poll(2) bits that were reported and not drained since */
    bool registered;     /* epoll */
};

enum {
    BINE_POLLER_CHUNK = 256
};

struct bine_poller_chunk {
    struct bine_poller_slot slots[BINE_POLLER_CHUNK];
};

/* Bits of bine_operation.poller_state. */
enum {
    BINE_OPERATION_SUSPECT = 1 << 0, /* found stale by the re-check that runs now */
    BINE_OPERATION_FLAG = 1 << 1,    /* from here on the bits are the poller's own */
};

/* Makes a poller with its eventfd. The caller sets the driver's turn, and at last `close`: another
 * thread may fork meanwhile, and the child closes only what has `close`. `size` is that of the
 * structure around the poller. Returns NULL for ENOMEM, EMFILE, ENFILE. */
struct bine_poller *bine_poller_new(const struct bine_poller_class *class, struct bine_hub *hub,
                                    size_t size);
/* Closes a poller. Its memory is kept for the next poller of the class, because a thread that wants
 * to wake the hub may still hold the address. */
void bine_poller_free(struct bine_poller *poller);

/* The part of a class's verify for the eventfd. Returns true if the eventfd was replaced. */
bool bine_poller_verify_wake(struct bine_poller *poller);

/* The driver's wake and forked. */
void bine_poller_wake(struct bine_driver *driver);
void bine_poller_forked(struct bine_driver *driver);

/* Returns the slot of fd, or NULL if there is none. */
static inline struct bine_poller_slot *bine_poller_slot(struct bine_poller *poller, int fd)
{
    size_t chunk = (size_t)(unsigned)fd / BINE_POLLER_CHUNK;
    if (chunk >= poller->chunk_count || !poller->chunks[chunk])
        return NULL;
    return &poller->chunks[chunk]->slots[(unsigned)fd % BINE_POLLER_CHUNK];
}

struct bine_poller_slot *bine_poller_slot_new(struct bine_poller *poller, int fd);

/* Does the same, and makes the slot if need be. Returns NULL if fd is no possible descriptor or
 * there is no memory. */
static inline struct bine_poller_slot *bine_poller_slot_make(struct bine_poller *poller, int fd)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    return __builtin_expect(slot != NULL, 1) ? slot : bine_poller_slot_new(poller, fd);
}

/*
 * A turn delivers many events. Each leads to an operation on a greenlet's stack, and from there to
 * the greenlet's record, and neither is in the cache. So the turn fetches them ahead: the operation
 * six events before its turn, the greenlet three. These functions read nothing of `later` that has
 * not been fetched.
 */
enum {
    BINE_POLLER_OPERATION_AHEAD = 6,
    BINE_POLLER_GREENLET_AHEAD = 3,
};

static inline __attribute__((always_inline)) void bine_poller_fetch_operation(
    const struct bine_operation *later)
{
    __builtin_prefetch(later, 1);
    __builtin_prefetch((const char *)later + 64, 1);
}

static inline __attribute__((always_inline)) void bine_poller_fetch_greenlet(
    const struct bine_operation *later)
{
    if (later)
        __builtin_prefetch(later->waiter, 1);
}

/* Enters an operation into the book. `slot` is NULL for an operation without a descriptor. */
void bine_poller_begin(struct bine_poller *poller, struct bine_operation *operation,
                       struct bine_poller_slot *slot);

/* Takes an operation out of the book, and wakes its waiter or calls `done`. The operation may be
 * gone when this returns. */
void bine_poller_end(struct bine_poller *poller, struct bine_operation *operation, int64_t result);

/* Change an operation's place in the list of all. A walk during which operations may end moves
 * those that it will visit to the front first, and then takes each from there. */
void bine_poller_move_first(struct bine_poller *poller, struct bine_operation *operation);
void bine_poller_move_last(struct bine_poller *poller, struct bine_operation *operation);

/* Returns what poll(2) must be asked to know whether the operation can continue, or 0 if poll(2)
 * cannot tell. */
uint32_t bine_operation_events(const struct bine_operation *operation);

/* Returns the nanoseconds that a turn may wait at most: until the deadline (0: not at all,
 * INT64_MAX: for ever) or the next re-check. Does the re-check when it is due and adds what it
 * found to *found. */
int64_t bine_poller_patience(struct bine_poller *poller, int64_t deadline, size_t *found);
/* Returns the same, without re-checking anything. */
int64_t bine_poller_left(const struct bine_poller *poller, int64_t deadline);

/* The first set of flags that the io_uring poller tries: 0 for those of Linux 6.1, 1 for 5.19, 2
 * for 5.11. Tests set it. */
extern unsigned bine_poller_uring_rung;

#endif

/* The common part of the pollers. See poller_common.h. It calls neither io_uring nor epoll. */
#include "poller_common.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/schedule/park.h"
#include "io/descriptor/descriptor.h"
#include "libc/libc.h"
#include "libc/spin.h"

/* How often a poller checks that nobody has closed its own descriptors. */
#define VERIFY_EVERY (2 * BINE_SECOND)

/* Every poller that was ever opened, by any thread. Closed ones are opened again for other hubs. */
static struct bine_poller *all_pollers;
static struct bine_spin all_pollers_lock;

/* In the child of a fork. The child drops its references to the parent's ring or epoll set, and
 * changes nothing in it (hazard 25). */
static void poller_abandon(struct bine_poller *poller)
{
    /* The operations and their waiters are the parent's: close must not look at them. */
    poller->closing = true;
    poller->oldest = poller->newest = NULL;
    poller->pending = 0;
    atomic_store(&poller->waking, 0);
}

/* In the child of a fork. The other threads do not exist there, but their pollers would keep the
 * parent's rings alive. */
static void close_those_of_other_threads(void)
{
    struct bine_hub *here = bine_hub_here();
    bine_spin_unlock(&all_pollers_lock);
    for (struct bine_poller *poller = all_pollers; poller; poller = poller->next_of_all)
        if (poller->open && !(here && here->driver == &poller->driver)) {
            poller_abandon(poller);
            if (poller->driver.close) /* NULL: a thread was opening it during the fork */
                poller->driver.close(&poller->driver);
            else
                bine_poller_free(poller);
        }
}

static void watch_forks(void)
{
    /* Core has set its handler before, so it runs first: the hub of this thread is new by then. */
    pthread_atfork(NULL, NULL, close_those_of_other_threads);
}

static void note_wake(struct bine_poller *poller, int fd)
{
    poller->wake_id = bine_own_eventfd(fd);
    bine_own_note(&poller->wake, fd);
}

bool bine_poller_verify_wake(struct bine_poller *poller)
{
    int fd = atomic_load(&poller->wake.fd);
    if (bine_own_verify(&poller->wake) && bine_own_eventfd(fd) == poller->wake_id)
        return false;
    int fresh = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fresh < 0)
        return false; /* the next check tries again */
    note_wake(poller, fresh);
    return true;
}

struct bine_poller *bine_poller_new(const struct bine_poller_class *class, struct bine_hub *hub,
                                    size_t size)
{
    static atomic_bool watching;
    if (!atomic_exchange(&watching, true))
        watch_forks();
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return NULL;
    bine_spin_lock(&all_pollers_lock);
    struct bine_poller *poller = all_pollers;
    while (poller && (poller->open || poller->class != class))
        poller = poller->next_of_all;
    if (poller)
        poller->open = true;
    bine_spin_unlock(&all_pollers_lock);
    if (!poller) {
        poller = calloc(1, size);
        if (!poller) {
            bine_libc.close(wake_fd);
            errno = ENOMEM;
            return NULL;
        }
        poller->class = class;
        poller->open = true;
        bine_spin_lock(&all_pollers_lock);
        poller->next_of_all = all_pollers;
        all_pollers = poller;
        bine_spin_unlock(&all_pollers_lock);
    }
    /* The common part is set field by field. A late waker of the previous poller in this memory may
     * still read wake_fd, and count in `waking`: memset would write to both. */
    memset((char *)poller + sizeof *poller, 0, size - sizeof *poller);
    poller->driver = (struct bine_driver){
        .name = class->name,
        .wake = bine_poller_wake,
        .pending = bine_poller_pending,
        .forked = bine_poller_forked,
    };
    poller->hub = hub;
    poller->pending = 0;
    poller->supported = 1u << BINE_OP_POLL;
    poller->oldest = poller->newest = poller->cursor = NULL;
    poller->chunks = NULL;
    poller->chunk_count = 0;
    poller->recheck_at = 0;
    poller->closing = false;
    poller->losses = atomic_load(&bine_own_losses);
    poller->verify_at = bine_hub_now(hub) + VERIFY_EVERY;
    note_wake(poller, wake_fd);
    return poller;
}

/* The hub ends. Operations with a waiter end with the waiter. The owners of all others are told
 * that theirs are over. */
static void orphan_all(struct bine_poller *poller)
{
    for (struct bine_operation *operation = poller->oldest, *next; operation; operation = next) {
        next = operation->next;
        if (operation->waiter)
            continue;
        operation->result = BINE_OPERATION_ORPHANED;
        operation->done(operation);
    }
}

void bine_poller_free(struct bine_poller *poller)
{
    orphan_all(poller);
    /* Another thread may be about to write to the eventfd. It counts itself in `waking` before it
     * reads the number, so this loop waits for it. */
    struct bine_own wake = poller->wake;
    bine_own_note(&poller->wake, -1);
    while (atomic_load(&poller->waking) != 0)
        continue;
    bine_own_close(&wake);
    for (size_t i = 0; i < poller->chunk_count; i++)
        free(poller->chunks[i]);
    free(poller->chunks);
    poller->chunks = NULL;
    poller->chunk_count = 0;
    bine_spin_lock(&all_pollers_lock);
    poller->driver.close = NULL;
    poller->open = false;
    bine_spin_unlock(&all_pollers_lock);
}

void bine_poller_wake(struct bine_driver *driver)
{
    struct bine_poller *poller = (struct bine_poller *)driver;
    int saved_errno = errno;
    atomic_fetch_add(&poller->waking, 1);
    int wake_fd = atomic_load(&poller->wake.fd);
    uint64_t one = 1;
    /* The number may mean a file of the program's by now: then nothing is written. EAGAIN means
     * that 2^64 - 2 wakes are waiting, so this one is not missed. */
    if (wake_fd >= 0 && (!bine_own_still(&poller->wake) ||
                         (bine_libc.write(wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)))
        atomic_fetch_add(&bine_own_losses, 1);
    atomic_fetch_sub(&poller->waking, 1);
    errno = saved_errno;
}

size_t bine_poller_pending(struct bine_driver *driver)
{
    return ((struct bine_poller *)driver)->pending;
}

void bine_poller_forked(struct bine_driver *driver)
{
    /* The child opens a poller of its own when a greenlet first waits for a descriptor. */
    struct bine_poller *poller = (struct bine_poller *)driver;
    bine_spin_unlock(&all_pollers_lock);
    poller_abandon(poller);
    bine_hub_set_driver(poller->hub, &poller->hub->futex_driver);
}

/* ---- slots ----------------------------------------------------------------------------------- */

struct bine_poller_slot *bine_poller_slot_new(struct bine_poller *poller, int fd)
{
    if (!bine_descriptor_of(fd))
        return NULL; /* negative, or beyond what a process can have */
    size_t chunk = (size_t)fd / BINE_POLLER_CHUNK;
    if (chunk >= poller->chunk_count) {
        size_t count = poller->chunk_count ? poller->chunk_count : 4;
        while (count <= chunk)
            count *= 2;
        struct bine_poller_chunk **chunks = realloc(poller->chunks, count * sizeof(*chunks));
        if (!chunks)
            return NULL;
        memset(chunks + poller->chunk_count, 0, (count - poller->chunk_count) * sizeof(*chunks));
        poller->chunks = chunks;
        poller->chunk_count = count;
    }
    poller->chunks[chunk] = calloc(1, sizeof(struct bine_poller_chunk));
    return bine_poller_slot(poller, fd);
}

/* ---- the book -------------------------------------------------------------------------------- */

static inline void unlink_age(struct bine_poller *poller, struct bine_operation *operation)
{
    if (operation->previous)
        operation->previous->next = operation->next;
    else
        poller->oldest = operation->next;
    if (operation->next)
        operation->next->previous = operation->previous;
    else
        poller->newest = operation->previous;
}

static inline void append_age(struct bine_poller *poller, struct bine_operation *operation)
{
    operation->epoch = poller->epoch;
    operation->next = NULL;
    operation->previous = poller->newest;
    if (poller->newest)
        poller->newest->next = operation;
    else
        poller->oldest = operation;
    poller->newest = operation;
}

void bine_poller_move_first(struct bine_poller *poller, struct bine_operation *operation)
{
    unlink_age(poller, operation);
    operation->previous = NULL;
    operation->next = poller->oldest;
    if (poller->oldest)
        poller->oldest->previous = operation;
    else
        poller->newest = operation;
    poller->oldest = operation;
}

void bine_poller_move_last(struct bine_poller *poller, struct bine_operation *operation)
{
    unlink_age(poller, operation);
    append_age(poller, operation);
}

void bine_poller_begin(struct bine_poller *poller, struct bine_operation *operation,
                       struct bine_poller_slot *slot)
{
    operation->ended = false;
    operation->cancelled = false;
    operation->poller_state = 0;
    operation->result = -ECANCELED;
    append_age(poller, operation);
    operation->same_next = NULL;
    operation->same_previous = NULL;
    if (slot) {
        struct bine_operation *first = slot->first;
        if (first) {
            operation->same_previous = first->same_previous;
            first->same_previous->same_next = operation;
            first->same_previous = operation;
        } else {
            operation->same_previous = operation;
            slot->first = operation;
        }
    }
    if (poller->pending++ == 0)
        poller->recheck_at = 0;
}

void bine_poller_end(struct bine_poller *poller, struct bine_operation *operation, int64_t result)
{
    assert(!operation->ended && !poller->closing);
    unlink_age(poller, operation);
    if (poller->cursor == operation)
        poller->cursor = operation->same_next;
    if (operation->same_previous) {
        struct bine_poller_slot *slot = bine_poller_slot(poller, operation->fd);
        struct bine_operation *next = operation->same_next;
        if (slot->first == operation) {
            slot->first = next;
            if (next)
                next->same_previous = operation->same_previous;
        } else {
            operation->same_previous->same_next = next;
            if (next)
                next->same_previous = operation->same_previous;
            else
                slot->first->same_previous = operation->same_previous;
        }
    }
    poller->pending--;
    operation->result = result;
    operation->ended = true;
    if (operation->done)
        operation->done(operation);
    else
        bine_unpark(operation->waiter);
}

/* ---- the slow re-check of long waits (hazards 5 and 15) -------------------------------------- */

enum {
    RECHECK_AT_MOST = 1024, /* operations per re-check: about 0.1 ms */
    RECHECK_BATCH = 64,     /* per poll(2): the array is on the stack of some greenlet */
};
#define RECHECK_FIRST (200 * BINE_MS)
#define RECHECK_LAST (2 * BINE_SECOND)

uint32_t bine_operation_events(const struct bine_operation *operation)
{
    switch (operation->kind) {
    case BINE_OP_POLL:
        return operation->events;
    case BINE_OP_READ:
    case BINE_OP_READV:
        return operation->offset < 0 ? POLLIN : 0;
    case BINE_OP_WRITEV:
        return operation->offset < 0 ? POLLOUT : 0;
    case BINE_OP_RECV:
    case BINE_OP_RECVMSG:
        /* With MSG_WAITALL the call waits although some bytes are there. POLLIN says nothing of
         * out-of-band data. */
        return operation->flags & (MSG_WAITALL | MSG_OOB) ? 0 : POLLIN;
    case BINE_OP_ACCEPT:
        return POLLIN;
    case BINE_OP_SEND:
    case BINE_OP_SENDMSG:
        return operation->flags & MSG_WAITALL ? 0 : POLLOUT;
    case BINE_OP_CONNECT:
        return POLLOUT;
    default:
        return 0;
    }
}

/* poll(2) found events for operations that still wait. Marks these, and moves them to the front of
 * the list. */
static void mark_suspects(struct bine_poller *poller, struct bine_operation **operations,
                          const struct pollfd *fds, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        struct bine_operation *operation = operations[i];
        if (!fds[i].revents || operation->cancelled)
            continue;
        if (fds[i].revents & POLLNVAL)
            operation->result = -EBADF;
        else if (operation->kind == BINE_OP_POLL)
            operation->result = fds[i].revents;
        else
            operation->result = -EAGAIN;
        operation->poller_state |= BINE_OPERATION_SUSPECT;
        bine_poller_move_first(poller, operation);
    }
}

/* Takes the marked operations back, one at a time from the front, as the function that one calls
 * at its end may end others. Returns how many it took. */
static size_t retract_suspects(struct bine_poller *poller)
{
    size_t found = 0;
    struct bine_operation *operation;
    while ((operation = poller->oldest) && operation->poller_state & BINE_OPERATION_SUSPECT) {
        int64_t verdict = operation->result;
        operation->poller_state &= ~BINE_OPERATION_SUSPECT;
        operation->result = -ECANCELED;
        bine_poller_move_last(poller, operation);
        found++;
        if (!operation->cancelled)
            poller->class->retract(poller, operation, verdict);
    }
    return found;
}

__attribute__((noinline)) static size_t recheck_batch(struct bine_poller *poller, size_t *at_most,
                                                      uint32_t age, bool *more)
{
    struct pollfd fds[RECHECK_BATCH];
    struct bine_operation *operations[RECHECK_BATCH];
    size_t count = 0;
    struct bine_operation *operation;

    *more = false;
    while (*at_most && (operation = poller->oldest) && poller->epoch - operation->epoch >= age) {
        if (count == RECHECK_BATCH) {
            *more = true;
            break;
        }
        --*at_most;
        bine_poller_move_last(poller, operation);
        uint32_t events = bine_operation_events(operation);
        if (!events || operation->cancelled)
            continue;
        fds[count] = (struct pollfd){.fd = operation->fd, .events = (short)events};
        operations[count++] = operation;
    }
    if (!count || bine_libc.poll(fds, count, 0) <= 0)
        return 0;
    mark_suspects(poller, operations, fds, count);
    return retract_suspects(poller);
}

static size_t recheck(struct bine_poller *poller, size_t at_most, uint32_t age)
{
    size_t found = 0;
    bool more;
    poller->epoch++;
    do
        found += recheck_batch(poller, &at_most, age, &more);
    while (more);
    return found;
}

size_t bine_poller_recheck(struct bine_poller *poller, size_t at_most)
{
    int saved_errno = errno;
    size_t found = recheck(poller, at_most, 1);
    errno = saved_errno;
    return found;
}

size_t bine_poller_recheck_descriptor(struct bine_poller *poller, int fd,
                                      struct bine_greenlet **waiters, size_t most)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    if (!slot || !slot->first)
        return 0;
    struct pollfd fds[RECHECK_BATCH];
    struct bine_operation *operations[RECHECK_BATCH];
    size_t count = 0, found = 0;
    int saved_errno = errno;
    for (struct bine_operation *operation = slot->first; operation && count < RECHECK_BATCH;
         operation = operation->same_next) {
        uint32_t events = bine_operation_events(operation);
        if (!events || operation->cancelled)
            continue;
        fds[count] = (struct pollfd){.fd = fd, .events = (short)events};
        operations[count++] = operation;
    }
    if (count && bine_libc.poll(fds, count, 0) > 0) {
        for (size_t i = 0; i < count && found < most; i++)
            if (fds[i].revents && !(fds[i].revents & POLLNVAL) && operations[i]->waiter)
                waiters[found++] = operations[i]->waiter;
        mark_suspects(poller, operations, fds, count);
        retract_suspects(poller);
    }
    errno = saved_errno;
    return found;
}

bool bine_poller_ending(struct bine_poller *poller, int fd)
{
    const struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    for (const struct bine_operation *operation = slot ? slot->first : NULL; operation;
         operation = operation->same_next)
        if (operation->cancelled)
            return true;
    return false;
}

struct bine_operation *bine_poller_first_on(struct bine_poller *poller, int fd)
{
    const struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    return slot ? slot->first : NULL;
}

int64_t bine_poller_left(const struct bine_poller *poller, int64_t deadline)
{
    if (poller->pending && poller->recheck_at && poller->recheck_at < deadline)
        deadline = poller->recheck_at;
    if (poller->verify_at < deadline)
        deadline = poller->verify_at;
    int64_t now = bine_hub_now(poller->hub);
    return deadline > now ? deadline - now : 0;
}

/* Checks the poller's own descriptors if that is due. Returns the time until the next check. */
static int64_t poller_verify(struct bine_poller *poller, int64_t now)
{
    unsigned losses = atomic_load(&bine_own_losses);
    if (__builtin_expect(now < poller->verify_at && losses == poller->losses, 1))
        return poller->verify_at - now;
    poller->losses = losses;
    poller->verify_at = now + VERIFY_EVERY;
    return poller->class->verify(poller) ? 0 : VERIFY_EVERY;
}

int64_t bine_poller_patience(struct bine_poller *poller, int64_t deadline, size_t *found)
{
    int64_t wait, now;
    /* A hub that always has a ready greenlet never waits. It reads the clock at each 256th look. */
    if (deadline == 0 && (++poller->looks & 255) != 0)
        return 0;
    now = bine_hub_now(poller->hub);
    wait = poller_verify(poller, now);
    if (poller->pending) {
        if (poller->recheck_at == 0) {
            poller->recheck_interval = RECHECK_FIRST;
            poller->recheck_at = now + RECHECK_FIRST;
        } else if (now >= poller->recheck_at) {
            /* Age 2: the operation has waited for a whole interval at least. */
            *found += recheck(poller, RECHECK_AT_MOST, 2);
            if (poller->recheck_interval < RECHECK_LAST)
                poller->recheck_interval *= 2;
            if (poller->recheck_interval > RECHECK_LAST)
                poller->recheck_interval = RECHECK_LAST;
            poller->recheck_at = now + poller->recheck_interval;
        }
        if (*found)
            wait = 0;
        else if (poller->recheck_at - now < wait)
            wait = poller->recheck_at - now;
    }
    if (deadline != INT64_MAX) {
        int64_t left = deadline > now ? deadline - now : 0;
        if (left < wait)
            wait = left;
    }
    return wait;
}

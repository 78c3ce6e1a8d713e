/* FILE locks that greenlets own. See stdio_lock.h. */
#include "stdio_lock.h"

#include <errno.h>
#include <stdlib.h>

#include "core/schedule/park.h"
#include "libc/carrier.h"
#include "libc/libc.h"

/* One that is held now, or waited for. There are few at a time, so a list serves. */
struct held {
    FILE *file;
    struct bine_greenlet *owner;
    unsigned depth;
    struct bine_waiters waiters;
    struct held *next;
};

static BINE_CARRIED struct held *all_held_;
#define all_held BINE_OF_CARRIER(all_held_)

__attribute__((noinline)) static struct held **held_here(void)
{
    return &all_held;
}

/* In the child only the greenlet that forked is left, and libc has opened all its locks. The other
 * owners are gone. */
static void forget_locks(struct bine_hub *hub)
{
    (void)hub;
    while (all_held) {
        struct held *held = all_held;
        all_held = held->next;
        free(held);
    }
}

__attribute__((constructor)) static void stdio_lock_set_up(void)
{
    bine_hub_on_fork(forget_locks);
    bine_hub_on_end(forget_locks);
}

static struct held *stdio_lock_find(FILE *file)
{
    for (struct held *held = *held_here(); held; held = held->next)
        if (held->file == file)
            return held;
    return NULL;
}

static void let_go(struct held *held)
{
    struct held **each = held_here();
    while (*each != held)
        each = &(*each)->next;
    *each = held->next;
    free(held);
}

/* Give it to the next in line, or forget it. */
static void pass_on(struct held *held)
{
    struct bine_waiter *waiter = bine_waiters_pop(&held->waiters);
    if (!waiter) {
        let_go(held);
        return;
    }
    held->owner = waiter->greenlet;
    held->depth = 1;
    waiter->item = held;
    bine_waiter_wake(waiter);
}

bool bine_stdio_locked_by_other(struct bine_hub *hub, FILE *file)
{
    struct held *held = *held_here();
    if (__builtin_expect(held == NULL, 1))
        return false;
    held = stdio_lock_find(file);
    return held && held->owner != hub->current;
}

/* Become the owner among this hub's greenlets. */
static int own(struct bine_hub *hub, FILE *file, bool firm)
{
    struct held *held = stdio_lock_find(file);
    if (!held) {
        held = malloc(sizeof *held);
        if (!held)
            return ENOMEM;
        *held =
            (struct held){.file = file, .owner = hub->current, .depth = 1, .next = *held_here()};
        *held_here() = held;
        return 0;
    }
    if (held->owner == hub->current) {
        held->depth++;
        return 0;
    }
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(&held->waiters, &waiter);
    for (;;) {
        int error =
            bine_park(hub, "stdio lock", (uintptr_t)file, INT64_MAX, firm ? BINE_PARK_FIRM : 0);
        if (waiter.item)
            return 0; /* it was handed over, whatever else happened */
        if (error) {
            bine_waiters_remove(&waiter);
            return error;
        }
    }
}

/* Not libc's lock in the same way: the thread that has it may be blocked in a read, and so would be
 * this one. It does not tell when it is done either, so ask, ever less often. */
static int keep_threads_out(struct bine_hub *hub, FILE *file, bool firm)
{
    for (int64_t pause = 100 * BINE_US; bine_libc.ftrylockfile(file) != 0;
         pause = pause < 10 * BINE_MS ? 2 * pause : pause) {
        int error = bine_park(hub, "stdio lock", (uintptr_t)file, bine_hub_deadline(hub, pause),
                              BINE_PARK_EXTERNAL | (firm ? BINE_PARK_FIRM : 0));
        if (error != ETIME)
            return error;
    }
    return 0;
}

/* For a stream whose lock this thread has already: it counts. */
static void lock_again(FILE *file)
{
    if (bine_libc.ftrylockfile(file) != 0)
        abort();
}

int bine_stdio_lock(struct bine_hub *hub, FILE *file, bool firm)
{
    int error = own(hub, file, firm);
    if (error)
        return error;
    struct held *held = stdio_lock_find(file);
    if (held->depth > 1) {
        lock_again(file);
        return 0;
    }
    error = keep_threads_out(hub, file, firm);
    if (error)
        pass_on(held);
    return error;
}

int bine_stdio_own(struct bine_hub *hub, FILE *file)
{
    return own(hub, file, true);
}

bool bine_stdio_trylock(struct bine_hub *hub, FILE *file)
{
    return !bine_stdio_locked_by_other(hub, file) && bine_libc.ftrylockfile(file) == 0 &&
           (own(hub, file, true) == 0 || (bine_libc.funlockfile(file), false));
}

void bine_stdio_unlock(struct bine_hub *hub, FILE *file)
{
    bine_libc.funlockfile(file);
    struct held *held = stdio_lock_find(file);
    if (held && held->owner == hub->current && --held->depth == 0)
        pass_on(held);
}

bool bine_stdio_locked_by_me(struct bine_hub *hub, FILE *file)
{
    struct held *held = stdio_lock_find(file);
    return held && held->owner == hub->current;
}

int bine_stdio_lend(struct bine_hub *hub, FILE *file)
{
    int error = own(hub, file, false);
    if (error) {
        errno = error;
        return -1;
    }
    /* Our own depth counts one more than libc's lock does. */
    int times = (int)stdio_lock_find(file)->depth - 1;
    for (int i = 0; i < times; i++)
        bine_libc.funlockfile(file);
    return times;
}

void bine_stdio_take_back(struct bine_hub *hub, FILE *file, int times)
{
    int saved = errno;
    for (int i = 0; i < times; i++)
        if (i == 0)
            keep_threads_out(hub, file, true);
        else
            lock_again(file);
    struct held *held = stdio_lock_find(file);
    if (--held->depth == 0)
        pass_on(held);
    errno = saved;
}

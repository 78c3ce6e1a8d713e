/*
 * The loop of every call that takes what is there, as recv, read and accept do. It tries without
 * blocking, and if there is nothing it waits, or lets the poller make the call. It is inlined into
 * each of these calls with its class, so that the functions of the class are called directly.
 */
#ifndef BINE_IO_WAIT_TAKE_H
#define BINE_IO_WAIT_TAKE_H

#include "wait.h"

enum {
    /* After more refusals the poller is not asked to make this call again. */
    BINE_TAKE_REFUSALS = 2
};

/* In what the calls differ. `call` is the caller's own record of its arguments. */
struct bine_take_class {
    /* Makes one try that does not block. Returns the result, or -1 with errno: EAGAIN if there is
     * nothing. */
    ssize_t (*attempt)(struct bine_wait *wait, void *call);
    /* Called after such an EAGAIN. Does the call end all the same, with *result? NULL: never. */
    bool (*over)(struct bine_wait *wait, void *call, ssize_t *result);
    /* Called when there was nothing. Notes what that tells of the next try. */
    void (*dry)(struct bine_wait *wait, void *call);
    /* May the poller make this call? */
    bool (*poller_can)(struct bine_wait *wait, void *call);
    /* Has the poller make the call. Returns as bine_wait_result does. */
    int (*by_poller)(struct bine_wait *wait, void *call, ssize_t *result);
    /* Called after a wait for readiness that ended with `error`, or 0. Is the result 0 without
     * another try? NULL: never. */
    bool (*settled)(struct bine_wait *wait, void *call, int error);
    /* Called with the result. `tried`: the first try gave it, without a wait before. */
    void (*took)(struct bine_wait *wait, void *call, ssize_t result, bool tried);
    /* Called when the wait ended with this error. Returns what the call returns, with errno. NULL:
     * the call returns -1 with that error. */
    ssize_t (*failed)(struct bine_wait *wait, void *call, int error);
};

/*
 * Makes the call. `wait_first`: a try is most probably in vain, so the first one comes after a
 * wait. errno is kept if the call succeeds. When a time limit of the descriptor has passed the call
 * fails with EAGAIN.
 */
static inline __attribute__((always_inline)) ssize_t bine_take(struct bine_wait *wait,
                                                               const struct bine_take_class *class,
                                                               void *call, bool wait_first)
{
    bool ring = false, known = false, tried = true;
    unsigned refusals = 0;
    int saved = errno;
    for (;;) {
        ssize_t result = 0;
        if (!wait_first) {
            result = class->attempt(wait, call);
            if (result >= 0) {
                class->took(wait, call, result, tried);
                errno = saved;
                return result;
            }
            if (errno != EAGAIN)
                return -1;
            if (class->over && class->over(wait, call, &result)) {
                errno = saved;
                return result;
            }
            class->dry(wait, call);
        }
        if (!known) {
            known = true;
            ring = class->poller_can(wait, call);
        }
        int error = bine_wait_allowed(wait, false);
        if (error) {
            /* The descriptor is non-blocking. If the call has not been tried, it must be. */
            if (!wait_first)
                return bine_io_fail(error);
            if (wait->record)
                atomic_store_explicit(&wait->record->read_wait, 0, memory_order_relaxed);
            wait_first = false;
            continue;
        }
        wait_first = tried = false;
        if (ring) {
            error = class->by_poller(wait, call, &result);
            if (!error) {
                class->took(wait, call, result, false);
                errno = saved;
                return result;
            }
            if (error < 0 && ++refusals > BINE_TAKE_REFUSALS)
                ring = false;
        } else {
            error = bine_wait_ready(wait, POLLIN);
            if (class->settled && class->settled(wait, call, error)) {
                errno = saved;
                return 0;
            }
        }
        if (error == ETIME)
            error = EAGAIN;
        if (error > 0)
            return class->failed ? class->failed(wait, call, error) : bine_io_fail(error);
    }
}

#endif

/*
 * The loop of every call that takes what is there, as recv, read and accept do: try without blocking, and if there is nothing wait,
 * or let the poller make the call. It is inlined into each of them with its class, so the functions of the class are called directly.
 */
#ifndef BINE_IO_WAIT_TAKE_H
#define BINE_IO_WAIT_TAKE_H

#include "wait.h"

enum {
    BINE_TAKE_REFUSALS = 2 /* after more of them the poller is not asked to make this call again */
};

/* What the calls differ in. `call` is the caller's own record of its arguments. */
struct bine_take_class {
    /* One try that does not block. The result, or -1 with errno: EAGAIN if there is nothing. */
    ssize_t (*attempt)(struct bine_wait *wait, void *call);
    /* After such an EAGAIN: does the call end all the same, with *result? NULL: never. */
    bool (*over)(struct bine_wait *wait, void *call, ssize_t *result);
    /* There was nothing: what does that tell of the next try? */
    void (*dry)(struct bine_wait *wait, void *call);
    /* May the poller make this call? */
    bool (*poller_can)(struct bine_wait *wait, void *call);
    /* It shall make it. As bine_wait_result. */
    int (*by_poller)(struct bine_wait *wait, void *call, ssize_t *result);
    /* After a wait for readiness that ended with `error`, or 0: is the result 0 without another try? NULL: never. */
    bool (*settled)(struct bine_wait *wait, void *call, int error);
    /* This is the result. `tried`: by the first try, without a wait before. */
    void (*took)(struct bine_wait *wait, void *call, ssize_t result, bool tried);
    /* The wait ended with this error. Returns what the call returns, with errno. NULL: -1, and the error. */
    ssize_t (*failed)(struct bine_wait *wait, void *call, int error);
};

/*
 * Take. `wait_first`: a try is most probably in vain, so wait before the first one. errno is kept if the call succeeds. A time
 * limit of the descriptor that has passed is EAGAIN.
 */
static inline __attribute__((always_inline)) ssize_t
bine_take(struct bine_wait *wait, const struct bine_take_class *class, void *call, bool wait_first)
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
            /* Non-blocking: if it has not been tried, it must be. */
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

/* Waits that Python sees: exceptions thrown into them, timeouts, signals, LoopExit. */
#ifndef BINE_EXT_PARK_H
#define BINE_EXT_PARK_H

#include "carrier/carrier.h"

/*
 * Park with the GIL held (it is released meanwhile). Returns 0 when woken, ETIME when `deadline`
 * (absolute, INT64_MAX: none) passed, EINTR when a signal handler ran, -1 with an exception: thrown
 * into the greenlet, a timeout, a signal handler's, LoopExit. The caller unlinks its waiter in any
 * case but 0.
 */
int bine_py_park(const char *verb, uintptr_t object, int64_t deadline);
/* What bine_py_park returns after a park that failed with `error`. */
int bine_py_park_failed(struct bine_carrier *carrier, int error);

/*
 * Around a blocking call of libbine: what is thrown meanwhile is raised by the caller, not by a
 * signal. `begin` raises what is pending already. `end` looks at why the call failed (errno): it
 * returns 1 if a signal handler ran and the call is to be made again, ETIMEDOUT, -1 with an
 * exception for everything else that a wait can fail with, and 0 for some other errno, the object's
 * own.
 */
int bine_py_wait_begin(void);
int bine_py_wait_end(bool failed);
/* The same begin, and the GIL is released for the call; and the GIL is taken again, before that
 * end. errno stays. */
struct bine_py_outside {
    struct bine_carrier *carrier;
    PyThreadState *state;
};
int bine_py_leave_gil(struct bine_py_outside *outside);
void bine_py_take_gil(struct bine_py_outside *outside);

/* A call that may not wait found nothing. After many of these in a row other greenlets run, so that
 * a loop that only tries does not keep them from what it tries for. Returns ETIME, or -1 with the
 * exception that was thrown at the greenlet. */
int bine_py_refused(void);

#endif

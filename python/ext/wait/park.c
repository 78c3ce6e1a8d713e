/* Waits that Python sees. */
#include "park.h"

#include <errno.h>

#include "base/error.h"
#include "carrier/pending.h"
#include "core/schedule/streak.h"
#include "loop_exit.h"

int bine_py_park(const char *verb, uintptr_t object, int64_t deadline)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    if (__builtin_expect(bine_carrier_pending(carrier), 0))
        return bine_pending_raise();
    struct bine_hub *hub = bine_hub_here();
    carrier->waiting++;
    int error = bine_park(hub, verb, object, deadline, BINE_PARK_SIGNALS);
    carrier->waiting--;
    if (__builtin_expect(error == 0 || error == ETIME, 1)) {
        if (__builtin_expect(bine_carrier_pending(carrier), 0))
            bine_pending_poke(carrier); /* it came too late for this wait */
        return error;
    }
    return bine_py_park_failed(carrier, error);
}

int bine_py_park_failed(struct bine_carrier *carrier, int error)
{
    if (bine_carrier_pending(carrier))
        return bine_pending_raise();
    if (error == EINTR)
        return PyErr_CheckSignals() < 0 ? -1 : EINTR;
    if (error == EDEADLK)
        bine_loop_exit_raise();
    else
        bine_py_error(error);
    return -1;
}

int bine_py_wait_begin(void)
{
    struct bine_carrier *carrier = bine_carrier_current();
    if (!carrier)
        return -1;
    if (__builtin_expect(bine_carrier_pending(carrier), 0) && bine_pending_raise() < 0)
        return -1;
    carrier->waiting++;
    return 0;
}

int bine_py_wait_end(bool failed)
{
    int error = errno;
    struct bine_carrier *carrier = bine_carrier_of(bine_hub_here()->current);
    carrier->waiting--;
    if (__builtin_expect(!failed, 1)) {
        if (__builtin_expect(bine_carrier_pending(carrier), 0))
            bine_pending_poke(carrier); /* it came too late for this wait */
        return 0;
    }
    if (bine_carrier_pending(carrier) && (error == EINTR || error == ECANCELED))
        return bine_pending_raise();
    if (error == EINTR)
        return PyErr_CheckSignals() < 0 ? -1 : 1;
    if (error == EDEADLK)
        bine_loop_exit_raise();
    else if (error == ENOMEM || error == ECANCELED || error == EPERM)
        bine_py_error(error);
    return PyErr_Occurred() ? -1 : error == ETIMEDOUT ? ETIMEDOUT : 0;
}

int bine_py_leave_gil(struct bine_py_outside *outside)
{
    if (bine_py_wait_begin() < 0)
        return -1;
    outside->carrier = bine_carrier_current();
    outside->state = PyEval_SaveThread();
    outside->carrier->without_gil++;
    return 0;
}

void bine_py_take_gil(struct bine_py_outside *outside)
{
    int error = errno;
    PyEval_RestoreThread(outside->state);
    outside->carrier->without_gil--;
    errno = error;
}

int bine_py_refused(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || hub->no_park)
        return ETIME;
    if (bine_py_wait_begin() < 0)
        return -1;
    bine_streak_firmly(hub);
    return bine_py_wait_end(false) < 0 ? -1 : ETIME;
}

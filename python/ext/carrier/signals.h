/* Python's signals, one of which is reserved for delivery.c. */
#ifndef BINE_EXT_SIGNALS_H
#define BINE_EXT_SIGNALS_H

#include "carrier.h"
#include "patch/table/interpreter.h"

int bine_signals_init(PyObject *module);
/* The reserved signal, 0: none. */
int bine_signal_reserved(void);
/* Mark the reserved signal as arrived, and have the current greenlet look at signals. With or
 * without the GIL; async-signal-safe. */
void bine_signal_trip(void);
/* Have the carrier's greenlet (carrier: or NULL), which is the current one, look at signals soon.
 * GIL held, or in a signal handler. */
void bine_signal_mark(const struct bine_carrier *carrier);

/* A greenlet goes on, or begins. From CPython 3.13 on a pending signal is marked in one thread
 * state: if the greenlet that ran when it came has not looked at it, this one does. */
static inline void bine_signal_take_over(const struct bine_hub *hub,
                                         const struct bine_carrier *carrier)
{
#if PY_VERSION_HEX >= 0x030D0000
    if (__builtin_expect(atomic_load_explicit(&bine_identity_sought, memory_order_relaxed), 0) &&
        hub->main_thread)
        bine_signal_mark(carrier);
#else
    (void)hub, (void)carrier;
#endif
}

#endif

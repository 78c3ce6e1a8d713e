/*
 * How Python greenlets run in C greenlets. Carriers are reused: a finished Python greenlet leaves
 * its thread state, wiped, to the next one, with its stack and the 16 KiB that CPython >= 3.11 maps
 * per state for frames (hazard 31).
 */
#ifndef BINE_EXT_CARRY_H
#define BINE_EXT_CARRY_H

#include "carrier.h"

/* The place at which carriers are spawned, as BINE_SITE makes them. */
extern const char bine_carrier_site[];
int bine_carriers_init(PyObject *module);
/* Have a carrier run the greenlet (it takes a reference of its own) as soon as the caller parks, or
 * after `delay` ns. Returns the carrier's C greenlet, borrowed, or NULL with an exception. */
struct bine_greenlet *bine_carrier_start(struct bine_py_greenlet *greenlet, int64_t delay);
/* The same, in a C greenlet with a thread of its own, which is not reused. OSError with ENOTSUP
 * where own threads cannot be had, MemoryError. */
struct bine_greenlet *bine_carrier_start_own(struct bine_py_greenlet *greenlet);
/* A greenlet has ended before it began: the C greenlet that would have run it is not needed. No
 * effect if it is about to run. */
void bine_carrier_cancel(struct bine_greenlet *g);
/* Register what is called, with the GIL, when a hub with carriers ends, before they go. */
void bine_carriers_on_end(void (*ended)(struct bine_hub *hub));

#endif

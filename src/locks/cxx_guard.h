/*
 * Initialisers of C++'s function-local statics (Itanium C++ ABI 3.3.3) for greenlets: what compilers emit before and after them.
 *
 * The C++ runtime's guard stays the truth, and code that is not patched sees it as ever. But the runtime knows threads only: it
 * takes a second greenlet of the thread for a recursion, or blocks the thread until the first is done. A record says that a
 * greenlet runs the initialiser; others park until it has ended, by a return or by an exception. An initialiser that
 * comes to itself again is the runtime's to report: libstdc++ ends the process (recursive_init_error), or waits for ever where there are
 * threads.
 *
 * All may be called on any thread, without a hub too. The runtime's functions are in bine_libc (bine_libc_resolve_cxx).
 */
#ifndef BINE_LOCKS_CXX_GUARD_H
#define BINE_LOCKS_CXX_GUARD_H

#include <stdint.h>

/* 1: the caller has to initialise, and then to call one of the others. 0: it is initialised. Neither a kill nor a timeout ends the
 * wait. May throw what the runtime throws. Switches: maybe. */
int bine_cxx_guard_acquire(uint64_t *guard);
/* The initialiser has returned. */
void bine_cxx_guard_release(uint64_t *guard);
/* It has thrown: the next caller runs it again. */
void bine_cxx_guard_abort(uint64_t *guard);

#endif

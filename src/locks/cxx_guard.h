/*
 * Initialisers of C++'s function-local statics (Itanium C++ ABI 3.3.3) for greenlets: the functions
 * that compilers call before and after them.
 *
 * The C++ runtime's guard stays the truth, and code that is not patched sees it as ever. But the
 * runtime knows only threads. It takes a second greenlet of the thread for a recursion, or blocks
 * the thread until the first is done. So a record notes that a greenlet runs the initialiser. Other
 * greenlets park until it has ended, by a return or by an exception. An initialiser that calls
 * itself is left to the runtime: libstdc++ ends the process (recursive_init_error), or waits for
 * ever where there are threads.
 *
 * All functions may be called on any thread, also without a hub. The runtime's functions are in
 * bine_libc (bine_libc_resolve_cxx).
 */
#ifndef BINE_LOCKS_CXX_GUARD_H
#define BINE_LOCKS_CXX_GUARD_H

#include <stdint.h>

/* Returns 1 if the caller has to initialise, and then to call one of the other two. Returns 0 if it
 * is initialised. Neither a kill nor a timeout ends the wait. May throw what the runtime throws.
 * Switches: maybe. */
int bine_cxx_guard_acquire(uint64_t *guard);
/* The initialiser has returned. */
void bine_cxx_guard_release(uint64_t *guard);
/* The initialiser has thrown. The next caller runs it again. */
void bine_cxx_guard_abort(uint64_t *guard);

#endif

/*
 * Greenlet-local thread-local variables of chosen objects (bine_patch_local_tls): which objects
 * these are, and the destructors of such variables. exchange.h says what is exchanged at a switch,
 * and how.
 */
#ifndef BINE_PATCH_LOCALS_LOCAL_TLS_H
#define BINE_PATCH_LOCALS_LOCAL_TLS_H

#include <stdbool.h>

/* A rule was made. Returns 0, ENOMEM, or ENOTSUP if an object that matches `pattern` cannot be
 * taken on (see bine_patch_local_tls). Calls the loader, so the caller must not hold the engine's
 * lock. */
int bine_local_tls_begin(const char *pattern);

/* Objects were loaded. Takes on those that the rules name, and leaves those that cannot be taken on
 * as they are. One that failed for lack of memory is tried again at the next call. Calls the
 * loader, so the caller must not hold the engine's lock. */
void bine_local_tls_follow(void);

/* Does this address lie in an object that was taken on? Any thread. */
bool bine_local_tls_owns(const void *address);

/* Destroys the current greenlet's variables, as its end would. From now on they are as in a new
 * thread. It is for language runtimes whose greenlets serve several tasks. Destructors may
 * switch. */
void bine_local_tls_renew(void);

/* Runs the destructors of the current greenlet's variables. They run before those of its pthread
 * keys, as at a thread's end. */
void bine_local_tls_destroy(void);

#endif

/*
 * Thread-local variables of chosen objects that are greenlet-local (bine_patch_local_tls): which objects these are, and the destructors of
 * such variables. What is exchanged at a switch, and how, is exchange.h's.
 */
#ifndef BINE_PATCH_LOCALS_LOCAL_TLS_H
#define BINE_PATCH_LOCALS_LOCAL_TLS_H

#include <stdbool.h>

/* A rule was made. 0, ENOMEM, or ENOTSUP if an object that matches `pattern` cannot be taken on (see bine_patch_local_tls). Calls the
 * loader: without the engine's lock. */
int bine_local_tls_begin(const char *pattern);

/* Objects were loaded: take on those that the rules name. Those that cannot be are left as they are, for lack of memory until the next
 * call. Calls the loader: without the engine's lock. */
void bine_local_tls_follow(void);

/* Does this address lie in an object that was taken on? Any thread. */
bool bine_local_tls_owns(const void *address);

/* The current greenlet's variables are destroyed, as if it ended, and are as in a new thread from now on. For language runtimes whose
 * greenlets serve several tasks. Destructors may switch. */
void bine_local_tls_renew(void);

/* Run the destructors of the current greenlet's variables; before those of its pthread keys, as at a thread's end. */
void bine_local_tls_destroy(void);

#endif

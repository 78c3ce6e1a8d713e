/*
 * pthread keys that are greenlet-local, for libraries that keep per-thread state which must not be mixed between
 * greenlets: libcrypto's error queue (hazard 8). Only the calls of chosen objects come here (rules.h); in the root
 * greenlet and on threads without a hub they are libc's.
 */
#ifndef BINE_PATCH_LOCALS_LOCAL_KEYS_H
#define BINE_PATCH_LOCALS_LOCAL_KEYS_H

#include <pthread.h>
#include <stdbool.h>

void *bine_local_key_get(pthread_key_t key);
int bine_local_key_set(pthread_key_t key, const void *value, void *caller);

/* Has the current greenlet, not the root, any local value but this one, which is somebody's own? Values of Bine's keys (bine_setspecific) count,
 * too. */
bool bine_local_values_but(const void *own);

/* libc made, or is about to delete, this key on behalf of a chosen object. */
void bine_local_key_made(pthread_key_t key, void (*destructor)(void *));
void bine_local_key_deleted(pthread_key_t key);

#endif

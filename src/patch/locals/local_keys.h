/*
 * pthread keys that are greenlet-local. They serve libraries whose state for a thread must not be
 * mixed between greenlets, as libcrypto's error queue (hazard 8). Only the calls of chosen objects
 * come here (rules.h). In the root and on threads without a hub the calls are libc's.
 */
#ifndef BINE_PATCH_LOCALS_LOCAL_KEYS_H
#define BINE_PATCH_LOCALS_LOCAL_KEYS_H

#include <pthread.h>
#include <stdbool.h>

void *bine_local_key_get(pthread_key_t key);
int bine_local_key_set(pthread_key_t key, const void *value, void *caller);

/* Has the current greenlet, which is not the root, any local value but `own`, which its caller
 * owns? Values of Bine's keys (bine_setspecific) count, too. */
bool bine_local_values_but(const void *own);

/* libc has made this key, or is about to delete it, for a chosen object. */
void bine_local_key_made(pthread_key_t key, void (*destructor)(void *));
void bine_local_key_deleted(pthread_key_t key);

#endif

/*
 * Locks under ThreadSanitizer. Its interceptors record the greenlet that calls trylock as the
 * lock's owner. A greenlet that takes a lock for another one therefore calls libc's function past
 * the interceptors. The new owner reports the lock when it is woken. In ordinary builds these
 * functions only take the lock.
 */
#ifndef BINE_LOCKS_POSIX_TSAN_H
#define BINE_LOCKS_POSIX_TSAN_H

#include <stdbool.h>

#include "core/hub/sanitizer.h"
#include "libc/libc.h"

#ifdef BINE_TSAN

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

/* Returns libc's own function of this name. */
static inline void *bine_tsan_past(const char *name)
{
    void *libc = bine_libc.dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return bine_libc.dlsym(libc, name);
}

/* Calls the trylock function of this name, and returns its result. */
#define BINE_TAKE_FOR_ANOTHER(name, lock) (((__typeof__(name) *)bine_tsan_past(#name))(lock))

/* The current greenlet reports that it owns the lock. */
static inline void bine_tsan_taken(void *lock, bool reading)
{
    unsigned flags = __tsan_mutex_try_lock | (reading ? __tsan_mutex_read_lock : 0);
    __tsan_mutex_pre_lock(lock, flags);
    __tsan_mutex_post_lock(lock, flags, 0);
}

#else

#define BINE_TAKE_FOR_ANOTHER(name, lock) (bine_libc.name(lock))

static inline void bine_tsan_taken(void *lock, bool reading)
{
    (void)lock;
    (void)reading;
}

#endif

#endif

/*
 * Threads that are greenlets. pthread_create of chosen objects spawns a greenlet, and the calls
 * that take or give a pthread_t answer for it. Its pthread_t is the address of the greenlet, which
 * no thread has, or libc's own if it has a thread of its own.
 *
 * Each function tells by its result whether the thread is such a greenlet. ESRCH means that it is
 * not, and the call is libc's.
 */
#ifndef BINE_PATCH_THREADS_THREAD_GREENLETS_H
#define BINE_PATCH_THREADS_THREAD_GREENLETS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

struct bine_hub;

/* A language runtime may have threads of its own that must stay real ones (a watchdog that looks
 * at a busy program). Is the thread that `caller`, an instruction, is about to start one of them?
 * NULL: there are none. */
extern bool (*bine_thread_stays_real)(const void *caller);

/* May this thread have greenlets for threads? Returns its hub (made if this is the main thread), or
 * NULL. */
struct bine_hub *bine_thread_greenlets_hub(void);

int bine_thread_greenlet_create(struct bine_hub *hub, pthread_t *thread,
                                const pthread_attr_t *attributes, void *(*run)(void *), void *arg);

/* Do threads that are greenlets have threads of their own (src/own)? Set for good. */
extern atomic_bool bine_threads_own;
/* The main thread's hub, once they have. */
extern struct bine_hub *bine_thread_own_hub_of_main;
/* Returns the hub to whose thread a signal for this one goes, or NULL: it is a real thread. Any
 * thread, also in handlers. */
struct bine_hub *bine_thread_own_hub(pthread_t thread);
/* Does what bine_thread_greenlet_create does, for such a thread. *thread is libc's. ENOTSUP: this
 * hub cannot have them. */
int bine_thread_own_create(struct bine_hub *hub, pthread_t *thread,
                           const pthread_attr_t *attributes, void *(*run)(void *), void *arg);

/* Returns the current greenlet as a pthread_t. In the root and on threads without a hub it returns
 * libc's answer. */
pthread_t bine_thread_greenlet_self(void);

/* Is this the address of a greenlet made by create, or of the current one? Then stores the real
 * thread on which it runs. */
bool bine_thread_greenlet_known(pthread_t thread, pthread_t *real);

/* `until` NULL: the wait has no limit. Any thread. EINVAL: the greenlet is detached, or another one
 * joins it. EDEADLK: it would join itself. */
int bine_thread_greenlet_join(pthread_t thread, void **value, clockid_t clock,
                              const struct timespec *until, bool wait);
int bine_thread_greenlet_detach(pthread_t thread);
/* ESRCH: it is no greenlet, or has been joined. ENOMEM. */
int bine_thread_greenlet_cancel(pthread_t thread);
int bine_thread_greenlet_attributes(pthread_t thread, pthread_attr_t *attributes);
int bine_thread_greenlet_set_name(pthread_t thread, const char *name);
int bine_thread_greenlet_name(pthread_t thread, char *name, size_t size);

#endif

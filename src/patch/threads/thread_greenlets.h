/*
 * Threads that are greenlets: pthread_create of chosen objects spawns one, and the calls that take or give a
 * pthread_t answer for it. Its pthread_t is the address of the greenlet, which no thread has.
 *
 * Each function says by its result whether the thread is one of ours: ESRCH means that it is not, and the call is
 * libc's.
 */
#ifndef BINE_PATCH_THREADS_THREAD_GREENLETS_H
#define BINE_PATCH_THREADS_THREAD_GREENLETS_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct bine_hub;

/* A language runtime may know threads of its own that must stay real ones (a watchdog that looks at a busy
 * program): is the one about to start such a thread? NULL: none. */
extern bool (*bine_thread_stays_real)(void);

/* May this thread have greenlets for threads? Its hub (made if this is the main thread), or NULL. */
struct bine_hub *bine_thread_greenlets_hub(void);

int bine_thread_greenlet_create(struct bine_hub *hub, pthread_t *thread, const pthread_attr_t *attributes,
                                void *(*run)(void *), void *arg);

/* The current greenlet as a pthread_t; libc's answer in the root and on threads without a hub. */
pthread_t bine_thread_greenlet_self(void);

/* Is this the address of a greenlet made by create, or of the current one? Then the real thread that it runs on. */
bool bine_thread_greenlet_known(pthread_t thread, pthread_t *real);

/* `until` NULL: for ever. Any thread. EINVAL: detached, or somebody else joins it; EDEADLK: itself. */
int bine_thread_greenlet_join(pthread_t thread, void **value, clockid_t clock, const struct timespec *until, bool wait);
int bine_thread_greenlet_detach(pthread_t thread);
/* ESRCH: it is no greenlet, or has been joined; ENOMEM. */
int bine_thread_greenlet_cancel(pthread_t thread);
int bine_thread_greenlet_attributes(pthread_t thread, pthread_attr_t *attributes);
int bine_thread_greenlet_set_name(pthread_t thread, const char *name);
int bine_thread_greenlet_name(pthread_t thread, char *name, size_t size);

#endif

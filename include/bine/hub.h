/*
 * Hubs: one per OS thread that uses Bine. Most programs never name one; this is for waking greenlets from
 * other threads and for looking at what the machine gave.
 */
#ifndef BINE_HUB_H
#define BINE_HUB_H

#include "greenlet.h"

BINE_BEGIN

typedef struct bine_hub bine_hub;

/* The calling thread's hub, made if need be. It is valid for ever, but once its thread has ended, and has left
 * no object behind, a thread that begins later may be given it: do not keep it longer than its thread lives.
 * NULL: ENOMEM, EAGAIN. */
BINE_API bine_hub *bine_hub_get(void);

/* True if the calling thread has a hub. Does not make one. Any thread. Switches: no. */
BINE_API bool bine_hub_exists(void);

/* Run function(arg) soon on the hub's thread, between two greenlets; it must not block (spawn from it).
 * Functions posted by one thread run in the order of posting. Any thread. Returns 0, or -1: EINVAL,
 * ENOMEM, ESRCH (the hub's thread has ended). Switches: no. */
BINE_API int bine_post(bine_hub *hub, void (*function)(void *arg), void *arg);

/*
 * bine_spawn_on(hub, run, arg): spawn run(arg) on another hub (or on one's own), and wait until it is spawned, not
 * until it runs. Returns a reference, which any thread may join, kill or detach; or NULL, and run will not be called:
 * EINVAL, ENOMEM, EAGAIN (as bine_spawn, or no hub here), ETIMEDOUT, ECANCELED (the wait was cut short), EDEADLK (in
 * a link or a posted function), ESRCH (the hub's thread has ended). Any thread. Switches: yes, if the hub is not the
 * caller's.
 */
#define bine_spawn_on(hub, run, ...) bine_spawn_on_at((hub), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_on_at(bine_hub *hub, bine_run *run, void *arg, const char *site);

/*
 * Run run(arg) in a greenlet of another hub (or of one's own), wait for its end and store what it returned in
 * *value (may be NULL): for whatever has to be done on the thread to which an object belongs. Returns 0, or -1:
 * the error it failed with (bine_fail); EINVAL; ETIMEDOUT, ECANCELED, and then it was never begun, or was
 * killed and has ended; EDEADLK (in a link or a posted function); ENOMEM; EAGAIN (no hub here); ESRCH (the
 * hub's thread has ended). With timeout 0 it is not called. A run that the kill reached does not count,
 * whatever it returns: *value stays as it was. If the run ended before the kill reached it, the call succeeds.
 * Any thread. Switches: yes.
 */
BINE_API int bine_call(bine_hub *hub, bine_run *run, void *arg, void **value, int64_t timeout);

/* Greenlets of the calling thread that have not ended, the root not counted. 0 without a hub. */
BINE_API size_t bine_hub_greenlets(void);

/* Which poller this thread's hub uses: "uring", "epoll", "sim", or "none" while nothing has waited for a
 * descriptor yet. A constant string. */
BINE_API const char *bine_poller_name(void);

/*
 * From now on hubs whose poller is not open yet are simulated, for tests: the clock jumps to the next timer,
 * ready greenlets run in an order drawn from the seed, and calls are answered late, in pieces or not at all, as
 * the kernel may. The same seed gives the same run of a program that has one thread and is alone with its
 * descriptors. No environment variable does this, so that none can do it to an installed program. Any thread.
 * Switches: no.
 */
BINE_API void bine_simulate(uint64_t seed);

/* "madvise", "mprotect" or "unprobed": how stack guards are made on this machine. */
BINE_API const char *bine_guard_name(void);

/* What an errno value means when a call of Bine failed with it: "The greenlet was killed" for ECANCELED, "Its thread has
 * ended" for ESRCH, where libc would speak of operations and processes; for all others strerror(3)'s words. Valid until
 * the thread's next call of this function. Any thread, with or without a hub. Switches: no. */
BINE_API const char *bine_strerror(int error);

/* "0.1.0" */
BINE_API const char *bine_version(void);

BINE_END

#endif

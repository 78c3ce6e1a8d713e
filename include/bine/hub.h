/*
 * Hubs. Each OS thread that uses Bine has one. Most programs never name a hub. These calls are for
 * waking greenlets from other threads, and for asking what the machine offers.
 */
#ifndef BINE_HUB_H
#define BINE_HUB_H

#include "greenlet.h"

BINE_BEGIN

typedef struct bine_hub bine_hub;

/* Returns the calling thread's hub, and makes it if there is none. The pointer is valid for ever.
 * But once the hub's thread has ended and has left no object behind, a thread that begins later may
 * be given this hub: do not keep the pointer longer than its thread lives. Fails with ENOMEM or
 * EAGAIN. Switches: no. */
BINE_API bine_hub *bine_hub_get(void);

/* Returns true if the calling thread has a hub. It does not make one. Any thread may call it.
 * Switches: no. */
BINE_API bool bine_hub_exists(void);

/* What the calling thread's hub has done so far. */
typedef struct bine_hub_figures {
    uint64_t switches;    /* from one greenlet to the next */
    uint64_t turns;       /* looks at the poller */
    uint64_t own_threads; /* greenlets with a thread of their own that were made */
    /* patched calls of the process that blocked, because they were made where none may wait */
    uint64_t blocking_calls;
} bine_hub_figures;

/* Store the figures of the calling thread's hub, as many as fit into `size` bytes; what the library
 * does not know becomes 0. Returns 0, or -1 with EINVAL (figures is NULL) or ESRCH (the thread has
 * no hub). Switches: no. */
BINE_API int bine_hub_read_figures(bine_hub_figures *figures, size_t size);

/* How often greenlets parked for one reason. */
typedef struct bine_park_count {
    const char *verb; /* "recv fd", "mutex", "sleep" ...; a constant */
    uint64_t parks;
} bine_park_count;

/* Count from now on how often greenlets of the calling thread park, by verb. Without this call
 * nothing is counted, and parks cost nothing for it. Makes the thread's hub if there is none.
 * Returns 0, also if it counts already, or -1 with ENOMEM or EAGAIN. Switches: no. */
BINE_API int bine_hub_count_parks(void);

/* Store what was counted for the calling thread in `counts`, the verb with the most parks first,
 * at most `room` of them. "yield" counts greenlets that let others run and stayed ready. Returns
 * how many verbs there are, which may be more than `room`, or 0 if nothing was counted. `counts`
 * may be NULL if room is 0. Switches: no. */
BINE_API size_t bine_hub_read_park_counts(bine_park_count *counts, size_t room);

/* Have the hub's thread run function(arg) soon, between two greenlets. The function must not block;
 * it may spawn. Functions that one thread posts run in the order of posting. Any thread may call
 * it. Returns 0, or -1 with EINVAL, ENOMEM, or ESRCH (the hub's thread has ended). Switches: no. */
BINE_API int bine_post(bine_hub *hub, void (*function)(void *arg), void *arg);

/* bine_spawn_on(hub, run, arg): spawn run(arg) on another hub, or on the caller's own. The call
 * waits until the greenlet is spawned, not until it runs. Returns a reference, which any thread may
 * join, kill or detach. If the call fails, it returns NULL and run will not be called. It fails
 * with EINVAL, with ENOMEM or EAGAIN (as bine_spawn, or the calling thread has no hub), with
 * ETIMEDOUT or ECANCELED (the wait was cut short), with EDEADLK (in a link or a posted function),
 * or with ESRCH (the hub's thread has ended). Any thread may call it. Switches: yes, if the hub is
 * not the caller's. */
#define bine_spawn_on(hub, run, ...) bine_spawn_on_at((hub), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_on_at(bine_hub *hub, bine_run *run, void *arg,
                                                       const char *site);

/*
 * Run run(arg) in a greenlet of another hub, or of the caller's own, wait until it has ended, and
 * store what it returned in *value (may be NULL). Use it for work that has to be done on the thread
 * to which an object belongs.
 *
 * Returns 0, or -1 with:
 *
 *  - the error that the run failed with (bine_fail)
 *  - EINVAL
 *  - ETIMEDOUT or ECANCELED: the run was never begun, or it was killed and has ended
 *  - EDEADLK: the caller is a link or a posted function
 *  - ENOMEM
 *  - EAGAIN: the calling thread has no hub, and none could be made
 *  - ESRCH: the hub's thread has ended
 *
 * With timeout 0 the run is not called. A run that the kill reached does not count, whatever it
 * returns: *value stays as it was. If the run ended before the kill reached it, the call succeeds.
 * Any thread may call it. Switches: yes.
 */
BINE_API int bine_call(bine_hub *hub, bine_run *run, void *arg, void **value, int64_t timeout);

/* Returns the number of greenlets of the calling thread that have not ended. The root is not
 * counted. Returns 0 without a hub. Switches: no. */
BINE_API size_t bine_hub_greenlets(void);

/* Returns the name of the poller that this thread's hub uses: "uring", "epoll" or "sim". Returns
 * "none" while no greenlet has waited for a descriptor yet. The string is a constant.
 * Switches: no. */
BINE_API const char *bine_poller_name(void);

/* From now on, simulate each hub whose poller is not open yet. This is for tests. The clock jumps
 * to the next timer. Ready greenlets run in an order drawn from the seed. Calls are answered late,
 * in pieces or not at all, as the kernel may do. The same seed gives the same run of a program that
 * has one thread and shares its descriptors with no other process. No environment variable starts
 * the simulator, so that nobody can start it in an installed program. Any thread may call it.
 * Switches: no. */
BINE_API void bine_simulate(uint64_t seed);

/* Returns how this machine makes stack guards: "madvise" or "mprotect", or "unprobed" until the
 * first stack is made. The string is a constant. Switches: no. */
BINE_API const char *bine_guard_name(void);

/* Returns what an errno value means when a call of Bine failed with it. ECANCELED gives "The
 * greenlet was killed" and ESRCH gives "Its thread has ended", where libc would speak of operations
 * and processes. Other values give the words of strerror(3). The text is valid until the thread's
 * next call of this function. Any thread may call it, with or without a hub. Switches: no. */
BINE_API const char *bine_strerror(int error);

/* Returns the version, such as "0.2.0". The string is a constant. Any thread may call it.
 * Switches: no. */
BINE_API const char *bine_version(void);

BINE_END

#endif

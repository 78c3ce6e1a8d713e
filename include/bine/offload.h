/*
 * Offload: run a call that Bine cannot make cooperative (a long computation, a blocking library
 * that patching does not reach) on a real thread. The greenlet that asks for it parks meanwhile.
 *
 * The process has one pool of threads. It starts with none. It grows while calls wait and no thread
 * is free, to at most 64 threads (or BINE_OFFLOAD_THREADS, 1 to 4096, which is read at first use).
 * A thread that has had nothing to do for ten seconds ends. Calls beyond the bound wait in a queue,
 * first come, first served. Look-ups of names (bine/names.h) take at most half of the threads and
 * have a queue of their own.
 */
#ifndef BINE_OFFLOAD_H
#define BINE_OFFLOAD_H

#include "base.h"

BINE_BEGIN

/*
 * Call function(arg) on a thread of the pool, wait for its end, and store its result in *value (may
 * be NULL).
 *
 * The function runs with signals blocked, except those that report a fault. Its stack has libc's
 * default size for threads (1 MiB at least). Its thread has no hub: inside the function every
 * patched call is libc's own and blocks that thread only. The function may use neither the
 * greenlet-local storage of the caller nor objects that belong to the caller's thread. It starts
 * with the caller's errno, and the errno that it leaves becomes the caller's, whatever the result.
 *
 * Cancelling: arg usually points to the caller's stack, so nothing cuts the wait short once the
 * function has begun. A kill or timeout that strikes meanwhile shows at the caller's next wait.
 * While the call is still queued it can be cancelled, and then the function is never called.
 *
 * If no thread can be made, the function runs at once on the calling thread. It also does so if the
 * calling thread has no hub or is confined (bine_offload_confine), and where parking is not allowed
 * (links, posted functions).
 *
 * Returns 0, or -1 with EINVAL (function is NULL), ECANCELED or ETIMEDOUT. Any thread may call it.
 * Switches: yes.
 */
BINE_API int bine_offload(void *(*function)(void *), void *arg, void **value);

/*
 * Say that the calling thread is confined: it may do or see less than the threads of the pool
 * (Landlock, seccomp, file system ids, capabilities, namespaces), or more. From now on the pool
 * makes neither calls with paths and names in its place, nor functions of bine_offload. The thread
 * makes them itself, and blocks while they wait.
 *
 * Where libc has a function for it (setfsuid, setfsgid, capset, unshare, setns, prctl), the patched
 * call does this by itself. This call is for a program that confines itself in another way. A
 * thread that first uses Bine after another thread was confined counts as confined, since it may be
 * a child of that thread. Any thread may call it. Switches: no.
 */
BINE_API void bine_offload_confine(void);

/*
 * Give the pool the rights of the calling thread. This is for a program that has confined itself
 * since it first used Bine, and whose calls are to be cooperative again. Idle threads of the pool
 * end. A thread that is at work ends when its call, and all calls that were queued before, have
 * ended. Later calls run on new threads, which inherit the rights of the calling thread.
 *
 * The calling thread no longer counts as confined. Any other thread that Bine knows counts as
 * confined from now on, since its rights may differ from the pool's. So does a thread that first
 * uses Bine later. But if Bine knows no thread besides the calling one, later threads count as its
 * children, with the same rights.
 *
 * Returns 0, or -1 with ENOMEM. Any thread may call it. Switches: no.
 */
BINE_API int bine_offload_renew(void);

/* Returns how many threads the pool has now, idle ones included. Any thread may call it.
 * Switches: no. */
BINE_API size_t bine_offload_threads(void);

BINE_END

#endif

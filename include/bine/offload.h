/*
 * Offload: run a call that Bine cannot make cooperative (long computation, a blocking library that patching does
 * not reach) on a real thread, while the greenlet that asks steps aside.
 *
 * The threads are one pool for the process: it starts with none, grows while calls wait and no thread is free,
 * to at most 64 (or BINE_OFFLOAD_THREADS, 1 to 4096, read at first use), and a thread with nothing to do for
 * ten seconds ends. Calls beyond the bound wait in a queue, first come, first served. Look-ups of names
 * (bine/names.h) take at most half of the threads and have a queue of their own.
 */
#ifndef BINE_OFFLOAD_H
#define BINE_OFFLOAD_H

#include "base.h"

BINE_BEGIN

/*
 * Call function(arg) on a thread of the pool and wait for its end. Its result is stored in *value (value may be NULL).
 *
 * The function runs with signals blocked (those that report a fault aside), on a stack of libc's default size
 * for threads (1 MiB at least), on a thread that has no hub: inside it every patched call is libc's own and
 * blocks that thread only. It may not use the greenlet-local storage of the caller, nor objects that belong to
 * the caller's thread. The errno it leaves becomes the caller's (it starts with the caller's), whatever the
 * result.
 *
 * Cancelling: arg usually points to the caller's stack, so once the function has begun nothing cuts the wait short;
 * a kill or timeout that strikes meanwhile shows at the caller's next wait. While the call is still queued it can be
 * cancelled, and then function is never called.
 *
 * If no thread can be made the function runs at once on the calling thread. So it does when that thread has no
 * hub or is confined (bine_offload_confine), or where parking is not allowed (links, posted functions).
 *
 * Returns 0, or -1: EINVAL (function is NULL), ECANCELED, ETIMEDOUT. Any thread. Switches: yes.
 */
BINE_API int bine_offload(void *(*function)(void *), void *arg, void **value);

/*
 * Say that the calling thread is confined: it may do or see less than the threads of the pool (Landlock,
 * seccomp, file system ids, capabilities, namespaces), or more. From now on the pool makes no calls with paths
 * and names in its place, nor functions of bine_offload: the thread makes them itself, and blocks while they
 * wait. Patched calls say so by themselves where libc has a function for it (setfsuid, setfsgid, capset,
 * unshare, setns, prctl); this is for a program that confines itself in another way. A thread that first uses
 * Bine after another one was confined counts as confined, for it may be its child. Any thread. Switches: no.
 */
BINE_API void bine_offload_confine(void);

/*
 * Give the pool the rights of the calling thread: for a program that has confined itself since it first used Bine, and whose calls are to
 * be cooperative again. Idle threads of the pool end. One that is at work ends when its call, and all calls that were queued before, have
 * ended. Later calls run on new threads, which inherit the rights of the calling thread.
 *
 * The calling thread no longer counts as confined. Any other thread that Bine knows counts as confined from now on, since
 * its rights may differ from the pool's. So does a thread that first uses Bine later; but if Bine knows no thread besides the
 * calling one, later threads count as its children, with the same rights.
 *
 * Returns 0, or -1: ENOMEM. Any thread. Switches: no.
 */
BINE_API int bine_offload_renew(void);

/* Threads of the pool now, idle ones included. Any thread. Switches: no. */
BINE_API size_t bine_offload_threads(void);

BINE_END

#endif

/*
 * Monkey patching: point the libc calls of every object in the process (the program, its libraries,
 * and those loaded later) at Bine, so that a call that blocks parks its greenlet and other
 * greenlets run.
 *
 * Patched calls behave exactly as libc's. On a thread without a hub, and where a call cannot block,
 * a patched call is libc's call. Patching takes effect whenever it is called, before or after
 * libraries are loaded.
 */
#ifndef BINE_PATCH_H
#define BINE_PATCH_H

#include <stdbool.h>

#include "base.h"

BINE_BEGIN

/* The calls of a family are patched together. */
enum {
    /* recv send accept connect read write close sendfile splice flock, open of a FIFO ... */
    BINE_PATCH_SOCKET = 1 << 0,
    BINE_PATCH_DNS = 1 << 1,    /* getaddrinfo getnameinfo gethostby* */
    BINE_PATCH_TIME = 1 << 2,   /* sleep usleep nanosleep clock_nanosleep sched_yield */
    BINE_PATCH_SELECT = 1 << 3, /* poll select epoll_wait and variants */
    /* open fsync pread copy_file_range stat ...: calls that wait for a disk */
    BINE_PATCH_FILE = 1 << 4,
    BINE_PATCH_STDIO = 1 << 5,   /* fread fgets getline fwrite fflush popen ... */
    BINE_PATCH_PROCESS = 1 << 6, /* waitpid system ... */
    BINE_PATCH_THREAD = 1 << 7,  /* pthread locks, joins, C11 threads, semaphores */
    BINE_PATCH_SIGNAL = 1 << 8,  /* sigwait pause sigaction pthread_sigmask ... */
    BINE_PATCH_ALL = (1 << 9) - 1,
    /* sem_*. They are always patched with thread. Without thread they are patched only in the
     * objects for which bine_patch_only() names this family. */
    BINE_PATCH_SEMAPHORE = 1 << 20,
};

/* Patch the families (or-ed BINE_PATCH_*). Patching a family again is no error. Any thread may call
 * it, but no other thread may be inside dlopen or dlclose of an object that is being patched.
 * Returns 0. Otherwise returns -1 with EINVAL (unknown bits), ENOMEM, EPERM (a page could not be
 * made writable), ENOTSUP (this C library keeps its locks or streams in another way than this
 * release knows; `bine doctor` says which), or EMFILE and the like (of a pipe, by which streams are
 * tried out), and nothing is patched. Switches: no. */
BINE_API int bine_patch(unsigned families);
/* Set every slot of the families back to the function that it held before. Calls that are already
 * inside a hook finish there. Returns and fails as bine_patch. Any thread may call it.
 * Switches: no. */
BINE_API int bine_unpatch(unsigned families);

/* These patch and unpatch all families, or patch the family that their name says. They return and
 * fail as bine_patch. Any thread may call them. Switches: no. */
BINE_API int bine_patch_all(void);
BINE_API int bine_unpatch_all(void);
BINE_API int bine_patch_socket(void);
BINE_API int bine_patch_dns(void);
BINE_API int bine_patch_time(void);
BINE_API int bine_patch_select(void);
BINE_API int bine_patch_file(void);
BINE_API int bine_patch_stdio(void);
BINE_API int bine_patch_process(void);
BINE_API int bine_patch_thread(void);
BINE_API int bine_patch_signal(void);

/* Returns the families that are patched now, or-ed. Any thread may call it. Switches: no. */
BINE_API unsigned bine_patched(void);

/* Choose objects. `object` is a shell pattern that is matched against the file name without its
 * directory ("libpq.so*"; "" is the program itself). The calls of an excluded object stay libc's.
 * Once any include rule exists, only included objects are patched. The rules also hold for objects
 * that are loaded later, and apply at once to objects that are patched already. Any thread may call
 * these. Returns 0, or -1 with EINVAL, ENOMEM, or EPERM (a page could not be made writable).
 * Switches: no. */
BINE_API int bine_patch_exclude(const char *object);
BINE_API int bine_patch_include(const char *object);

/* In the objects that match, patch only these families (those of them that are patched at all).
 * If several rules match one object, the families that all of them allow are patched. Fails as
 * bine_patch_exclude, and with EINVAL also for unknown bits. Any thread may call it.
 * Switches: no. */
BINE_API int bine_patch_only(const char *object, unsigned families);

/*
 * Make the pthread keys (pthread_getspecific, tss_get ...) that the matching objects use
 * greenlet-local instead of thread-local, when any family is patched. Use it for libraries that
 * keep state in such keys that greenlets of one thread would mix up. libcrypto's keys are
 * greenlet-local without this call: otherwise one greenlet would find another's errors in OpenSSL's
 * error queue.
 *
 * Destructors run when the greenlet ends. In the root greenlet and on threads without a hub the
 * keys stay thread-local. Only libc knows the destructors of keys that the library made before
 * patching: the values of such keys are dropped, except OpenSSL's, which are freed. Chooses objects
 * and fails as bine_patch_exclude. Any thread may call it. Switches: no.
 */
BINE_API int bine_patch_local_keys(const char *object);

/*
 * Make the thread-local variables (C's _Thread_local, C++'s thread_local, Rust's thread_local!) of
 * the matching objects greenlet-local. Use it for libraries that remember the thread's stack or
 * task in such a variable, which greenlets of one thread would mix up. A new greenlet finds the
 * values that a new thread finds. The root greenlet keeps the thread's values. The addresses stay
 * the thread's: Bine exchanges the contents at each switch. When a greenlet ends, the destructors
 * (C++, Rust) of the values that it has made run in reverse order, before those of pthread keys.
 *
 * An object whose variables are greenlet-local is never unloaded. All such objects together may
 * have at most 16 KiB of these variables, since a greenlet that waits keeps them on its stack. The
 * variables of the C library, of Bine, of an allocator and of the C++ runtime stay thread-local. A
 * signal handler must not use greenlet-local variables. The rule does not depend on families. It
 * holds for objects loaded later, too; the variables of those that cannot be handled stay as they
 * are.
 *
 * Any thread may call it. On other threads that have a hub it takes effect when these look at their
 * messages. Returns 0, or -1 with:
 *
 *  - EINVAL
 *  - EPERM
 *  - ENOMEM: some thread could not be informed; the same call again informs it
 *  - ENOTSUP: an object that matches has to stay thread-local or is too large, or none of the
 *    loaded objects that match has such a variable; the rule holds for the others
 *
 * Switches: no.
 */
BINE_API int bine_patch_local_tls(const char *object);

/*
 * Make pthread_create (and thrd_create) in the matching objects spawn greenlets of the calling
 * thread instead of threads, when the thread family is patched. In these objects pthread_self names
 * the current greenlet, however it was spawned. Every call that takes a pthread_t understands it:
 * join, detach, exit, cancel, kill (signals the thread that it runs on), names, attributes. The
 * pthread keys of these objects are greenlet-local, as by bine_patch_local_keys.
 *
 * Cancellation acts at the cancellation points of all patched objects, also where the type is
 * asynchronous. Cleanup handlers, C++ destructors and those of keys run, and join gives
 * PTHREAD_CANCELED. Threads that have no hub, other than the main one, still make threads. Chooses
 * objects and fails as bine_patch_exclude. Any thread may call it. Switches: no.
 */
BINE_API int bine_patch_threads_as_greenlets(const char *object);

/*
 * Do what bine_patch_threads_as_greenlets does, and give each of these greenlets a thread of its
 * own (see bine_spawn_options): thread-local variables, errno, keys, pthread_self. Its pthread_t is
 * libc's. So code that was written for threads runs unchanged, on one OS thread. The call holds for
 * the threads of all objects that were chosen by either function. gettid answers with an invented
 * number in the objects that match. From now on a wait that nothing can end lasts for ever, as it
 * does with threads, and is not reported as a deadlock.
 *
 * Only the main thread may call it, and only its threads become greenlets; other threads make real
 * threads. Chooses objects and fails as bine_patch_exclude. It also fails with ENOTSUP where
 * bine_own_thread_refusal returns a reason. Switches: no.
 */
BINE_API int bine_patch_own_threads(const char *object);

/*
 * Let at most `greenlets` greenlets of a thread be inside an object at once. `object` is a pattern
 * that the object's file name matches. 0 lifts the limit. It is for libraries that keep state per
 * thread and do not work if calls are interleaved. Other greenlets that call one of its functions
 * wait for a place, first come, first served. Neither a kill nor a timeout ends that wait, as the
 * call has no way to say that it did not happen. A greenlet that is inside may call in again.
 * Threads without a hub are not limited.
 *
 * The limit holds for calls through slots, and for functions looked up by dlsym from now on. It
 * does not hold for function pointers that were taken before. C++ exceptions must not leave the
 * object. The limit does not depend on families. Any thread may call it. Returns 0, or -1 with
 * EINVAL, ENOMEM (also if the system allows no memory for code), or EPERM. Switches: no.
 */
BINE_API int bine_patch_limit(const char *object, unsigned greenlets);

/* In the matching objects, let neither a kill nor a timeout end waits (of descriptors, sleeps,
 * semaphores, conditions, processes). It is for libraries that end the process at an error that
 * they do not know. The wait continues, as do later waits of the greenlet in the object. The
 * kill or timeout strikes at the greenlet's next wait outside. A call that never returns by
 * itself is never ended: give it a limit of its own. libzmq, nng, nanomsg and libuv are treated
 * so without this call. Chooses objects and fails as bine_patch_exclude. Any thread may call it.
 * Switches: no. */
BINE_API int bine_patch_patient(const char *object);

/* Returns the function that was in place of a patched symbol, for calling around Bine:
 * bine_original("recv"). Fails with EINVAL (symbol is NULL), or with ENOENT if Bine does not patch
 * that name. Switches: no. */
BINE_API void *bine_original(const char *symbol);

BINE_END

#endif

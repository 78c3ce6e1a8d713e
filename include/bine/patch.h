/*
 * Monkey patching: point the libc calls of every object in the process (the program, its libraries, and
 * those loaded later) at Bine, so that code that blocks steps aside for other greenlets instead.
 *
 * Patched calls behave as libc's to the letter; on a thread without a hub, and for what cannot block, they
 * fall straight through. Patching takes effect whenever it is called, in any order with loading libraries.
 */
#ifndef BINE_PATCH_H
#define BINE_PATCH_H

#include <stdbool.h>

#include "base.h"

BINE_BEGIN

/* Families of calls that are patched together. */
enum {
    BINE_PATCH_SOCKET =
        1 << 0,               /* recv send accept connect read write close sendfile splice flock, open of a FIFO ... */
    BINE_PATCH_DNS = 1 << 1,  /* getaddrinfo getnameinfo gethostby* */
    BINE_PATCH_TIME = 1 << 2, /* sleep usleep nanosleep clock_nanosleep sched_yield */
    BINE_PATCH_SELECT = 1 << 3,  /* poll select epoll_wait and variants */
    BINE_PATCH_FILE = 1 << 4,    /* open fsync pread copy_file_range stat ...: what waits for a disk */
    BINE_PATCH_STDIO = 1 << 5,   /* fread fgets getline fwrite fflush popen ... */
    BINE_PATCH_PROCESS = 1 << 6, /* waitpid system ... */
    BINE_PATCH_THREAD = 1 << 7,  /* pthread locks, joins, C11 threads, semaphores */
    BINE_PATCH_SIGNAL = 1 << 8,  /* sigwait pause sigaction pthread_sigmask ... */
    BINE_PATCH_ALL = (1 << 9) - 1,
    /* sem_*: always patched with thread. Patched without it: in the objects alone whose bine_patch_only() names it. */
    BINE_PATCH_SEMAPHORE = 1 << 20,
};

/* Patch the families (or-ed BINE_PATCH_*). Patching what is patched is no error. Any thread, but no other
 * thread may be inside dlopen or dlclose of an object being patched. Returns 0, or -1 with nothing patched:
 * EINVAL (unknown bits), ENOMEM, EPERM (a page could not be made writable). Switches: no. */
BINE_API int bine_patch(unsigned families);
/* Put every slot of the families back to what it held. Calls already inside a hook finish there. */
BINE_API int bine_unpatch(unsigned families);

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

/* The families patched now, or-ed. */
BINE_API unsigned bine_patched(void);

/*
 * Scope by object. `object` is a shell pattern matched against the file name without its directory
 * ("libpq.so*"; "" is the program itself). Exclude: its calls stay libc's. Include: once any include rule
 * exists, only included objects are patched. Rules hold for objects loaded later too, and apply at once to
 * what is patched already. Any thread. -1: EINVAL, ENOMEM, EPERM (a page could not be made writable). Switches: no.
 */
BINE_API int bine_patch_exclude(const char *object);
BINE_API int bine_patch_include(const char *object);

/* In the objects that match, patch only these families (those of them that are patched at all). Several rules for one
 * object: what all of them allow. Errors as above; EINVAL also for unknown bits. */
BINE_API int bine_patch_only(const char *object, unsigned families);

/*
 * Make the pthread keys (pthread_getspecific, tss_get ...) that the matching objects use greenlet-local instead of
 * thread-local, when any family is patched; destructors run when the greenlet ends. In the root greenlet and on
 * threads without a hub they stay what they were. libcrypto's are so without being asked for: else one greenlet would
 * find another's errors in OpenSSL's error queue. For libraries that keep such state and that greenlets of one thread
 * would mix up. Of keys that the library made before patching only libc knows the destructor: their values are dropped
 * (but OpenSSL's are freed). Errors and scope as above.
 */
BINE_API int bine_patch_local_keys(const char *object);

/*
 * Make the thread-local variables (C's _Thread_local, C++'s thread_local, Rust's thread_local!) of the matching
 * objects greenlet-local. For libraries that remember the thread's stack or task in such a variable, and that
 * greenlets of one thread would mix up. A new greenlet finds the values that a new thread finds; the root
 * greenlet keeps the thread's. Addresses stay the thread's: the contents are exchanged at each switch.
 * Destructors (C++, Rust) of what a greenlet has made run when it ends, in reverse order, before those of
 * pthread keys.
 *
 * An object that was taken on is never unloaded. It may have at most 16 KiB of such variables, all objects
 * together: a greenlet that waits keeps them on its stack. The C library's, Bine's, an allocator's and the C++
 * runtime's stay thread-local. A signal handler must not use them. Independent of families. Holds for objects
 * loaded later, too; those that cannot be taken on stay as they are. Any thread; on other threads that have a
 * hub it takes effect when these look at their messages. Returns 0, or -1: EINVAL; EPERM; ENOMEM (some thread
 * could not be told; the same call again tells it); ENOTSUP (an object that matches has to stay thread-local,
 * is too large, or none of those that are loaded has such a variable; the rule holds for the others). Switches:
 * no.
 */
BINE_API int bine_patch_local_tls(const char *object);

/*
 * Make pthread_create (and thrd_create) in the matching objects spawn greenlets of the calling thread instead
 * of threads, when the thread family is patched. In these objects pthread_self answers for the current
 * greenlet, whoever spawned it, and every call that takes a pthread_t understands it: join, detach, exit,
 * cancel, kill (signals the thread that it runs on), names, attributes. The pthread keys of these objects are
 * greenlet-local, as by bine_patch_local_keys. Cancellation acts at the cancellation points of all patched
 * objects, also where the type is asynchronous; cleanup handlers, C++ destructors and those of keys run, and
 * join gives PTHREAD_CANCELED. Threads that have no hub, other than the main one, still make threads. Errors
 * and scope as above.
 */
BINE_API int bine_patch_threads_as_greenlets(const char *object);

/*
 * At most `greenlets` greenlets of a thread inside an object at once (its file name matches the pattern `object`), for
 * libraries that keep state per thread and cannot bear interleaved calls; 0 lifts the limit. Others that call one of
 * its functions wait for their turn, first come, first served; neither kill nor timeout ends that wait, as the call
 * has no way to say that it did not happen. A greenlet that is inside may call in again. Threads without a hub are not
 * limited. The limit holds for calls through slots and for functions looked up by dlsym from now on, not for function
 * pointers that were taken before; C++ exceptions must not leave the object. Independent of families. Any thread. -1:
 * EINVAL, ENOMEM (also: no memory for code allowed), EPERM. Switches: no.
 */
BINE_API int bine_patch_limit(const char *object, unsigned greenlets);

/*
 * In the matching objects a kill or a timeout does not end waits (of descriptors, sleeps, semaphores,
 * conditions, processes), for libraries that end the process at an error that they do not know. The wait goes
 * on, as do later ones of the greenlet in the object; the kill or timeout strikes at its next wait outside. A
 * call that never returns by itself is never ended: give it a limit of its own. libzmq, nng, nanomsg and libuv
 * are so without being asked for. Errors and scope as for bine_patch_exclude.
 */
BINE_API int bine_patch_patient(const char *object);

/* The function that was in place of a patched symbol, for calling around Bine: bine_original("recv").
 * NULL with ENOENT if Bine does not patch that name. */
BINE_API void *bine_original(const char *symbol);

BINE_END

#endif

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
    BINE_PATCH_SOCKET = 1 << 0,  /* recv send accept connect read write close ... */
    BINE_PATCH_DNS = 1 << 1,     /* getaddrinfo getnameinfo gethostby* */
    BINE_PATCH_TIME = 1 << 2,    /* sleep usleep nanosleep clock_nanosleep sched_yield */
    BINE_PATCH_SELECT = 1 << 3,  /* poll select epoll_wait and variants */
    BINE_PATCH_FILE = 1 << 4,    /* open fsync pread sendfile flock ... */
    BINE_PATCH_STDIO = 1 << 5,   /* fread fgets getline fwrite fflush popen ... */
    BINE_PATCH_PROCESS = 1 << 6, /* waitpid system ... */
    BINE_PATCH_THREAD = 1 << 7,  /* pthread locks, joins, C11 threads, semaphores */
    BINE_PATCH_SIGNAL = 1 << 8,  /* sigwait pause sigaction pthread_sigmask ... */
    BINE_PATCH_ALL = (1 << 9) - 1,
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
 * what is patched already. -1: EINVAL, ENOMEM.
 */
BINE_API int bine_patch_exclude(const char *object);
BINE_API int bine_patch_include(const char *object);

/* The function that was in place of a patched symbol, for calling around Bine: bine_original("recv").
 * NULL with ENOENT if Bine does not patch that name. */
BINE_API void *bine_original(const char *symbol);

BINE_END

#endif

/*
 * What tests use of C libraries and kernel headers newer than those that they may be compiled with.
 */
#ifndef BINE_TESTS_NEWER_H
#define BINE_TESTS_NEWER_H

#include <features.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if !__GLIBC_PREREQ(2, 32)
#define strerrorname_np(error) strerror(error)
#endif

#if !__GLIBC_PREREQ(2, 33)
#define mallinfo2 mallinfo
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* Older C libraries leave it to the number, which the hooks serve, too. */
static inline int newer_close_range(unsigned first, unsigned last, int flags)
{
#if __GLIBC_PREREQ(2, 34)
    return close_range(first, last, flags);
#else
    return (int)syscall(SYS_close_range, first, last, flags);
#endif
}

#endif

/*
 * What newer kernels have, for builds with the headers of older ones: numbers of system calls,
 * their flags and structures. The kernel that runs may know all of them or none. It answers ENOSYS
 * or EINVAL to what it does not know. glibc's SYS_ names are those of its own time, so a number may
 * be missing although the kernel's headers have it.
 */
#ifndef BINE_LIBC_KERNEL_H
#define BINE_LIBC_KERNEL_H

#include <linux/futex.h>
#include <linux/types.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* New system calls have one number on all architectures that Bine knows. */
#ifndef SYS_clone3 /* Linux 5.3 */
#define SYS_clone3 435
#endif
#ifndef SYS_close_range /* 5.9 */
#define SYS_close_range 436
#endif
#ifndef SYS_openat2 /* 5.6 */
#define SYS_openat2 437
#endif
#ifndef SYS_process_madvise /* 5.10 */
#define SYS_process_madvise 440
#endif
#ifndef SYS_epoll_pwait2 /* 5.11 */
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_landlock_restrict_self /* 5.13 */
#define SYS_landlock_restrict_self 446
#endif
#ifndef SYS_futex_waitv /* 5.16 */
#define SYS_futex_waitv 449
#endif

#ifndef CLOSE_RANGE_CLOEXEC /* 5.11 */
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef MADV_GUARD_INSTALL /* 6.13 */
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP (-10001)
#endif

#ifndef FUTEX_32 /* came with the structure, in 5.16 */
#define FUTEX_32 2
struct futex_waitv {
    __u64 val;
    __u64 uaddr;
    __u32 flags;
    __u32 reserved;
};
#endif

#endif

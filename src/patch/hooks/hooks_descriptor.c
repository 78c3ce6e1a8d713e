/*
 * Hooks of the calls that make, copy, change and close descriptors. Only close may wait, if it
 * lingers. The hooks call the original and tell src/io, which keeps a record of each descriptor.
 * Threads without a hub keep records too, because a greenlet of another thread may use the
 * descriptors that they make.
 */
#include <bine/file.h>
#include <bine/io.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/resource.h>

#include "core/schedule/schedule.h"
#include "io/descriptor/descriptor.h"
#include "io/wait/close.h"
#include "libc/kernel.h"
#include "patch/table/hook.h"

/* A call that makes descriptors failed: a loop may try until there is room for more. */
static int failing(int result)
{
    if (result < 0)
        bine_hook_counts(BINE_PATCH_DESCRIPTOR);
    return result;
}

/* A call made a descriptor, or failed (fd < 0). On Linux all the flags that ask for non-blocking
 * ones are O_NONBLOCK. */
static int made(int fd, enum bine_descriptor_kind kind, int flags)
{
    _Static_assert(SOCK_NONBLOCK == O_NONBLOCK && EFD_NONBLOCK == O_NONBLOCK &&
                       TFD_NONBLOCK == O_NONBLOCK && SFD_NONBLOCK == O_NONBLOCK &&
                       IN_NONBLOCK == O_NONBLOCK,
                   "flags differ");
    if (fd >= 0 && bine_hook_active(BINE_PATCH_DESCRIPTOR)) {
        bine_descriptor_fresh(fd, kind, (flags & O_NONBLOCK) != 0);
        /* One that accept makes inherits its listener's. */
        if (kind == BINE_FD_SOCKET)
            bine_descriptor_no_options(fd);
    }
    return failing(fd);
}

int hook_socket(int domain, int type, int protocol)
{
    return made(bine_libc.socket(domain, type, protocol), BINE_FD_SOCKET, type);
}

int hook_socketpair(int domain, int type, int protocol, int pair[2])
{
    int result = bine_libc.socketpair(domain, type, protocol, pair);
    if (result == 0) {
        made(pair[0], BINE_FD_SOCKET, type);
        made(pair[1], BINE_FD_SOCKET, type);
    }
    return failing(result);
}

int hook_pipe(int pair[2])
{
    int result = bine_libc.pipe(pair);
    if (result == 0) {
        made(pair[0], BINE_FD_PIPE, 0);
        made(pair[1], BINE_FD_PIPE, 0);
    }
    return failing(result);
}

int hook_pipe2(int pair[2], int flags)
{
    int result = bine_libc.pipe2(pair, flags);
    if (result == 0) {
        made(pair[0], BINE_FD_PIPE, flags);
        made(pair[1], BINE_FD_PIPE, flags);
    }
    return failing(result);
}

int hook_eventfd(unsigned value, int flags)
{
    return made(bine_libc.eventfd(value, flags), BINE_FD_STREAM, flags);
}

int hook_timerfd_create(clockid_t clock, int flags)
{
    return made(bine_libc.timerfd_create(clock, flags), BINE_FD_STREAM, flags);
}

int hook_signalfd(int fd, const sigset_t *mask, int flags)
{
    int result = bine_libc.signalfd(fd, mask, flags);
    return fd == -1 ? made(result, BINE_FD_STREAM, flags) : result;
}

int hook_inotify_init(void)
{
    return made(bine_libc.inotify_init(), BINE_FD_STREAM, 0);
}

int hook_inotify_init1(int flags)
{
    return made(bine_libc.inotify_init1(flags), BINE_FD_STREAM, flags);
}

int hook_epoll_create(int size)
{
    return made(bine_libc.epoll_create(size), BINE_FD_STREAM, 0);
}

int hook_epoll_create1(int flags)
{
    return made(bine_libc.epoll_create1(flags), BINE_FD_STREAM, 0);
}

int hook_memfd_create(const char *name, unsigned flags)
{
    return made(bine_libc.memfd_create(name, flags), BINE_FD_FILE, 0);
}

/* ---- copies --------------------------------------------------------------------------------- */

static int copied(int original, int copy)
{
    if (copy >= 0 && copy != original && bine_hook_active(BINE_PATCH_DESCRIPTOR))
        bine_descriptor_copied(original, copy);
    return failing(copy);
}

int hook_dup(int fd)
{
    return copied(fd, bine_libc.dup(fd));
}

/* `copy` is closed if the call succeeds. Its waiters shall learn that before the number means
 * another file. */
static void replacing(int fd, int copy)
{
    if (fd == copy || copy < 0 || !bine_hook_active(BINE_PATCH_DESCRIPTOR))
        return;
    int saved = errno;
    if (bine_libc.fcntl(fd, F_GETFD) >= 0)
        bine_descriptor_closing(copy);
    errno = saved;
}

int hook_dup2(int fd, int copy)
{
    replacing(fd, copy);
    return copied(fd, bine_libc.dup2(fd, copy));
}

int hook_dup3(int fd, int copy, int flags)
{
    if (!(flags & ~O_CLOEXEC))
        replacing(fd, copy);
    return copied(fd, bine_libc.dup3(fd, copy, flags));
}

/* ---- vfork by its other name ----------------------------------------------------------------- */

/* The child runs in the parent's memory, thread-locals included, until it executes another program,
 * and the parent waits: as after vfork (vfork_*.S) it has no hub and keeps no records. All
 * arguments that clone may have are passed on; those that it was not given are not used. */
int hook_clone(int (*run)(void *arg), void *stack, int flags, void *arg, ...)
{
    va_list arguments;
    va_start(arguments, arg);
    void *parent = va_arg(arguments, void *), *tls = va_arg(arguments, void *),
         *child = va_arg(arguments, void *);
    va_end(arguments);
    bool shares =
        (flags & CLONE_VM) && (flags & CLONE_VFORK) && !(flags & (CLONE_SETTLS | CLONE_THREAD));
    if (!shares)
        return bine_libc.clone(run, stack, flags, arg, parent, tls, child);
    int vforked = bine_vforked;
    struct bine_hub *hub = bine_hub_of_thread;
    bine_vforked = 1;
    bine_hub_of_thread = NULL;
    int pid = bine_libc.clone(run, stack, flags, arg, parent, tls, child);
    bine_hub_of_thread = hub;
    bine_vforked = vforked;
    return pid;
}

/* ---- changes -------------------------------------------------------------------------------- */

/* Every command of fcntl takes one argument or none; passing a word too many does no harm. */
int hook_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    bool lock = command == F_SETLKW || command == F_OFD_SETLKW || command == F_SETLK ||
                command == F_OFD_SETLK;
    if (lock && bine_hook_here(BINE_PATCH_SOCKET_OR_FILE))
        return bine_fcntl_lock(fd, command, argument);
    bine_hook_counts(BINE_PATCH_DESCRIPTOR);
    int result = bine_libc.fcntl(fd, command, argument);
    if (result < 0 || !bine_hook_active(BINE_PATCH_DESCRIPTOR))
        return result;
    if (command == F_SETFL)
        bine_descriptor_set_nonblocking(fd, ((intptr_t)argument & O_NONBLOCK) != 0);
    else if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        copied(fd, result);
    return result;
}

int hook_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    bine_hook_counts(BINE_PATCH_DESCRIPTOR);
    int result = bine_libc.ioctl(fd, request, argument);
    if (result >= 0 && request == FIONBIO && bine_hook_active(BINE_PATCH_DESCRIPTOR))
        bine_descriptor_set_nonblocking(fd, *(int *)argument != 0);
    return result;
}

int hook_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    int result = bine_libc.setsockopt(fd, level, option, value, length);
    if (result == 0 && bine_hook_active(BINE_PATCH_DESCRIPTOR)) {
        bine_descriptor_option_changed(fd, level, option);
        if (level == SOL_SOCKET && option == SO_LINGER)
            bine_descriptor_set_linger(fd, value);
    }
    return result;
}

/* ---- closing -------------------------------------------------------------------------------- */

int hook_close(int fd)
{
    if (!bine_hook_active(BINE_PATCH_DESCRIPTOR))
        return bine_libc.close(fd);
    return bine_close(fd);
}

/* The numbers will name other files. Those above the limit of open files were never ours. */
static void range_gone(unsigned first, unsigned last)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0)
        return;
    if (last > limit.rlim_cur - 1)
        last = (unsigned)(limit.rlim_cur - 1);
    for (unsigned long fd = first; fd <= last; fd++)
        bine_descriptor_closing((int)fd);
}

int hook_close_range(unsigned first, unsigned last, int flags)
{
    if (bine_hook_active(BINE_PATCH_DESCRIPTOR) && first <= last &&
        !((unsigned)flags & CLOSE_RANGE_CLOEXEC))
        range_gone(first, last);
    /* glibc has it from 2.34 on. A program may call it by its number. */
    return bine_libc.close_range ? bine_libc.close_range(first, last, flags)
                                 : (int)bine_libc.syscall(SYS_close_range, first, last, flags);
}

void hook_closefrom(int first)
{
    if (bine_hook_active(BINE_PATCH_DESCRIPTOR))
        range_gone(first < 0 ? 0 : (unsigned)first, ~0u);
    bine_libc.closefrom(first);
}

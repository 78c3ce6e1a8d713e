/* Files of Unix sockets. See unix_file.h. */
#include "unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libc/libc.h"

/* ---- binding --------------------------------------------------------------------------------- */

struct binding {
    int fd, error;
    const struct sockaddr_un *address;
    socklen_t length;
};

static int bind_without_umask(void *arg)
{
    struct binding *binding = arg;
    umask(0);
    binding->error =
        bind(binding->fd, (const struct sockaddr *)binding->address, binding->length) == 0 ? 0
                                                                                           : errno;
    _exit(binding->error);
}

/*
 * bind makes the file with the socket's mode, less the umask. The umask belongs to the process, and
 * a chmod after bind might change another file that has the name by then. So a child with a umask
 * of its own calls bind. It shares the memory, as with vfork, this thread waits for it, and no
 * SIGCHLD is sent. qemu-user makes no child without SIGCHLD (EINVAL), and its children share no
 * memory: there the signal is sent, and the child's status is the result.
 */
static int bind_in_child(struct binding *binding)
{
    char stack[16384] __attribute__((aligned(16)));
    sigset_t all, before;
    sigfillset(&all);
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    binding->error = EAGAIN; /* stays if the child is killed */
    pid_t child = clone(bind_without_umask, stack + sizeof stack, CLONE_VM | CLONE_VFORK, binding);
    if (child < 0 && errno == EINVAL)
        child = clone(bind_without_umask, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
                      binding);
    if (child < 0)
        binding->error = errno;
    int status = 0;
    pid_t ended = child;
    while (child > 0 && (ended = bine_libc.waitpid(child, &status, __WALL)) < 0 && errno == EINTR)
        ;
    if (ended > 0 && WIFEXITED(status)) /* another thread of the program may have waited for it */
        binding->error = WEXITSTATUS(status);
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    return binding->error;
}

int bine_unix_bind(int fd, const struct sockaddr_un *address, socklen_t length, unsigned mode)
{
    if (!mode || address->sun_path[0] == '\0')
        return bind(fd, (const struct sockaddr *)address, length) == 0 ? 0 : errno;
    if (fchmod(fd, mode) != 0)
        return errno;
    return bind_in_child(&(struct binding){.fd = fd, .address = address, .length = length});
}

/* ---- taking away ----------------------------------------------------------------------------- */

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Another server could replace the file between a check and the unlink. So the file is renamed
 * first, then checked, and renamed back if it is another one. */
bool bine_unix_remove(const char *path, const struct stat *file)
{
    static atomic_uint number;
    char aside[sizeof((struct sockaddr_un *)0)->sun_path + 48];
    struct stat status;
    if (lstat(path, &status) != 0 || !same(&status, file))
        return false;
    snprintf(aside, sizeof aside, "%s.%d-%u~", path, (int)getpid(), atomic_fetch_add(&number, 1));
    if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) != 0)
        /* EINVAL: the file system has no RENAME_NOREPLACE */
        return errno == EINVAL && unlink(path) == 0;
    if (lstat(aside, &status) == 0 && same(&status, file))
        return unlink(aside) == 0;
    renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE);
    return false;
}

/* Does nobody listen there? The probe does not block, as a server that lives may be too busy to
 * take another connection. */
static bool refuses(int file, const struct sockaddr_un *address, socklen_t length, int type)
{
    struct sockaddr_un exactly = {.sun_family = AF_UNIX};
    int probe = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    snprintf(exactly.sun_path, sizeof exactly.sun_path, "/proc/self/fd/%d", file);
    int failed = bine_libc.connect(probe, (const struct sockaddr *)&exactly, sizeof exactly);
    if (failed && errno == ENOENT) /* no /proc */
        failed = bine_libc.connect(probe, (const struct sockaddr *)address, length);
    bool refused = failed && errno == ECONNREFUSED;
    bine_libc.close(probe);
    return refused;
}

bool bine_unix_remove_stale(const struct sockaddr_un *address, socklen_t length, int type)
{
    struct stat status;
    if (address->sun_path[0] == '\0')
        return false;
    int file = bine_libc.open(address->sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return false;
    bool gone = fstat(file, &status) == 0 && S_ISSOCK(status.st_mode) &&
                refuses(file, address, length, type) &&
                bine_unix_remove(address->sun_path, &status);
    bine_libc.close(file);
    return gone;
}

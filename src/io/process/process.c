/* How greenlets wait for children, and system(). See bine/process.h. */
#include <bine/io.h>
#include <bine/process.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/descriptor/descriptor.h"
#include "io/offload/offload.h"
#include "io/wait/backoff.h"
#include "io/wait/wait.h"
#include "libc/libc.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* ---- one child ------------------------------------------------------------------------------- */

/* Without a pidfd (Linux before 5.3, or no descriptor left) the call looks at the child again and
 * again. */
static struct bine_backoff process_begin(const struct bine_hub *hub, id_t id)
{
    return bine_backoff_begin(hub, "wait pid", id, 50 * BINE_MS, BINE_PARK_RESTARTS);
}

/* Waits until the child may have ended. Returns 0 or an error number. */
static int await_pid(struct bine_hub *hub, struct bine_backoff *backoff, pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return bine_backoff_pause(hub, backoff);
    bine_descriptor_fresh(fd, BINE_FD_STREAM, 0);
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "wait pidfd");
    int error = bine_wait_ready(&wait, POLLIN);
    bine_close(fd);
    return error == EPERM ? bine_backoff_pause(hub, backoff) : error;
}

static int await_pidfd(struct bine_hub *hub, int fd)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "wait pidfd");
    return bine_wait_ready(&wait, POLLIN);
}

/* ---- any child ------------------------------------------------------------------------------- */

/* A thread waits for some child to change, and leaves it as it is for the caller to reap. */
struct watch {
    struct bine_offload_job job; /* first */
    idtype_t type;
    id_t id;
    int options;
};

static void run_watch(struct bine_offload_job *job)
{
    struct watch *watch = (struct watch *)job;
    siginfo_t info;
    while (bine_libc.waitid(watch->type, watch->id, &info, watch->options) < 0 && errno == EINTR &&
           !atomic_load(&job->interrupted))
        ;
}

static int await_any(struct bine_hub *hub, idtype_t type, id_t id, int options)
{
    struct watch watch = {.job = {.run = run_watch,
                                  .lingers = true,
                                  .any_rights = true,
                                  .interruptible = true,
                                  .park_flags = BINE_PARK_SIGNALS | BINE_PARK_RESTARTS},
                          .type = type,
                          .id = id,
                          .options = (options & ~WNOHANG) | WNOWAIT};
    return bine_offload_firm(hub, &watch.job, "wait", (uintptr_t)id);
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* The same children and changes as wait4's arguments, in waitid's words. */
static int await_change(struct bine_hub *hub, struct bine_backoff *backoff, pid_t pid, int options)
{
    if (bine_backoff_interrupted(hub, backoff))
        return EINTR;
    bool stops = options & (WUNTRACED | WCONTINUED);
    if (pid > 0 && !stops)
        return await_pid(hub, backoff, pid);
    int changes = WEXITED | (options & WUNTRACED ? WSTOPPED : 0) | (options & WCONTINUED) |
                  (options & (__WALL | __WCLONE | __WNOTHREAD));
    if (pid > 0)
        return await_any(hub, P_PID, (id_t)pid, changes);
    if (pid == -1)
        return await_any(hub, P_ALL, 0, changes);
    return await_any(hub, P_PGID, (id_t)(pid == 0 ? getpgrp() : -pid), changes);
}

pid_t bine_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return (pid_t)bine_io_fail(error);
    if (!hub || options & WNOHANG)
        return bine_libc.wait4(pid, status, options, usage);
    for (struct bine_backoff backoff = process_begin(hub, (id_t)pid);;) {
        pid_t found = bine_libc.wait4(pid, status, options | WNOHANG, usage);
        if (found != 0)
            return found;
        error = await_change(hub, &backoff, pid, options);
        /* The child's end and its SIGCHLD come together: as in the kernel the child is looked at
         * first. */
        if (error == EINTR && (found = bine_libc.wait4(pid, status, options | WNOHANG, usage)) != 0)
            return found;
        if (error)
            return (pid_t)bine_io_fail(error);
    }
}

int bine_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    if (!hub || options & WNOHANG)
        return bine_libc.waitid(type, id, info, options);
    siginfo_t own;
    if (!info)
        info = &own;
    bool ends_only = !(options & (WSTOPPED | WCONTINUED));
    for (struct bine_backoff backoff = process_begin(hub, id);;) {
        info->si_pid = 0;
        int result = bine_libc.waitid(type, id, info, options | WNOHANG);
        if (result != 0 || info->si_pid != 0)
            return result;
        error = bine_backoff_interrupted(hub, &backoff)  ? EINTR
                : ends_only && type == P_PID             ? await_pid(hub, &backoff, (pid_t)id)
                : ends_only && type == (idtype_t)P_PIDFD ? await_pidfd(hub, (int)id)
                                                         : await_any(hub, type, id, options);
        if (error == EINTR) {
            result = bine_libc.waitid(type, id, info, options | WNOHANG);
            if (result != 0 || info->si_pid != 0)
                return result;
        }
        if (error)
            return (int)bine_io_fail(error);
    }
}

/* ---- system ---------------------------------------------------------------------------------- */

/* While a shell runs the terminal's interrupts are its affair. Counted, for several may run. */
static pthread_mutex_t shells_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned shells;
static struct sigaction interrupt_before, quit_before;

static void shell_begins(struct sigaction *interrupt, struct sigaction *quit)
{
    bine_libc.pthread_mutex_lock(&shells_lock);
    if (shells++ == 0) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        bine_libc.sigaction(SIGINT, &ignore, &interrupt_before);
        bine_libc.sigaction(SIGQUIT, &ignore, &quit_before);
    }
    *interrupt = interrupt_before;
    *quit = quit_before;
    bine_libc.pthread_mutex_unlock(&shells_lock);
}

static void shell_ends(void)
{
    bine_libc.pthread_mutex_lock(&shells_lock);
    if (--shells == 0) {
        bine_libc.sigaction(SIGINT, &interrupt_before, NULL);
        bine_libc.sigaction(SIGQUIT, &quit_before, NULL);
    }
    bine_libc.pthread_mutex_unlock(&shells_lock);
}

static int spawn_shell(pid_t *pid, const char *command, const struct sigaction *interrupt,
                       const struct sigaction *quit)
{
    posix_spawnattr_t attributes;
    int error = posix_spawnattr_init(&attributes);
    if (error)
        return error;
    sigset_t defaults, mask;
    sigemptyset(&defaults);
    if (interrupt->sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (quit->sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    bine_libc.pthread_sigmask(SIG_SETMASK, NULL, &mask);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    char *const arguments[] = {"sh", "-c", (char *)command, NULL};
    error = posix_spawn(pid, "/bin/sh", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

int bine_system(const char *command)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || !command)
        return bine_libc.system(command);
    int error = bine_cancelled(hub);
    if (error)
        return (int)bine_io_fail(error);
    struct sigaction interrupt, quit;
    shell_begins(&interrupt, &quit);
    pid_t pid;
    int status = -1;
    error = spawn_shell(&pid, command, &interrupt, &quit);
    if (error) {
        status = W_EXITCODE(127, 0); /* as if the shell had said so: system(3) */
        error = 0;
    } else {
        while (bine_wait4(pid, &status, 0, NULL) < 0) {
            error = errno;
            if (error == EINTR)
                continue; /* system waits on */
            if (error != ECHILD) {
                kill(pid, SIGKILL);
                bine_libc.wait4(pid, &status, 0, NULL);
            }
            status = -1;
            break;
        }
    }
    shell_ends();
    if (status == -1)
        errno = error;
    return status;
}

/*
 * The trace on and off, from the program and from the environment, and to a file on a signal or
 * with a watchdog's report.
 */
#include <bine/trace.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/hub/trace.h"
#include "core/schedule/schedule.h"
#include "libc/libc.h"
#include "trace_control.h"
#include "trace_file.h"
#include "trace_json.h"

static void change(bool on)
{
    uint_least32_t wanted = atomic_load(&bine_trace_control.wanted), next;
    do
        next = (wanted + 1) | 1;
    while (
        !atomic_compare_exchange_weak(&bine_trace_control.wanted, &wanted, on ? next : next + 1));
    if (bine_hub_of_thread)
        bine_trace_look(bine_hub_of_thread);
}

int bine_trace_start(size_t events)
{
    if (events > (size_t)1 << 24) {
        errno = EINVAL;
        return -1;
    }
    __atomic_store_n(&bine_trace_control.room, events ? (uint32_t)events : BINE_TRACE_ROOM,
                     __ATOMIC_RELAXED);
    change(true);
    return 0;
}

void bine_trace_stop(void)
{
    change(false);
}

int bine_trace_write(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
    if (!out) {
        int error = errno;
        if (copy >= 0)
            bine_libc.close(copy);
        errno = error;
        return -1;
    }
    int error = bine_trace_write_json(getpid(), (uintptr_t)&bine_trace_control, 0, out);
    if (ferror(out) && !error)
        error = EIO;
    if (bine_libc.fclose(out) != 0 && !error)
        error = errno;
    if (!error)
        return 0;
    errno = error;
    return -1;
}

/* ---- to a file ------------------------------------------------------------------------------- */

static bool asked_for_file;
static char file_name[PATH_MAX]; /* empty: one with the number of the process */
static atomic_uint requests;

bool bine_trace_save(char *name, size_t size)
{
    if (!(atomic_load(&bine_trace_control.wanted) & 1) || !asked_for_file)
        return false;
    /* A forked child has a number of its own. */
    if (file_name[0])
        snprintf(name, size, "%s", file_name);
    else
        snprintf(name, size, "bine-trace-%d.json", (int)getpid());
    int fd = bine_libc.open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool written = fd >= 0 && bine_trace_write(fd) == 0;
    if (fd >= 0)
        bine_libc.close(fd);
    return written;
}

static void trace_handle(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    atomic_fetch_add(&requests, 1);
    bine_libc.syscall(SYS_futex, &requests, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    errno = saved;
}

static __attribute__((noreturn)) void *save_on_request(void *arg)
{
    static char name[PATH_MAX];
    (void)arg;
    bine_hub_runtime_thread();
    for (unsigned seen = 0;; seen++) {
        while (atomic_load(&requests) == seen)
            bine_libc.syscall(SYS_futex, &requests, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, NULL,
                              NULL, 0);
        bine_trace_save(name, sizeof name);
    }
}

static void start_saver(void)
{
    pthread_t thread;
    sigset_t all, before;
    atomic_store(&requests, 0);
    sigfillset(&all);
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    if (bine_libc.pthread_create(&thread, NULL, save_on_request, NULL) == 0) {
        pthread_setname_np(thread, "bine-trace");
        bine_libc.pthread_detach(thread);
        bine_hub_runtime_threads(1);
    }
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void save_in_child(void)
{
    bine_hub_runtime_threads(-1);
    start_saver();
}

static void save_on(int signal_number)
{
    struct sigaction action = {.sa_handler = trace_handle, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    start_saver();
    pthread_atfork(NULL, NULL, save_in_child);
    bine_libc.sigaction(signal_number, &action, NULL);
}

static void obey_environment(void)
{
    const char *on = secure_getenv("BINE_TRACE"), *file = secure_getenv("BINE_TRACE_FILE"),
               *signal_name = secure_getenv("BINE_TRACE_SIGNAL");
    if (!on || strcmp(on, "ring") != 0)
        return;
    asked_for_file = true;
    if (file)
        snprintf(file_name, sizeof file_name, "%s", file);
    if (signal_name && (strcmp(signal_name, "USR1") == 0 || strcmp(signal_name, "USR2") == 0))
        save_on(signal_name[3] == '1' ? SIGUSR1 : SIGUSR2);
    bine_trace_start(0);
}

void bine_trace_meet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bine_libc.pthread_once(&once, obey_environment);
}

/*
 * Deadlock: every greenlet of a hub waits, and nothing in this thread can wake one. If the process
 * has other threads that are not the runtime's own, one of them might wake one (bine_post). So
 * might a signal handler. In both cases the hub waits on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadlock.h"

#include "core/schedule/park.h"
#include "core/schedule/schedule.h"
#include "dump.h"
#include "libc/carrier.h"
#include "libc/libc.h"

/* io_uring's kernel workers are listed among a process's threads, by names that begin with
 * "iou-". */
static bool kernel_worker(const char *task)
{
    char path[64], name[8] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", task);
    int fd = bine_libc.open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* it has just ended */
    ssize_t n = bine_libc.read(fd, name, 4);
    bine_libc.close(fd);
    return n == 4 && memcmp(name, "iou-", 4) == 0;
}

static bool other_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return true; /* cannot know: rather wait than accuse */
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        if (entry->d_name[0] != '.' && !kernel_worker(entry->d_name))
            count++;
    closedir(tasks);
    /* A function that runs on a thread of the runtime may have made a hub there, and wait for the
     * program's threads. */
    return count > bine_hub_runtime_threads_beside();
}

static bool waits_for_handlers(const struct bine_hub *hub)
{
    for (const struct bine_greenlet *g = hub->all; g; g = g->all_next)
        if (g->state == BINE_PARKED && (g->park_flags & BINE_PARK_HANDLERS))
            return true;
    return false;
}

/* A handler of the program's own might post the semaphore that is waited for. Faults do not count:
 * those handlers report. */
static bool handlers_installed(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;
        bool fault = false;
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            fault |= faults[i] == signal;
        if (!fault && bine_libc.sigaction(signal, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
            return true;
    }
    return false;
}

/* Wakes the greenlets that wait for exactly this (alone.h). */
static bool wake_the_last(struct bine_hub *hub)
{
    bool some = false;
    for (struct bine_waiter *waiter = hub->empty.first; waiter; waiter = waiter->next)
        if (waiter->item)
            some |= bine_unpark_error(waiter->greenlet, EDEADLK);
    return some;
}

bool bine_deadlock(struct bine_hub *hub)
{
    if (hub->root->state != BINE_PARKED || other_threads() ||
        (waits_for_handlers(hub) && handlers_installed()))
        return false;
    /* A thread that has ended since the inbox was looked at may have sent something before. */
    if (atomic_load(&hub->inbox.first))
        return false;
    if (wake_the_last(hub))
        return true;
    bine_report_deadlock(hub);
    return bine_unpark_error(hub->root, EDEADLK);
}

/* How jobs of the offload pool are ended: by a signal, before a fork, with their hub. See
 * offload_pool.h. */
#include "offload_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FORK_PATIENCE (200 * BINE_MS) /* what a fork waits for look-ups to end */
enum {
    PATIENCE_MOST = 25 /* times, for those that could run */
};

static struct timespec monotonic_in(int64_t nanoseconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    nanoseconds += at.tv_nsec;
    return (struct timespec){.tv_sec = at.tv_sec + nanoseconds / BINE_SECOND,
                             .tv_nsec = nanoseconds % BINE_SECOND};
}

/* ---- interrupting ---------------------------------------------------------------------------- */

/* With the lock held. A signal that comes just before the system call is lost. The caller that
 * wants the job to end repeats it. */
static void interrupt(struct bine_running *running)
{
    if (running->interruptible && !running->sending && bine_pool.interrupt_signal) {
        atomic_store(&running->job->interrupted, true);
        bine_libc.pthread_kill(running->thread, bine_pool.interrupt_signal);
    }
}

void bine_offload_interrupt(struct bine_offload_job *job)
{
    bine_pool_lock();
    for (struct bine_running *each = bine_pool.running; each; each = each->next)
        if (each->job == job)
            interrupt(each);
    bine_pool_unlock();
}

/* ---- fork and the end of a hub --------------------------------------------------------------- */

/* Does the thread run, wait for a processor or wait for a disk? proc_pid_stat(5). */
static bool at_work(pid_t thread)
{
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    int fd = bine_libc.open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = bine_libc.read(fd, text, sizeof text - 1);
    bine_libc.close(fd);
    text[size > 0 ? size : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end && (strncmp(name_end, ") R", 3) == 0 || strncmp(name_end, ") D", 3) == 0);
}

/* Does another thread run a job that may hold locks of libc's? */
static bool locks_may_be_held(bool only_at_work)
{
    for (const struct bine_running *each = bine_pool.running; each; each = each->next)
        if (each->locks && !pthread_equal(each->thread, bine_libc.pthread_self()) &&
            (!only_at_work || at_work(each->id)))
            return true;
    return false;
}

/* A child would find held what a thread of the pool holds of libc's locks, and its first look-up
 * would wait for ever. So look-ups may end, and none begins. One that takes longer and sleeps
 * waits for its answer, and holds no lock then. One that does not sleep may have had no
 * processor so far. */
static void offload_end_before_fork(void)
{
    int saved = errno;
    struct timespec until = monotonic_in(FORK_PATIENCE);
    bine_pool_lock();
    bine_pool.forks++;
    for (int times = 1; locks_may_be_held(false);) {
        bine_pool.finish_wanted = true;
        if (bine_libc.pthread_cond_timedwait(&bine_pool.finished, &bine_pool.lock, &until) == 0)
            continue;
        if (times++ == PATIENCE_MOST || !locks_may_be_held(true))
            break;
        until = monotonic_in(FORK_PATIENCE);
    }
    errno = saved;
}

/* Idle workers get what was queued meanwhile. */
static void offload_end_after_fork_in_parent(void)
{
    struct bine_offload_job *job;
    bine_pool.forks--;
    for (struct bine_crew *crew = bine_pool.crews; crew; crew = crew->next)
        while (crew->idle && (job = bine_pool_pop_job(crew)))
            bine_pool_hand_over(job);
    bine_pool_add_wanted_thread();
    bine_pool_unlock();
}

/* No thread of the pool lives in the child, except for a thread whose job forked. No greenlet lives
 * there that waited for one: the waiter for that job is in the parent. Conditions of the parent's
 * workers are on stacks that will not be used again. */
static void offload_end_after_fork_in_child(void)
{
    struct bine_running *self = bine_running_here;
    bine_hub_runtime_threads(-bine_pool.counted);
    for (struct bine_crew *crew = bine_pool.crews; crew; crew = crew->next)
        *crew = (struct bine_crew){
            .rights = crew->rights, .retired = crew->retired, .next = crew->next};
    bine_pool = (struct bine_pool){.crew = bine_pool.crew,
                                   .crews = bine_pool.crews,
                                   .bound = bine_pool.bound,
                                   .interrupt_signal = bine_pool.interrupt_signal};
    pthread_mutex_init(&bine_pool.lock, NULL);
    bine_pool_init_condition(&bine_pool.finished);
    if (!self)
        return;
    self->next = self->previous = NULL;
    self->id = (pid_t)bine_libc.syscall(SYS_gettid);
    bine_pool.running = self;
    self->crew->lingering = self->lingers;
    self->crew->naming = self->name;
    self->crew->making = !self->worker; /* a hub's own thread, which found no other: see run_here */
    if (self->worker) {
        self->orphan = true;
        bine_pool_count_threads(self->crew, 1);
    }
}

/* All that the hub has queued; to *orphans what owns its memory. */
static void take_back(struct bine_job_list *list, struct bine_hub *hub,
                      struct bine_offload_job **orphans)
{
    for (struct bine_offload_job *job = list->first, *next; job; job = next) {
        next = job->next;
        if (job->hub == hub)
            bine_job_remove(list, job);
        if (job->hub == hub && job->orphaned) {
            job->next = *orphans;
            *orphans = job;
        }
    }
}

/* A hub ends and its greenlets' stacks go. So no job of it may stay queued, and the jobs that run
 * on such a stack must end. Messages of ended jobs in the inbox were dropped when the inbox was
 * closed. The record of the hub will serve another thread, so no message to it may be under way
 * when this returns. */
static void offload_end_hub_ended(struct bine_hub *hub)
{
    struct bine_offload_job *orphans = NULL;
    bine_pool_lock();
    for (struct bine_crew *crew = bine_pool.crews; crew; crew = crew->next) {
        take_back(&crew->jobs, hub, &orphans);
        take_back(&crew->names, hub, &orphans);
    }
    for (int64_t pause = BINE_MS;; pause *= 2) {
        bool waits = false, again = false;
        for (struct bine_running *each = bine_pool.running; each; each = each->next) {
            if (each->hub != hub)
                continue;
            if (!each->firm && !each->sending) {
                each->orphan = true;
                continue;
            }
            waits = true;
            again |= each->interruptible;
            interrupt(each);
        }
        if (!waits)
            break;
        bine_pool.finish_wanted = true;
        struct timespec until = monotonic_in(again && pause < BINE_SECOND ? pause : BINE_SECOND);
        bine_libc.pthread_cond_timedwait(&bine_pool.finished, &bine_pool.lock, &until);
    }
    bine_pool_unlock();
    while (orphans) {
        struct bine_offload_job *job = orphans;
        orphans = job->next;
        job->orphaned(job);
    }
}

void bine_pool_watch_ends(void)
{
    pthread_atfork(offload_end_before_fork, offload_end_after_fork_in_parent,
                   offload_end_after_fork_in_child);
    bine_hub_on_end(offload_end_hub_ended);
}

/*
 * The offload pool: see offload.h. One lock guards all of it; jobs are taken and finished far less often than a
 * lock of its kind could suffer from.
 * Idle workers form a stack, each with a condition of its own, and a job is handed to the one that went idle last: its
 * cache is warm, and those at the bottom stay idle long enough to end.
 * Locks here are libc's own, not the patched ones: nothing parks while it holds the pool's lock.
 */
#include "offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "../core/libc.h"
#include "confine.h"
#include "job_list.h"

enum {
    THREADS_DEFAULT = 64,
    THREADS_MOST = 4096,        /* whatever lingers */
    NAMES_WAITING = 4096,       /* beyond that look-ups fail */
    LEAST_STACK_SIZE = 1 << 20, /* name service modules are deep; untouched pages cost nothing */
};

/* A job that was given to a thread and has not ended. */
struct running {
    struct bine_offload_job *job;
    struct bine_hub *hub;
    pthread_t thread;
    bool firm, lingers, interruptible, locks, name; /* of the job, which may be gone when its message has been sent */
    bool sending;                                   /* its message is about to be in the hub's inbox */
    bool orphan;                                    /* the hub has ended meanwhile, or is in the parent */
    struct running *next, *previous;
};

struct worker {
    pthread_cond_t wake;
    struct running running; /* job NULL: idle */
    struct worker *below;   /* stack of idle workers */
};

static struct pool {
    pthread_mutex_t lock;
    struct bine_job_list jobs, names; /* queued */
    bool named_last;                  /* the last that was taken from a queue was a name */
    struct worker *idle;
    size_t naming;    /* threads that look up names */
    size_t threads;   /* running, idle, and being made */
    int counted;      /* of these, by bine_hub_runtime_threads */
    size_t lingering; /* of these, at work on jobs that do not count towards the bound */
    size_t finishing; /* of these, done with their job and about to look for the next */
    size_t bound;     /* 0: not read yet */
    struct running *running;
    pthread_cond_t finished; /* a job on a stack ended while its hub's end waits for it */
    bool finish_wanted;
    unsigned forks;       /* under way: no job begins */
    int interrupt_signal; /* 0: none was free */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};

#define FORK_PATIENCE (200 * BINE_MS) /* what a fork waits for look-ups to end */

/* What this thread is at work on. */
static _Thread_local struct running *running_here;

static int64_t idle_limit = 10 * BINE_SECOND;

static void lock_pool(void)
{
    bine_libc.pthread_mutex_lock(&pool.lock);
}

static void unlock_pool(void)
{
    bine_libc.pthread_mutex_unlock(&pool.lock);
}

static struct timespec monotonic_in(int64_t nanoseconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    nanoseconds += at.tv_nsec;
    return (struct timespec){.tv_sec = at.tv_sec + nanoseconds / BINE_SECOND, .tv_nsec = nanoseconds % BINE_SECOND};
}

/* ---- the queue; all with the lock held ------------------------------------------------------- */

/* Names leave half of the threads to everything else: strangers choose which names are looked up, and their own name
 * server may be slow. */
static size_t names_that_may_begin(void)
{
    size_t most = (pool.bound + 1) / 2, room = pool.naming < most ? most - pool.naming : 0;
    return pool.names.count < room ? pool.names.count : room;
}

static bool may_begin(const struct bine_offload_job *job)
{
    return !job->name || pool.naming < (pool.bound + 1) / 2;
}

static struct bine_job_list *list_of(const struct bine_offload_job *job)
{
    return job->name ? &pool.names : &pool.jobs;
}

/* By turns. */
static struct bine_offload_job *pop_job(void)
{
    if (pool.forks)
        return NULL;
    bool name = names_that_may_begin() > 0 && (!pool.jobs.first || !pool.named_last);
    struct bine_offload_job *job = name ? pool.names.first : pool.jobs.first;
    pool.named_last = name;
    if (job)
        bine_job_remove(list_of(job), job);
    return job;
}

/* Waited for by CLOCK_MONOTONIC: whoever sets the clock must not make a wait longer. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* ---- workers --------------------------------------------------------------------------------- */

static struct bine_offload_job *job_of(struct bine_message *message)
{
    return (struct bine_offload_job *)((char *)message - offsetof(struct bine_offload_job, message));
}

static void deliver(struct bine_message *message)
{
    struct bine_offload_job *job = job_of(message);
    job->done(job);
}

/* Its hub ends with the message in the inbox. */
static void dropped(struct bine_message *message)
{
    struct bine_offload_job *job = job_of(message);
    if (job->orphaned)
        job->orphaned(job);
}

/* Is one more thread needed for what is queued, and allowed? Whoever asks one thing after the other needs but one,
 * which has perhaps not yet noticed that it is free. */
static bool wants_thread(void)
{
    return pool.jobs.count + names_that_may_begin() > pool.finishing && pool.threads - pool.lingering < pool.bound &&
           pool.threads < THREADS_MOST;
}

static void add_thread(void);

static void begin_running(struct running *here, struct bine_offload_job *job)
{
    *here = (struct running){.job = job,
                             .hub = job->hub,
                             .thread = here->thread,
                             .firm = job->orphaned == NULL,
                             .lingers = job->lingers,
                             .locks = job->locks,
                             .interruptible = job->interruptible,
                             .name = job->name,
                             .next = pool.running};
    if (here->next)
        here->next->previous = here;
    pool.running = here;
    pool.lingering += here->lingers;
    pool.naming += here->name;
}

/* To the worker that went idle last. */
static void hand_over(struct bine_offload_job *job)
{
    struct worker *worker = pool.idle;
    pool.idle = worker->below;
    begin_running(&worker->running, job);
    bine_libc.pthread_cond_signal(&worker->wake);
}

/* The job has run: tell its hub. With the lock held, which is free in between. */
static void end_running(struct running *here)
{
    struct bine_offload_job *job = here->job;
    pool.lingering -= here->lingers;
    pool.naming -= here->name;
    here->sending = !here->orphan;
    pool.finishing++;
    unlock_pool();
    if (here->orphan) {
        if (!here->firm)
            job->orphaned(job);
    } else {
        /* From the moment the message is sent the job may be gone. It cannot fail for a firm job, whose hub waits. */
        job->message.deliver = deliver;
        job->message.dropped = dropped;
        if (bine_hub_send(here->hub, &job->message) != 0 && !here->firm)
            job->orphaned(job);
    }
    lock_pool();
    pool.finishing--;
    if (here->previous)
        here->previous->next = here->next;
    else
        pool.running = here->next;
    if (here->next)
        here->next->previous = here->previous;
    here->job = NULL;
    if (pool.finish_wanted)
        bine_libc.pthread_cond_broadcast(&pool.finished);
}

/* Run what begin_running has noted. Called and left with the lock held; it is free while the job runs. */
static void run_job(struct running *here)
{
    struct bine_offload_job *job = here->job;
    sigset_t interrupt;
    bool interruptible = here->interruptible && pool.interrupt_signal;
    if (interruptible) {
        sigemptyset(&interrupt);
        sigaddset(&interrupt, pool.interrupt_signal);
    }
    unlock_pool();
    if (interruptible)
        bine_libc.pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    errno = job->error;
    running_here = here;
    job->run(job);
    running_here = NULL;
    job->error = errno;
    if (interruptible)
        bine_libc.pthread_sigmask(SIG_BLOCK, &interrupt, NULL);
    lock_pool();
    end_running(here);
}

/* Wait for a job with the lock held. False: nothing came for so long that the thread should end. */
static bool await_job(struct worker *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = until.tv_sec * BINE_SECOND + until.tv_nsec + idle_limit;
    until = (struct timespec){.tv_sec = at / BINE_SECOND, .tv_nsec = at % BINE_SECOND};

    self->below = pool.idle;
    pool.idle = self;
    int error = 0;
    while (!self->running.job && error != ETIMEDOUT)
        error = bine_libc.pthread_cond_timedwait(&self->wake, &pool.lock, &until);
    if (self->running.job)
        return true;
    struct worker **each = &pool.idle;
    while (*each != self)
        each = &(*each)->below;
    *each = self->below;
    return false;
}

/* The hub's check for deadlocks must not take an idle thread of the pool for one that might wake somebody. */
static void count_threads(int change)
{
    pool.threads += (size_t)change;
    pool.counted += change;
    bine_hub_runtime_threads(change);
}

static void *work(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "bine-offload");
    bine_hub_runtime_thread();
    struct worker self = {.running.thread = bine_libc.pthread_self()};
    init_condition(&self.wake);

    lock_pool();
    for (;;) {
        struct bine_offload_job *job = pop_job();
        if (job) {
            begin_running(&self.running, job);
            if (job->lingers && wants_thread())
                add_thread();
        } else if (!await_job(&self)) {
            break;
        }
        run_job(&self.running);
    }
    count_threads(-1);
    unlock_pool();
    pthread_cond_destroy(&self.wake);
    return NULL;
}

/* Make one thread. Signals are blocked in it, so that handlers run where the program expects them, but for those that
 * report a fault of the thread itself. False: none to be had. */
static bool make_thread(void)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    size_t usual = bine_stacks_thread_size();
    pthread_attr_setstacksize(&attributes, usual > LEAST_STACK_SIZE ? usual : LEAST_STACK_SIZE);
    sigset_t all, before;
    sigfillset(&all);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int error = bine_libc.pthread_create(&thread, &attributes, work, NULL);
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

/* One more, with the lock held, which is free in between. */
static void add_thread(void)
{
    pool.threads++;
    unlock_pool();
    bool made = make_thread();
    lock_pool();
    pool.threads--;
    /* Not before the kernel lists it: the check would take a thread of the program's for it. */
    if (made)
        count_threads(1);
}

/* ---- interrupting ---------------------------------------------------------------------------- */

/* With the lock held. A signal that comes just before the system call is lost: whoever wants the job to end repeats
 * it. */
static void interrupt(struct running *running)
{
    if (running->interruptible && !running->sending && pool.interrupt_signal) {
        atomic_store(&running->job->interrupted, true);
        bine_libc.pthread_kill(running->thread, pool.interrupt_signal);
    }
}

void bine_offload_interrupt(struct bine_offload_job *job)
{
    lock_pool();
    for (struct running *each = pool.running; each; each = each->next)
        if (each->job == job)
            interrupt(each);
    unlock_pool();
}

/* ---- fork and the end of a hub ---------------------------------------------------------------- */

/* Does another thread run a job that may hold locks of libc's? */
static bool locks_may_be_held(void)
{
    for (const struct running *each = pool.running; each; each = each->next)
        if (each->locks && !pthread_equal(each->thread, bine_libc.pthread_self()))
            return true;
    return false;
}

/* A child would find held what a thread of the pool holds of libc's locks, and its first look-up would wait for ever. So look-ups
 * may end, and none begins. One that takes longer waits for its answer, and holds no lock then. */
static void before_fork(void)
{
    struct timespec until = monotonic_in(FORK_PATIENCE);
    lock_pool();
    pool.forks++;
    while (locks_may_be_held()) {
        pool.finish_wanted = true;
        if (bine_libc.pthread_cond_timedwait(&pool.finished, &pool.lock, &until) != 0)
            break;
    }
}

/* Idle workers get what was queued meanwhile. */
static void after_fork_in_parent(void)
{
    struct bine_offload_job *job;
    pool.forks--;
    while (pool.idle && (job = pop_job()))
        hand_over(job);
    if (wants_thread())
        add_thread();
    unlock_pool();
}

/* No thread of the pool lives in the child, nor does any greenlet that waited for one; but for a thread whose job forked, and who waits for
 * that is in the parent. Conditions of the parent's workers are on stacks that nobody will use again. */
static void after_fork_in_child(void)
{
    struct running *self = running_here;
    bine_hub_runtime_threads(-pool.counted);
    pool = (struct pool){.bound = pool.bound, .interrupt_signal = pool.interrupt_signal};
    pthread_mutex_init(&pool.lock, NULL);
    init_condition(&pool.finished);
    if (!self)
        return;
    self->next = self->previous = NULL;
    pool.running = self;
    pool.lingering = self->lingers;
    pool.naming = self->name;
    if (!bine_hub_here()) { /* else it is a hub's own, which found no thread */
        self->orphan = true;
        count_threads(1);
    }
}

/* All that the hub has queued; to *orphans what owns its memory. */
static void take_back(struct bine_job_list *list, struct bine_hub *hub, struct bine_offload_job **orphans)
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

/* A hub ends and its greenlets' stacks go: nothing of it may stay queued, and what already runs on such a stack must
 * end. What has ended and lay in the inbox was dropped when that was closed. The record of the hub will serve another thread,
 * so that no message to it may be under way when this returns. */
static void hub_ended(struct bine_hub *hub)
{
    struct bine_offload_job *orphans = NULL;
    lock_pool();
    take_back(&pool.jobs, hub, &orphans);
    take_back(&pool.names, hub, &orphans);
    for (int64_t pause = BINE_MS;; pause *= 2) {
        bool waits = false, again = false;
        for (struct running *each = pool.running; each; each = each->next) {
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
        pool.finish_wanted = true;
        struct timespec until = monotonic_in(again && pause < BINE_SECOND ? pause : BINE_SECOND);
        bine_libc.pthread_cond_timedwait(&pool.finished, &pool.lock, &until);
    }
    unlock_pool();
    while (orphans) {
        struct bine_offload_job *job = orphans;
        orphans = job->next;
        job->orphaned(job);
    }
}

static void set_up(void)
{
    const char *text = secure_getenv("BINE_OFFLOAD_THREADS");
    char *end = NULL;
    unsigned long wanted = text ? strtoul(text, &end, 10) : 0;
    bool valid = text && *text && *end == '\0' && wanted >= 1 && wanted <= THREADS_MOST;
    pool.bound = valid ? wanted : THREADS_DEFAULT;
    init_condition(&pool.finished);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    bine_hub_on_end(hub_ended);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

struct bine_hub *bine_offload_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    return hub && !hub->no_park && !(hub->current->flags & BINE_G_LOADING) && !bine_confined() ? hub : NULL;
}

static void run_here(struct bine_offload_job *job)
{
    struct running here = {.thread = bine_libc.pthread_self()};
    job->interruptible = false;
    begin_running(&here, job);
    run_job(&here);
}

void bine_offload_submit(struct bine_hub *hub, struct bine_offload_job *job)
{
    int saved = errno;
    job->hub = hub;
    lock_pool();
    if (pool.bound == 0)
        set_up();
    if (bine_confined_files()) {
        run_here(job);
        unlock_pool();
        errno = saved;
        return;
    }
    if (job->interruptible && !pool.interrupt_signal)
        pool.interrupt_signal = bine_offload_choose_signal();
    if (pool.idle && !pool.forks && may_begin(job)) {
        job->queued = false;
        hand_over(job);
        unlock_pool();
        errno = saved;
        return;
    }
    bine_job_push(list_of(job), job);
    if (wants_thread())
        add_thread();
    /* Threads that exist will come to it. Without any, do it here: late is better than never. That includes jobs of
     * others who counted on a thread that could not be made. */
    while (pool.threads == 0 && (job = pop_job()))
        run_here(job);
    unlock_pool();
    errno = saved;
}

bool bine_offload_takes_names(void)
{
    lock_pool();
    size_t waiting = pool.names.count;
    unlock_pool();
    return waiting < NAMES_WAITING;
}

bool bine_offload_withdraw(struct bine_offload_job *job)
{
    lock_pool();
    bool queued = job->queued;
    if (queued)
        bine_job_remove(list_of(job), job);
    unlock_pool();
    return queued;
}

size_t bine_offload_threads(void)
{
    lock_pool();
    size_t threads = pool.threads;
    unlock_pool();
    return threads;
}

size_t bine_offload_queued(void)
{
    lock_pool();
    size_t queued = pool.jobs.count + pool.names.count;
    unlock_pool();
    return queued;
}

void bine_offload_set_idle(int64_t nanoseconds)
{
    lock_pool();
    idle_limit = nanoseconds;
    unlock_pool();
}

/*
 * The offload pool: see offload.h. One lock guards all of it; jobs are taken and finished far less often than a
 * lock of its kind could suffer from.
 *
 * Idle workers form a stack, each with a condition of its own, and a job is handed to the one that went idle last: its
 * cache is warm, and those at the bottom stay idle long enough to end.
 *
 * Locks here are libc's own, not the patched ones: nothing parks while it holds the pool's lock.
 */
#include "offload.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "../core/libc.h"
#include "../core/park.h"
#include "../core/sanitizer.h"

#ifdef BINE_ASAN
void __asan_handle_no_return(void);
#endif

enum {
    THREADS_DEFAULT = 64,
    THREADS_MOST = 4096,  /* whatever lingers */
    STACK_SIZE = 1 << 20, /* name service modules are deep; untouched pages cost nothing */
};

struct worker {
    pthread_cond_t wake;
    struct bine_offload_job *job; /* handed over while idle */
    struct worker *below;         /* stack of idle workers */
};

static struct pool {
    pthread_mutex_t lock;
    struct bine_offload_job *first, *last; /* queued, FIFO */
    struct worker *idle;
    size_t queued;
    size_t threads;   /* running, idle, and being made */
    size_t lingering; /* of these, at work on jobs that do not count towards the bound */
    size_t bound;     /* 0: not read yet */
    struct running *running;
    pthread_cond_t finished; /* a job on a stack ended while its hub's end waits for it */
    bool finish_wanted;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};

/* A job that runs now: on its worker's stack. */
struct running {
    struct bine_offload_job *job;
    struct bine_hub *hub;
    pthread_t thread;
    bool firm, lingers; /* of the job, which may be gone when its message has been sent */
    bool sending;       /* its message is about to be in the hub's inbox */
    bool orphan;        /* the hub has ended meanwhile */
    bool interrupted;   /* this thread was asked to end */
    struct running *next, *previous;
};

static int64_t idle_limit = 10 * BINE_SECOND;

static void lock_pool(void)
{
    bine_libc.pthread_mutex_lock(&pool.lock);
}

static void unlock_pool(void)
{
    bine_libc.pthread_mutex_unlock(&pool.lock);
}

/* ---- the queue; all with the lock held ------------------------------------------------------- */

static void push_job(struct bine_offload_job *job)
{
    job->next = NULL;
    job->queued = true;
    if (pool.last)
        pool.last->next = job;
    else
        pool.first = job;
    pool.last = job;
    pool.queued++;
}

static struct bine_offload_job *pop_job(void)
{
    struct bine_offload_job *job = pool.first;
    if (!job)
        return NULL;
    pool.first = job->next;
    if (!pool.first)
        pool.last = NULL;
    pool.queued--;
    job->queued = false;
    return job;
}

static void remove_job(struct bine_offload_job *job)
{
    struct bine_offload_job *previous = NULL;
    for (struct bine_offload_job *each = pool.first; each != job; each = each->next)
        previous = each;
    if (previous)
        previous->next = job->next;
    else
        pool.first = job->next;
    if (pool.last == job)
        pool.last = previous;
    pool.queued--;
    job->queued = false;
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

/* May one more thread be made? */
static bool room_for_thread(void)
{
    return pool.threads - pool.lingering < pool.bound && pool.threads < THREADS_MOST;
}

static void add_thread(void);

static void begin_running(struct running *here)
{
    here->next = pool.running;
    if (here->next)
        here->next->previous = here;
    pool.running = here;
    if (here->lingers) {
        pool.lingering++;
        if (pool.first && room_for_thread())
            add_thread();
    }
}

/* The job has run (or was interrupted): tell its hub. With the lock held, which is free in between. */
static void end_running(struct running *here)
{
    struct bine_offload_job *job = here->job;
    if (here->lingers)
        pool.lingering--;
    here->sending = !here->orphan;
    unlock_pool();
    if (here->orphan) {
        job->orphaned(job);
    } else {
        /* From the moment the message is sent the job may be gone. It cannot fail for a firm job, whose hub waits. */
        job->message.deliver = deliver;
        if (bine_hub_send(here->hub, &job->message) != 0 && !here->firm)
            job->orphaned(job);
    }
    lock_pool();
    if (here->previous)
        here->previous->next = here->next;
    else
        pool.running = here->next;
    if (here->next)
        here->next->previous = here->previous;
    if (pool.finish_wanted)
        bine_libc.pthread_cond_broadcast(&pool.finished);
}

/* The worker's thread was cancelled inside the job's system call: it ends as interrupted, and the thread with it. */
static void cut_short(void *pointer)
{
    struct running *here = pointer;
#ifdef BINE_ASAN
    __asan_handle_no_return(); /* the frames of the call are gone without having returned */
#endif
    here->job->error = EINTR;
    here->job->interrupted = true;
    lock_pool();
    end_running(here);
    pool.threads--;
    if (pool.first && room_for_thread())
        add_thread();
    unlock_pool();
}

/* Called and left with the lock held; the lock is free while the job runs. False: this thread must end, a request to interrupt
 * the job came too late and cannot be taken back. */
static bool run_job(struct bine_offload_job *job)
{
    struct running here = {
        .job = job, .hub = job->hub, .thread = bine_libc.pthread_self(), .firm = job->orphaned == NULL, .lingers = job->lingers};
    begin_running(&here);
    unlock_pool();

    errno = job->error;
    if (job->interruptible) {
        pthread_cleanup_push(cut_short, &here);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        job->run(job);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        pthread_cleanup_pop(0);
    } else {
        job->run(job);
    }
    job->error = errno;

    lock_pool();
    end_running(&here);
    return !here.interrupted;
}

/* Idle: wait for a job with the lock held. NULL: nothing came for so long that the thread should end. */
static struct bine_offload_job *await_job(struct worker *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = until.tv_sec * BINE_SECOND + until.tv_nsec + idle_limit;
    until = (struct timespec){.tv_sec = at / BINE_SECOND, .tv_nsec = at % BINE_SECOND};

    self->job = NULL;
    self->below = pool.idle;
    pool.idle = self;
    int error = 0;
    while (!self->job && error != ETIMEDOUT)
        error = bine_libc.pthread_cond_timedwait(&self->wake, &pool.lock, &until);
    if (self->job)
        return self->job;
    for (struct worker **each = &pool.idle;; each = &(*each)->below)
        if (*each == self) {
            *each = self->below;
            return NULL;
        }
}

static void *work(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "bine-offload");
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    struct worker self;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self.wake, &attributes);
    pthread_condattr_destroy(&attributes);

    lock_pool();
    for (;;) {
        struct bine_offload_job *job = pop_job();
        if (!job)
            job = await_job(&self);
        if (!job || !run_job(job))
            break;
    }
    pool.threads--;
    if (pool.first && room_for_thread())
        add_thread();
    unlock_pool();
    pthread_cond_destroy(&self.wake);
    return NULL;
}

/* Make one thread, with all signals blocked so that handlers run where the program expects them. False: none to be had. */
static bool make_thread(void)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigset_t all, before;
    sigfillset(&all);
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
    if (!made)
        pool.threads--;
}

/* ---- fork and the end of a hub ---------------------------------------------------------------- */

static void before_fork(void)
{
    lock_pool();
}

static void after_fork_in_parent(void)
{
    unlock_pool();
}

/* No thread of the pool lives in the child, nor does any greenlet that waited for one. Conditions of the parent's workers
 * are on stacks that nobody will use again. */
static void after_fork_in_child(void)
{
    size_t bound = pool.bound;
    pool = (struct pool){.bound = bound};
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.finished, NULL);
}

/* A hub ends and its greenlets' stacks go: nothing of it may stay queued, what already runs on such a stack must end, and what
 * has ended lies in an inbox that nobody empties any more. The record of the hub will serve another thread, so that no message
 * to it may be under way when this returns. */
static void hub_ended(struct bine_hub *hub)
{
    struct bine_offload_job *orphans = NULL;
    lock_pool();
    for (struct bine_offload_job *job = pool.first, *next; job; job = next) {
        next = job->next;
        if (job->hub != hub)
            continue;
        remove_job(job);
        if (job->orphaned) {
            job->next = orphans;
            orphans = job;
        }
    }
    for (bool waits = true; waits;) {
        waits = false;
        for (struct running *each = pool.running; each; each = each->next) {
            if (each->hub != hub)
                continue;
            if (each->firm || each->sending)
                waits = true;
            else
                each->orphan = true;
        }
        if (waits) {
            pool.finish_wanted = true;
            bine_libc.pthread_cond_wait(&pool.finished, &pool.lock);
        }
    }
    unlock_pool();
    for (struct bine_message *message = atomic_load(&hub->inbox.first), *next; message; message = next) {
        next = message->next;
        if (message->deliver != deliver)
            continue;
        struct bine_offload_job *job = job_of(message);
        if (job->orphaned) {
            job->next = orphans;
            orphans = job;
        }
    }
    while (orphans) {
        struct bine_offload_job *job = orphans;
        orphans = job->next;
        job->orphaned(job);
    }
}

static void set_up(void)
{
    const char *text = getenv("BINE_OFFLOAD_THREADS");
    char *end = NULL;
    unsigned long wanted = text ? strtoul(text, &end, 10) : 0;
    bool valid = text && *text && *end == '\0' && wanted >= 1 && wanted <= THREADS_MOST;
    pool.bound = valid ? wanted : THREADS_DEFAULT;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    bine_hub_on_end(hub_ended);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

struct bine_hub *bine_offload_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    return hub && !hub->no_park ? hub : NULL;
}

void bine_offload_submit(struct bine_hub *hub, struct bine_offload_job *job)
{
    int saved = errno;
    job->hub = hub;
    lock_pool();
    if (pool.bound == 0)
        set_up();
    struct worker *worker = pool.idle;
    if (worker) {
        pool.idle = worker->below;
        job->queued = false;
        worker->job = job;
        bine_libc.pthread_cond_signal(&worker->wake);
        unlock_pool();
        errno = saved;
        return;
    }
    push_job(job);
    if (room_for_thread())
        add_thread();
    /* Threads that exist will come to it. Without any, do it here: late is better than never. That includes jobs of
     * others who counted on a thread that could not be made. */
    while (pool.threads == 0 && (job = pop_job())) {
        job->interruptible = false;
        run_job(job);
    }
    unlock_pool();
    errno = saved;
}

void bine_offload_interrupt(struct bine_offload_job *job)
{
    lock_pool();
    for (struct running *each = pool.running; each; each = each->next)
        if (each->job == job && job->interruptible && !each->sending && !each->interrupted) {
            each->interrupted = true;
            bine_libc.pthread_cancel(each->thread);
            break;
        }
    unlock_pool();
}

bool bine_offload_withdraw(struct bine_offload_job *job)
{
    lock_pool();
    bool queued = job->queued;
    if (queued)
        remove_job(job);
    unlock_pool();
    return queued;
}

static void wake_waiter(struct bine_offload_job *job)
{
    struct bine_greenlet *waiter = job->waiter;
    job->waiter = NULL;
    if (waiter)
        bine_unpark(waiter);
    else
        job->orphaned(job);
}

int bine_offload_firm(struct bine_hub *hub, struct bine_offload_job *job, const char *verb, uintptr_t object)
{
    int cancelled = bine_cancelled(hub);
    if (cancelled)
        return cancelled;
    job->done = wake_waiter;
    job->orphaned = NULL;
    job->waiter = hub->current;
    bine_offload_submit(hub, job);
    int error = bine_park(hub, verb, object, INT64_MAX, BINE_PARK_EXTERNAL);
    if (error == 0)
        return 0;
    if (bine_offload_withdraw(job))
        return error;
    /* It runs, or has ended and the message is on its way: stay until it is delivered. */
    while (job->waiter)
        bine_park(hub, verb, object, INT64_MAX, BINE_PARK_EXTERNAL | BINE_PARK_FIRM);
    return 0;
}

int bine_offload_detached(struct bine_hub *hub, struct bine_offload_job *job,
                          void (*discard)(struct bine_offload_job *job), const char *verb, uintptr_t object,
                          int64_t deadline)
{
    job->done = wake_waiter;
    job->orphaned = discard;
    int error = bine_cancelled(hub);
    if (error) {
        discard(job);
        return error;
    }
    job->waiter = hub->current;
    bine_offload_submit(hub, job);
    error = bine_park(hub, verb, object, deadline, BINE_PARK_EXTERNAL);
    if (error == 0)
        return 0;
    if (bine_offload_withdraw(job))
        discard(job);
    else {
        job->waiter = NULL; /* its message finds nobody and discards it */
        bine_offload_interrupt(job);
    }
    return error;
}

struct call {
    struct bine_offload_job job;
    void *(*function)(void *);
    void *arg;
    void *value;
};

static void run_call(struct bine_offload_job *job)
{
    struct call *call = (struct call *)job;
    call->value = call->function(call->arg);
}

int bine_offload(void *(*function)(void *), void *arg, void **value)
{
    if (!function) {
        errno = EINVAL;
        return -1;
    }
    struct call call = {.job = {.run = run_call, .error = errno}, .function = function, .arg = arg};
    struct bine_hub *hub = bine_offload_hub();
    if (hub) {
        int error = bine_offload_firm(hub, &call.job, "offload", (uintptr_t)function);
        if (error) {
            errno = error;
            return -1;
        }
        errno = call.job.error;
    } else {
        call.value = function(arg);
    }
    if (value)
        *value = call.value;
    return 0;
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
    size_t queued = pool.queued;
    unlock_pool();
    return queued;
}

void bine_offload_set_idle(int64_t nanoseconds)
{
    lock_pool();
    idle_limit = nanoseconds;
    unlock_pool();
}

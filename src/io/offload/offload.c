/*
 * The offload pool. See offload.h.
 *
 * Idle workers form a stack, each with a condition of its own. A job is handed to the worker that
 * went idle last: its cache is warm, and the workers at the bottom stay idle long enough to end.
 * Workers form crews by their rights. A worker inherits the rights of the thread that makes it, so
 * that thread must have the crew's.
 */
#include "offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "confine.h"
#include "core/hub/trace.h"
#include "libc/container_of.h"
#include "libc/layout.h"
#include "libc/libc.h"
#include "offload_pool.h"

enum {
    THREADS_DEFAULT = 64,
    NAMES_WAITING = 4096,       /* beyond that look-ups fail */
    LEAST_STACK_SIZE = 1 << 20, /* name service modules are deep; untouched pages cost nothing */
};

/* The rights of a crew that has lost a thread while jobs were queued: a thread that has them makes
 * another. 0: none has. */
static atomic_uint short_of_threads;

/* The threads of the process's first rights. */
static struct bine_crew first = {.rights = 1};
/* Threads that confined threads have made: each has rights of its own, and they act on nothing but
 * descriptors. */
static struct bine_crew outside = {.rights = BINE_CONFINED, .next = &first};

struct bine_pool bine_pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .finished = PTHREAD_COND_INITIALIZER,
                              .crew = &first,
                              .crews = &outside};

BINE_LAYOUT(pool_rows) = {
    BINE_ADDRESS("pool.crews", bine_pool.crews),
    BINE_ADDRESS("pool.running", bine_pool.running),
    BINE_FIELD("running", struct bine_running, next),
    BINE_FIELD("crew", struct bine_crew, next),
    BINE_FIELD_AS("crew", "jobs", struct bine_crew, jobs.count),
    BINE_FIELD_AS("crew", "names", struct bine_crew, names.count),
    BINE_FIELD("crew", struct bine_crew, threads),
};

_Thread_local struct bine_running *bine_running_here;

static int64_t idle_limit = 10 * BINE_SECOND;

/* ---- crews; all functions with the lock held ---- */

static bool may_begin(const struct bine_crew *crew, const struct bine_offload_job *job)
{
    return !job->name || bine_crew_room_for_names(crew, bine_pool.bound) > 0;
}

/* Has the calling thread the crew's rights? Its workers are made by such a thread. */
static bool belongs(const struct bine_crew *crew)
{
    return bine_confine_rights() == crew->rights;
}

/* A retired crew goes with its last thread. */
static void offload_release(struct bine_crew *crew)
{
    if (!crew->retired || crew->threads || crew->making || bine_crew_queued(crew))
        return;
    struct bine_crew **each = &bine_pool.crews;
    while (*each != crew)
        each = &(*each)->next;
    *each = crew->next;
    if (crew != &first)
        free(crew);
}

/* Idle workers of a retired crew look whether they should end. */
static void wake_retired(struct bine_crew *crew)
{
    for (struct bine_worker *each = crew->retired ? crew->idle : NULL; each; each = each->below)
        bine_libc.pthread_cond_signal(&each->wake);
}

/* Waits for it use CLOCK_MONOTONIC: a change of the clock must not make a wait longer. */
void bine_pool_init_condition(pthread_cond_t *condition)
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
    return BINE_CONTAINER_OF(message, struct bine_offload_job, message);
}

static void add_missing_thread(void);

static void offload_deliver(struct bine_message *message)
{
    struct bine_offload_job *job = job_of(message);
    unsigned rights = atomic_load_explicit(&short_of_threads, memory_order_relaxed);
    if (rights && rights == bine_confine_rights())
        add_missing_thread();
    bine_trace_event(job->hub, BINE_TRACE_OFFLOADED, job, NULL);
    job->done(job);
}

/* Its hub ends with the message in the inbox. */
static void offload_dropped(struct bine_message *message)
{
    struct bine_offload_job *job = job_of(message);
    if (job->orphaned)
        job->orphaned(job);
}

static void add_thread(struct bine_crew *crew);

static void begin_running(struct bine_running *here, struct bine_offload_job *job)
{
    *here = (struct bine_running){.job = job,
                                  .hub = job->hub,
                                  .crew = job->crew,
                                  .thread = here->thread,
                                  .id = here->id,
                                  .worker = here->worker,
                                  .firm = job->orphaned == NULL,
                                  .lingers = job->lingers,
                                  .locks = job->locks,
                                  .interruptible = job->interruptible,
                                  .name = job->name,
                                  .next = bine_pool.running};
    if (here->next)
        here->next->previous = here;
    bine_pool.running = here;
    here->crew->lingering += here->lingers;
    here->crew->naming += here->name;
}

/* To the worker that went idle last. */
void bine_pool_hand_over(struct bine_offload_job *job)
{
    struct bine_worker *worker = job->crew->idle;
    job->crew->idle = worker->below;
    begin_running(&worker->running, job);
    bine_libc.pthread_cond_signal(&worker->wake);
}

/* The hub's check for deadlocks must not take an idle thread of the pool for one that might wake a
 * greenlet. */
void bine_pool_count_threads(struct bine_crew *crew, int change)
{
    crew->threads += (size_t)change;
    bine_pool.counted += change;
    bine_hub_runtime_threads(change);
}

/* The job has confined the thread that ran it, which is none of the crew's any more. The hub's
 * thread has the crew's rights. */
static void offload_leave(struct bine_crew *crew)
{
    bine_pool_count_threads(crew, -1);
    if (bine_crew_queued(crew))
        atomic_store(&short_of_threads, crew->rights);
}

/* The job has run: tell its hub. With the lock held, which is free in between. False: its thread
 * has left the crew. */
static bool end_running(struct bine_running *here)
{
    struct bine_offload_job *job = here->job;
    struct bine_crew *crew = here->crew;
    bool leaves = here->worker && !belongs(crew);
    crew->lingering -= here->lingers;
    crew->naming -= here->name;
    here->sending = !here->orphan;
    if (leaves)
        offload_leave(crew);
    crew->finishing += !leaves;
    bine_pool_unlock();
    if (here->orphan) {
        if (!here->firm)
            job->orphaned(job);
    } else {
        /* From the moment the message is sent the job may be gone. It cannot fail for a firm job,
         * whose hub waits. */
        job->message.deliver = offload_deliver;
        job->message.dropped = offload_dropped;
        if (bine_hub_send(here->hub, &job->message) != 0 && !here->firm)
            job->orphaned(job);
    }
    bine_pool_lock();
    crew->finishing -= !leaves;
    if (here->previous)
        here->previous->next = here->next;
    else
        bine_pool.running = here->next;
    if (here->next)
        here->next->previous = here->previous;
    here->job = NULL;
    if (bine_pool.finish_wanted)
        bine_libc.pthread_cond_broadcast(&bine_pool.finished);
    return !leaves;
}

/* Run what begin_running has noted. Called and left with the lock held; it is free while the job
 * runs. False: its thread has left the crew. */
static bool run_job(struct bine_running *here)
{
    struct bine_offload_job *job = here->job;
    sigset_t interrupt;
    bool interruptible = here->interruptible && bine_pool.interrupt_signal;
    if (interruptible) {
        sigemptyset(&interrupt);
        sigaddset(&interrupt, bine_pool.interrupt_signal);
    }
    bine_pool_unlock();
    if (interruptible)
        bine_libc.pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    errno = job->error;
    bine_running_here = here;
    job->run(job);
    bine_running_here = NULL;
    job->error = errno;
    if (interruptible)
        bine_libc.pthread_sigmask(SIG_BLOCK, &interrupt, NULL);
    bine_pool_lock();
    return end_running(here);
}

/* Wait for a job with the lock held. False: the thread should end, since nothing came for so long,
 * or its crew is retired. */
static bool await_job(struct bine_crew *crew, struct bine_worker *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = until.tv_sec * BINE_SECOND + until.tv_nsec + idle_limit;
    until = (struct timespec){.tv_sec = at / BINE_SECOND, .tv_nsec = at % BINE_SECOND};

    self->below = crew->idle;
    crew->idle = self;
    int error = 0;
    while (!self->running.job && error != ETIMEDOUT &&
           !(crew->retired && bine_crew_queued(crew) == 0))
        error = bine_libc.pthread_cond_timedwait(&self->wake, &bine_pool.lock, &until);
    if (self->running.job)
        return true;
    struct bine_worker **each = &crew->idle;
    while (*each != self)
        each = &(*each)->below;
    *each = self->below;
    return false;
}

static void *work(void *arg)
{
    struct bine_crew *crew = arg;
    prctl(PR_SET_NAME, "bine-offload");
    bine_hub_runtime_thread();
    bine_confine_as(crew->rights);
    struct bine_worker self = {.running.thread = bine_libc.pthread_self(),
                               .running.id = (pid_t)bine_libc.syscall(SYS_gettid),
                               .running.worker = true};
    bine_pool_init_condition(&self.wake);

    bine_pool_lock();
    bool stays = true;
    while (stays) {
        struct bine_offload_job *job = bine_pool_pop_job(crew);
        if (job) {
            begin_running(&self.running, job);
            if (job->lingers && bine_pool_wants_thread(crew))
                add_thread(crew);
        } else if (!await_job(crew, &self)) {
            bine_pool_count_threads(crew, -1);
            break;
        }
        stays = run_job(&self.running);
    }
    wake_retired(crew);
    offload_release(crew);
    bine_pool_unlock();
    pthread_cond_destroy(&self.wake);
    return NULL;
}

/* Make one thread. Signals are blocked in it, so that handlers run where the program expects them,
 * but for those that report a fault of the thread itself. False: none to be had. */
static bool make_thread(struct bine_crew *crew)
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
    int error = bine_libc.pthread_create(&thread, &attributes, work, crew);
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

/* One more, with the lock held, which is free in between. */
static void add_thread(struct bine_crew *crew)
{
    crew->making++;
    bine_pool_unlock();
    bool made = make_thread(crew);
    bine_pool_lock();
    crew->making--;
    /* Not before the kernel lists it: the check would take a thread of the program's for it. */
    if (made)
        bine_pool_count_threads(crew, 1);
}

/* Where the calling thread's rights are those of a crew that needs one more. */
void bine_pool_add_wanted_thread(void)
{
    struct bine_crew *crew = bine_pool.crews;
    while (crew && !belongs(crew))
        crew = crew->next;
    if (crew && bine_pool_wants_thread(crew))
        add_thread(crew);
}

static void add_missing_thread(void)
{
    bine_pool_lock();
    atomic_store(&short_of_threads, 0);
    bine_pool_add_wanted_thread();
    bine_pool_unlock();
}

static void offload_set_up(void)
{
    const char *text = secure_getenv("BINE_OFFLOAD_THREADS");
    char *end = NULL;
    unsigned long wanted = text ? strtoul(text, &end, 10) : 0;
    bool valid = text && *text && *end == '\0' && wanted >= 1 && wanted <= BINE_CREW_THREADS_MOST;
    bine_pool.bound = valid ? wanted : THREADS_DEFAULT;
    bine_pool_init_condition(&bine_pool.finished);
    bine_pool_watch_ends();
}

/* ---- jobs ------------------------------------------------------------------------------------ */

struct bine_hub *bine_offload_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    return hub && !hub->no_park && !(hub->current->flags & BINE_G_LOADING) && !bine_confined()
               ? hub
               : NULL;
}

/* On the calling thread, which counts as one that is being made: the crew is not released
 * meanwhile. */
static void run_here(struct bine_offload_job *job)
{
    struct bine_running here = {.thread = bine_libc.pthread_self()};
    job->interruptible = false;
    job->crew->making++;
    begin_running(&here, job);
    run_job(&here);
    here.crew->making--;
}

/* The crew that a job of the calling thread's is for. NULL: none may act for this thread. */
static struct bine_crew *crew_for(const struct bine_offload_job *job)
{
    if (!bine_confined())
        return bine_pool.crew;
    return job->any_rights && !bine_confined_files() ? &outside : NULL;
}

static void submit(struct bine_offload_job *job)
{
    struct bine_crew *crew = crew_for(job);
    job->crew = crew ? crew : &outside;
    if (!crew) {
        run_here(job);
        return;
    }
    if (job->interruptible && !bine_pool.interrupt_signal)
        bine_pool.interrupt_signal = bine_offload_choose_signal();
    if (crew->idle && !bine_pool.forks && may_begin(crew, job)) {
        job->queued = false;
        bine_pool_hand_over(job);
        return;
    }
    bine_job_push(bine_crew_list(crew, job), job);
    if (bine_pool_wants_thread(crew))
        add_thread(crew);
    /* Threads that exist will take it. Without any it is done here, late. That includes jobs of
     * other greenlets that relied on a thread that could not be made. */
    while (crew->threads + crew->making == 0 && (job = bine_pool_pop_job(crew)))
        run_here(job);
    offload_release(crew);
}

void bine_offload_submit(struct bine_hub *hub, struct bine_offload_job *job)
{
    int saved = errno;
    job->hub = hub;
    bine_trace_event(hub, BINE_TRACE_OFFLOAD, job, hub->current);
    bine_pool_lock();
    if (bine_pool.bound == 0)
        offload_set_up();
    submit(job);
    bine_pool_unlock();
    errno = saved;
}

int bine_offload_renew(void)
{
    struct bine_crew *crew = calloc(1, sizeof *crew);
    if (!crew)
        return -1;
    bine_pool_lock();
    struct bine_crew *old = bine_pool.crew;
    crew->rights = bine_confine_renew();
    crew->next = bine_pool.crews;
    bine_pool.crew = bine_pool.crews = crew;
    old->retired = true;
    wake_retired(old);
    offload_release(old);
    bine_pool_unlock();
    return 0;
}

bool bine_offload_takes_names(void)
{
    bine_pool_lock();
    size_t waiting = bine_pool.crew->names.count;
    bine_pool_unlock();
    return waiting < NAMES_WAITING;
}

bool bine_offload_withdraw(struct bine_offload_job *job)
{
    bine_pool_lock();
    bool queued = job->queued;
    if (queued)
        bine_job_remove(bine_crew_list(job->crew, job), job);
    bine_pool_unlock();
    return queued;
}

size_t bine_offload_threads(void)
{
    bine_pool_lock();
    size_t threads = 0;
    for (const struct bine_crew *crew = bine_pool.crews; crew; crew = crew->next)
        threads += crew->threads + crew->making;
    bine_pool_unlock();
    return threads;
}

size_t bine_offload_queued(void)
{
    bine_pool_lock();
    size_t queued = 0;
    for (const struct bine_crew *crew = bine_pool.crews; crew; crew = crew->next)
        queued += bine_crew_queued(crew);
    bine_pool_unlock();
    return queued;
}

void bine_offload_set_idle(int64_t nanoseconds)
{
    bine_pool_lock();
    idle_limit = nanoseconds;
    bine_pool_unlock();
}

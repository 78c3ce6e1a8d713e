/*
 * Threads that are greenlets. See thread_greenlets.h.
 *
 * A record in the parking lot, under the greenlet's address, holds what pthreads know of a thread.
 * A caller that joins waits in the lot, so that greenlets of other hubs and threads without one can
 * join as well. The record keeps the greenlet's memory, and so its pthread_t, until it is joined or
 * detached.
 */
#include "thread_greenlets.h"
#include "patch/table/interpreter.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cancellation.h"
#include "core/hub/hub.h"
#include "core/stack/stack.h"
#include "libc/container_of.h"
#include "libc/libc.h"
#include "locks/parking_lot.h"
#include "locks/posix_clock.h"
#include "own/own.h"
#include "patch/signals/signals.h"

struct thread {
    struct bine_greenlet *greenlet;
    pthread_t handle; /* the greenlet's address; or libc's, if it has a thread of its own */
    bool own;
    struct bine_hub *hub;
    pthread_t real;
    void *(*run)(void *);
    void *arg;
    void *value;
    bool ended, detached, joining;
    struct bine_message release;
    struct bine_thread_state state;
};

/* ---- the record ------------------------------------------------------------------------------ */

static struct thread *thread_of(struct bine_lot_bucket *bucket, pthread_t thread)
{
    struct bine_lot_record *record =
        bine_lot_find(bucket, (const void *)thread, BINE_RECORD_THREAD);
    return record ? record->item : NULL;
}

static void release_here(struct bine_message *message)
{
    struct thread *thread = BINE_CONTAINER_OF(message, struct thread, release);
    bine_detach(thread->greenlet);
    free(thread);
}

static void drop_release(struct bine_message *message)
{
    free(BINE_CONTAINER_OF(message, struct thread, release));
}

/* It belongs to no thread any more. Its bucket is locked, and unlocked here. */
static void pthread_forget(struct bine_lot_bucket *bucket, struct thread *thread)
{
    bine_lot_remove(bucket,
                    bine_lot_find(bucket, (const void *)thread->handle, BINE_RECORD_THREAD));
    bine_lot_unlock(bucket);
    if (thread->hub == bine_hub_here()) {
        release_here(&thread->release);
        return;
    }
    /* References are counted by the hub's thread only. If it has ended, so has its memory. */
    thread->release = (struct bine_message){NULL, release_here, drop_release};
    if (bine_hub_send(thread->hub, &thread->release) != 0)
        free(thread);
}

/* ---- its life -------------------------------------------------------------------------------- */

bool (*bine_thread_stays_real)(const void *caller);
atomic_bool bine_threads_own;
struct bine_hub *bine_thread_own_hub_of_main;
atomic_bool bine_identity_sought;
bool (*bine_identity_is_main)(struct bine_hub *hub);
unsigned long bine_identity_of_main;

struct bine_hub *bine_thread_greenlets_hub(void)
{
    struct bine_hub *hub = bine_hub_here();
    /* It is not known of another thread whether it ever waits for its greenlets, so it makes real
     * threads. For the main thread the program has asked. */
    if (!hub && syscall(SYS_gettid) == getpid())
        hub = bine_hub_get();
    return hub;
}

static void pthread_ended(bine_greenlet *g, void *arg)
{
    struct thread *thread = arg;
    const void *handle = (const void *)thread->handle;
    struct bine_lot_bucket *bucket = bine_lot_lock(handle);
    thread->ended = true;
    /* Abandoned before it began: its hub has ended. */
    thread->value = bine_error(g) == ECANCELED ? PTHREAD_CANCELED : bine_value(g);
    if (thread->detached) {
        pthread_forget(bucket, thread);
        return;
    }
    bine_lot_unlock(bucket);
    bine_lot_wake(handle, SIZE_MAX);
}

static void *run_thread(void *arg)
{
    struct thread *thread = arg;
    void *value = thread->run(thread->arg);
    thread->state.leaving = true;
    bine_uncancel(thread->greenlet);
    return value;
}

/* Enters it into the lot. It has not run. */
static bool enter(struct thread *thread)
{
    struct bine_greenlet *g = thread->greenlet;
    const void *handle = (const void *)thread->handle;
    bine_thread_state_embed(g, &thread->state);
    struct bine_lot_bucket *bucket = bine_lot_lock(handle);
    struct bine_lot_record *record = bine_lot_add(bucket, handle, BINE_RECORD_THREAD);
    if (record)
        record->item = thread;
    bine_lot_unlock(bucket);
    if (record && bine_link(g, pthread_ended, thread) == 0)
        return true;
    if (record) {
        bucket = bine_lot_lock(handle);
        bine_lot_remove(bucket, record);
        bine_lot_unlock(bucket);
    }
    return false;
}

/* Code that runs on threads counts on what threads get: what was asked for, or else libc's default,
 * of which only the pages that are touched exist. */
static size_t stack_size_of(const pthread_attr_t *attributes)
{
    size_t size = 0, usual = bine_stacks_thread_size(), most = (size_t)1 << 30;
    if (!attributes || pthread_attr_getstacksize(attributes, &size) != 0)
        return usual;
    pthread_attr_t standard;
    size_t standard_size = 0;
    if (pthread_attr_init(&standard) == 0) {
        pthread_attr_getstacksize(&standard, &standard_size);
        pthread_attr_destroy(&standard);
    }
    /* the program did not ask for it: BINE_STACK_SIZE may say otherwise */
    if (size == standard_size)
        return usual;
    return size < most ? size : most;
}

int bine_thread_greenlet_create(struct bine_hub *hub, pthread_t *handle,
                                const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    int saved_errno = errno, state = PTHREAD_CREATE_JOINABLE;
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return EAGAIN;
    *thread = (struct thread){.hub = hub, .real = bine_libc.pthread_self(), .run = run, .arg = arg};
    if (attributes)
        pthread_attr_getdetachstate(attributes, &state);
    thread->detached = state == PTHREAD_CREATE_DETACHED;
    bine_spawn_options options = {.stack_size = stack_size_of(attributes)};
    bine_greenlet *g = bine_spawn_with_at(&options, run_thread, thread, BINE_SITE(pthread_create));
    errno = saved_errno;
    if (!g) {
        free(thread);
        return EAGAIN;
    }
    thread->greenlet = g;
    thread->handle = (pthread_t)g;
    if (!enter(thread)) {
        /* Killed now, it never runs. */
        bine_kill(g);
        bine_detach(g);
        free(thread);
        errno = saved_errno;
        return EAGAIN;
    }
    *handle = (pthread_t)g;
    return 0;
}

int bine_thread_own_create(struct bine_hub *hub, pthread_t *handle,
                           const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    int saved_errno = errno, state = PTHREAD_CREATE_JOINABLE;
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return EAGAIN;
    *thread = (struct thread){.hub = hub, .real = hub->thread, .run = run, .arg = arg, .own = true};
    if (attributes)
        pthread_attr_getdetachstate(attributes, &state);
    thread->detached = state == PTHREAD_CREATE_DETACHED;
    int error = bine_own_create(hub, handle, attributes, run_thread, thread,
                                BINE_SITE(pthread_create), &thread->greenlet);
    if (error) {
        free(thread);
        errno = saved_errno;
        return error;
    }
    thread->handle = *handle;
    bine_signal_mask_inherit(hub, thread->greenlet);
    if (!enter(thread)) {
        /* Killed now, it does not run. Its record stays until it has ended. */
        bine_kill(thread->greenlet);
        bine_detach(thread->greenlet);
        if (!thread->detached)
            bine_libc.pthread_detach(*handle);
        thread->greenlet->slots[BINE_SLOT_THREAD] = NULL;
        free(thread);
        error = EAGAIN;
    }
    errno = saved_errno;
    return error;
}

pthread_t bine_thread_greenlet_self(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub)
        return bine_libc.pthread_self();
    if (__builtin_expect(atomic_load_explicit(&bine_identity_sought, memory_order_relaxed), 0) &&
        bine_identity_is_main && bine_identity_is_main(hub))
        return (pthread_t)bine_identity_of_main;
    const struct bine_greenlet *g =
        hub->current->flags & BINE_G_MAIN_IDENTITY ? hub->root : hub->current;
    /* As a thread that forks does, a greenlet that forked keeps its identity, although it is the
     * child's root. */
    if ((g->flags & (BINE_G_ROOT | BINE_G_FORKED)) == BINE_G_ROOT ||
        g->stack_class == BINE_CLASS_OWN)
        return bine_libc.pthread_self();
    return (pthread_t)g;
}

static bool pthread_is_current(pthread_t thread)
{
    struct bine_hub *hub = bine_hub_here();
    return hub &&
           (bine_own_here(hub) ? bine_libc.pthread_self() : (pthread_t)hub->current) == thread;
}

bool bine_thread_greenlet_known(pthread_t handle, pthread_t *real)
{
    struct bine_lot_bucket *bucket = bine_lot_lock((const void *)handle);
    struct thread *thread = thread_of(bucket, handle);
    if (thread)
        *real = thread->real;
    bine_lot_unlock(bucket);
    if (!thread && pthread_is_current(handle)) {
        *real = bine_hub_here()->thread;
        return true;
    }
    return thread != NULL;
}

/* ---- join, detach, cancel -------------------------------------------------------------------- */

/* One wait; the bucket is unlocked meanwhile. */
static int wait_once(struct bine_lot_bucket *bucket, struct thread *thread, int64_t deadline,
                     unsigned flags)
{
    struct bine_lot_waiter waiter;
    bine_lot_waiter_init(&waiter, bine_hub_here(), (const void *)thread->handle);
    bine_lot_enqueue_locked(bucket, &waiter, 0);
    bine_lot_unlock(bucket);
    int error = bine_lot_await(&waiter, "join", deadline, flags);
    bine_lot_lock((const void *)thread->handle);
    return error;
}

static int wait_for_end(struct bine_lot_bucket *bucket, struct thread *thread, clockid_t clock,
                        const struct timespec *until)
{
    struct bine_hub *hub = bine_hub_here();
    int64_t deadline = INT64_MAX;
    int error = 0;
    thread->joining = true;
    if (hub && until)
        error = bine_posix_deadline(hub, clock, until, &deadline);
    if (!error) {
        /* Cancellation ends a join, a kill does not. */
        bool listens = hub && bine_thread_state_of(hub->current, false);
        error = wait_once(bucket, thread, deadline, listens ? 0 : BINE_PARK_FIRM);
        if (listens && error && error != ETIME && !bine_cancellation_due(hub))
            error = thread->ended ? 0 : wait_once(bucket, thread, deadline, BINE_PARK_FIRM);
    }
    thread->joining = false;
    return error == ETIME ? ETIMEDOUT : error;
}

int bine_thread_greenlet_join(pthread_t handle, void **value, clockid_t clock,
                              const struct timespec *until, bool wait)
{
    struct bine_lot_bucket *bucket = bine_lot_lock((const void *)handle);
    struct thread *thread = thread_of(bucket, handle);
    int error = 0;
    if (!thread)
        error = pthread_is_current(handle) ? EDEADLK : ESRCH;
    else if (pthread_is_current(handle))
        error = EDEADLK;
    else if (thread->detached || thread->joining)
        error = EINVAL;
    else if (!thread->ended)
        error = wait ? wait_for_end(bucket, thread, clock, until) : EBUSY;
    if (error) {
        bine_lot_unlock(bucket);
        return error;
    }
    if (value)
        *value = thread->value;
    bool own = thread->own;
    pthread_forget(bucket, thread);
    /* libc's thread has ended, or is about to within the reaper's next steps. */
    return own ? bine_libc.pthread_join(handle, value) : 0;
}

int bine_thread_greenlet_detach(pthread_t handle)
{
    struct bine_lot_bucket *bucket = bine_lot_lock((const void *)handle);
    struct thread *thread = thread_of(bucket, handle);
    int error = 0;
    if (!thread) {
        error = pthread_is_current(handle) ? 0 : ESRCH;
    } else if (thread->detached || thread->joining) {
        error = EINVAL;
    } else if (thread->ended) {
        bool own = thread->own;
        pthread_forget(bucket, thread);
        return own ? bine_libc.pthread_detach(handle) : 0;
    } else {
        thread->detached = true;
        if (thread->own)
            bine_libc.pthread_detach(handle);
    }
    bine_lot_unlock(bucket);
    return error;
}

/* On its hub's thread. It may have ended and been forgotten meanwhile. */
static void cancel_there(void *handle)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(handle);
    struct thread *thread = thread_of(bucket, (pthread_t)handle);
    struct bine_greenlet *g = thread && !thread->ended ? thread->greenlet : NULL;
    bine_lot_unlock(bucket);
    if (g)
        bine_cancellation_request(g);
}

int bine_thread_greenlet_cancel(pthread_t handle)
{
    struct bine_lot_bucket *bucket = bine_lot_lock((const void *)handle);
    struct thread *thread = thread_of(bucket, handle);
    struct bine_hub *hub = thread && !thread->ended ? thread->hub : NULL;
    struct bine_greenlet *g = hub ? thread->greenlet : NULL;
    bine_lot_unlock(bucket);
    int saved_errno = errno, error = 0;
    if (!thread) {
        if (!pthread_is_current(handle))
            return ESRCH;
        g = bine_hub_here()->current;
        if (!bine_thread_state_of(g, true))
            return ENOMEM;
        bine_cancellation_request(g);
    } else if (hub && hub == bine_hub_here()) {
        bine_cancellation_request(g);
    } else if (hub && bine_post(hub, cancel_there, (void *)handle) != 0 && errno != ESRCH) {
        error = errno;
    }
    errno = saved_errno;
    return error;
}

/* ---- facts about it -------------------------------------------------------------------------- */

/* The greenlet of that handle, if it is one of this hub. *known: it is one of some hub. */
static struct bine_greenlet *greenlet_of(pthread_t handle, pthread_t *real, bool *known)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_lot_bucket *bucket = bine_lot_lock((const void *)handle);
    struct thread *thread = thread_of(bucket, handle);
    struct bine_greenlet *g = thread && thread->hub == hub ? thread->greenlet : NULL;
    if (thread)
        *real = thread->real;
    *known = thread != NULL;
    bine_lot_unlock(bucket);
    if (!*known && pthread_is_current(handle)) {
        *real = hub->thread;
        *known = true;
        g = hub->current;
    }
    return g;
}

/* For signal_directed.c. */
static struct bine_greenlet *signal_target(struct bine_hub *hub, pthread_t handle)
{
    pthread_t real;
    bool known;
    if (pthread_equal(handle, hub->thread))
        return hub->root;
    struct bine_greenlet *g = greenlet_of(handle, &real, &known);
    return g && bine_own_lives(g) ? g : NULL;
}

__attribute__((constructor)) static void signal_target_set_up(void)
{
    bine_signal_target = signal_target;
    bine_own_begins = bine_signal_thread_begins;
}

struct bine_hub *bine_thread_own_hub(pthread_t handle)
{
    struct bine_hub *main = bine_thread_own_hub_of_main, *hub = NULL;
    if (!main || pthread_equal(handle, main->thread))
        return main;
    /* A handler may have interrupted whoever holds the lock of the bucket. */
    if (main == bine_hub_here() && bine_signal_handler_runs())
        return main;
    struct bine_lot_bucket *bucket = bine_lot_lock((const void *)handle);
    struct thread *thread = thread_of(bucket, handle);
    if (thread && thread->own)
        hub = thread->hub;
    bine_lot_unlock(bucket);
    return hub ? hub : pthread_is_current(handle) && bine_own_here(main) ? main : NULL;
}

int bine_thread_greenlet_attributes(pthread_t handle, pthread_attr_t *attributes)
{
    pthread_t real;
    bool known;
    struct bine_greenlet *g = greenlet_of(handle, &real, &known);
    if (!known)
        return ESRCH;
    if (g && g->stack_class == BINE_CLASS_OWN) {
        bine_own_lend_id(g);
        int result = bine_libc.pthread_getattr_np(handle, attributes);
        bine_own_return_id(g);
        return result;
    }
    int error = pthread_attr_init(attributes);
    if (error)
        return error;
    if (g && g->stack)
        error = pthread_attr_setstack(attributes, bine_stack_bottom(g->stack),
                                      bine_stack_size(g->stack));
    return error;
}

int bine_thread_greenlet_set_name(pthread_t handle, const char *name)
{
    pthread_t real;
    bool known;
    struct bine_greenlet *g = greenlet_of(handle, &real, &known);
    if (!known)
        return ESRCH;
    if (strlen(name) > 15)
        return ERANGE; /* as libc's */
    int saved_errno = errno;
    int failed = g ? bine_set_name(g, name) : 0;
    errno = saved_errno;
    return failed ? ENOMEM : 0;
}

int bine_thread_greenlet_name(pthread_t handle, char *name, size_t size)
{
    pthread_t real;
    bool known;
    struct bine_greenlet *g = greenlet_of(handle, &real, &known);
    if (!known)
        return ESRCH;
    if (size < 16)
        return ERANGE;
    if (!g || !(g->flags & BINE_G_NAMED))
        return bine_libc.pthread_getname_np(real, name, size);
    /* "<Greenlet at ADDRESS: NAME>" */
    const char *full = bine_name(g), *start = strstr(full, ": ");
    size_t length = start ? strlen(start + 2) : 0;
    if (length < 1 || length > 16)
        return bine_libc.pthread_getname_np(real, name, size);
    memcpy(name, start + 2, length - 1);
    name[length - 1] = '\0';
    return 0;
}

/*
 * Hooks of threads: joining real ones without blocking the hub, and threads that are greenlets in
 * the objects that were chosen for it (thread_greenlets.h).
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bine/wait.h>

#include "own/own.h"
#include "patch/signals/signals.h"
#include "patch/table/hook.h"
#include "patch/threads/cancellation.h"
#include "patch/threads/thread_greenlets.h"
#include "patch/threads/thread_join.h"

enum {
    FAMILIES = BINE_PATCH_THREAD_OR_GREENLETS
};

/* ---- join ------------------------------------------------------------------------------------ */

/* `wait` false: only if it has ended. */
static int join(pthread_t thread, void **value, clockid_t clock, const struct timespec *until,
                bool wait)
{
    int error = bine_thread_greenlet_join(thread, value, clock, until, wait);
    if (error == ESRCH && !wait)
        error = bine_libc.pthread_tryjoin_np(thread, value);
    if (error == EBUSY)
        bine_hook_counts(FAMILIES);
    if (error != ESRCH || !wait)
        return error;
    struct bine_hub *hub = bine_hook_here(FAMILIES);
    if (hub)
        return bine_thread_join(hub, thread, value, clock, until);
    return until ? bine_libc.pthread_clockjoin_np(thread, value, clock, until)
                 : bine_libc.pthread_join(thread, value);
}

int hook_pthread_join(pthread_t thread, void **value)
{
    return join(thread, value, CLOCK_REALTIME, NULL, true);
}

int hook_pthread_tryjoin_np(pthread_t thread, void **value)
{
    return join(thread, value, CLOCK_REALTIME, NULL, false);
}

int hook_pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
    return join(thread, value, CLOCK_REALTIME, until, true);
}

int hook_pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                              const struct timespec *until)
{
    return join(thread, value, clock, until, true);
}

int hook_thrd_join(thrd_t thread, int *result)
{
    void *value;
    if (join(thread, &value, CLOCK_REALTIME, NULL, true) != 0)
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)value;
    return thrd_success;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* ENOTSUP: the thread has to be a real one. */
static int create(struct bine_hub *hub, pthread_t *thread, const pthread_attr_t *attributes,
                  void *(*run)(void *), void *arg)
{
    if (!hub)
        return ENOTSUP;
    return atomic_load_explicit(&bine_threads_own, memory_order_relaxed)
               ? bine_thread_own_create(hub, thread, attributes, run, arg)
               : bine_thread_greenlet_create(hub, thread, attributes, run, arg);
}

int hook_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                        void *arg)
{
    struct bine_hub *hub = NULL;
    if (bine_hook_active(BINE_PATCH_GREENLETS) &&
        !(bine_thread_stays_real && bine_thread_stays_real(__builtin_return_address(0))))
        hub = bine_thread_greenlets_hub();
    int error = create(hub, thread, attributes, run, arg);
    return error == ENOTSUP ? bine_libc.pthread_create(thread, attributes, run, arg) : error;
}

struct c11_start {
    thrd_start_t run;
    void *arg;
};

static void *run_c11(void *arg)
{
    struct c11_start start = *(struct c11_start *)arg;
    free(arg);
    return (void *)(intptr_t)start.run(start.arg);
}

int hook_thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    struct bine_hub *hub =
        bine_hook_active(BINE_PATCH_GREENLETS) ? bine_thread_greenlets_hub() : NULL;
    if (!hub)
        return bine_libc.thrd_create(thread, run, arg);
    struct c11_start *start = malloc(sizeof *start);
    if (!start)
        return thrd_nomem;
    *start = (struct c11_start){run, arg};
    int error = create(hub, thread, NULL, run_c11, start);
    if (error)
        free(start);
    return error == ENOTSUP ? bine_libc.thrd_create(thread, run, arg)
           : error          ? thrd_nomem
                            : thrd_success;
}

pthread_t hook_pthread_self(void)
{
    return bine_thread_greenlet_self();
}

/* The kernel has no thread for a greenlet: an invented number tells it from others. */
pid_t hook_gettid(void)
{
    pid_t id = bine_own_id(bine_hub_here());
    return id ? id : (pid_t)bine_libc.syscall(SYS_gettid);
}

thrd_t hook_thrd_current(void)
{
    return bine_thread_greenlet_self();
}

/* In the root this ends the thread, in libc, once all of its greenlets have ended: they are its
 * threads. */
void hook_pthread_exit(void *value)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_GREENLETS);
    if (bine_own_here(hub))
        bine_cancellation_exit(hub, value);
    if (hub && !(hub->current->flags & BINE_G_ROOT))
        bine_cleanup_leave(hub, value);
    if (hub)
        bine_wait(NULL, 0, NULL, 0, BINE_FOREVER);
    bine_libc.pthread_exit(value);
}

void hook_thrd_exit(int result)
{
    hook_pthread_exit((void *)(intptr_t)result);
}

int hook_pthread_detach(pthread_t thread)
{
    int error = bine_thread_greenlet_detach(thread);
    return error == ESRCH ? bine_libc.pthread_detach(thread) : error;
}

int hook_thrd_detach(thrd_t thread)
{
    return hook_pthread_detach(thread) == 0 ? thrd_success : thrd_error;
}

/* ---- cancellation ---------------------------------------------------------------------------- */

/* The hub whose current greenlet is asked; NULL: libc is. */
static struct bine_hub *asked(void)
{
    return bine_hook_active(FAMILIES) ? bine_hub_here() : NULL;
}

int hook_pthread_cancel(pthread_t thread)
{
    enum {
        WAITS = BINE_PATCH_SOCKET | BINE_PATCH_TIME | BINE_PATCH_SELECT
    };
    int error = bine_thread_greenlet_cancel(thread);
    /* A thread that may wait in libc's own calls is left to libc. */
    if (error == ESRCH && (atomic_load(&bine_patch_active) & WAITS) == WAITS)
        error = bine_cancellation_of_thread(thread);
    return error == ESRCH ? bine_libc.pthread_cancel(thread) : error;
}

void hook_pthread_testcancel(void)
{
    struct bine_hub *hub = asked();
    if (hub && bine_cancellation_due(hub))
        bine_cancellation_act(hub);
    if (!hub || hub->current->flags & BINE_G_ROOT || bine_own_here(hub))
        bine_libc.pthread_testcancel();
}

int hook_pthread_setcancelstate(int state, int *old)
{
    struct bine_hub *hub = asked();
    return hub ? bine_cancellation_set_state(hub, state, old)
               : bine_libc.pthread_setcancelstate(state, old);
}

int hook_pthread_setcanceltype(int type, int *old)
{
    struct bine_hub *hub = asked();
    return hub ? bine_cancellation_set_type(hub, type, old)
               : bine_libc.pthread_setcanceltype(type, old);
}

/* A handler is popped where it was pushed, whatever is patched meanwhile. */
static struct bine_hub *hub_of_handlers(void)
{
    struct bine_hub *hub = bine_hub_here();
    return hub && !(hub->current->flags & BINE_G_ROOT) && !bine_own_here(hub) ? hub : NULL;
}

void hook___pthread_register_cancel(__pthread_unwind_buf_t *buffer)
{
    struct bine_hub *hub = hub_of_handlers();
    if (hub)
        bine_cleanup_push(hub, buffer);
    else
        bine_libc.__pthread_register_cancel(buffer);
}

void hook___pthread_unregister_cancel(__pthread_unwind_buf_t *buffer)
{
    struct bine_hub *hub = hub_of_handlers();
    if (hub)
        bine_cleanup_pop(hub, buffer);
    else
        bine_libc.__pthread_unregister_cancel(buffer);
}

/* pthread_cleanup_push_defer_np: the type is deferred until it is popped. A greenlet's acts at
 * points only, whatever its type. */
void hook___pthread_register_cancel_defer(__pthread_unwind_buf_t *buffer)
{
    struct bine_hub *hub = hub_of_handlers();
    if (hub)
        bine_cleanup_push(hub, buffer);
    else
        bine_libc.__pthread_register_cancel_defer(buffer);
}

void hook___pthread_unregister_cancel_restore(__pthread_unwind_buf_t *buffer)
{
    struct bine_hub *hub = hub_of_handlers();
    if (hub)
        bine_cleanup_pop(hub, buffer);
    else
        bine_libc.__pthread_unregister_cancel_restore(buffer);
}

void hook___pthread_unwind_next(__pthread_unwind_buf_t *buffer)
{
    struct bine_hub *hub = hub_of_handlers();
    if (hub)
        bine_cleanup_next(hub, buffer);
    bine_libc.__pthread_unwind_next(buffer);
    __builtin_unreachable();
}

/* ---- questions about a thread, answered for the one that the greenlet runs on ---------------- */

static pthread_t real(pthread_t thread)
{
    pthread_t found;
    return bine_thread_greenlet_known(thread, &found) ? found : thread;
}

int hook_pthread_kill(pthread_t thread, int signal)
{
    struct bine_hub *hub = bine_thread_own_hub(thread);
    if (hub)
        return bine_signal_directed(hub, thread, signal, SI_TKILL, (union sigval){0});
    return bine_libc.pthread_kill(real(thread), signal);
}

int hook_pthread_sigqueue(pthread_t thread, int signal, const union sigval value)
{
    struct bine_hub *hub = bine_thread_own_hub(thread);
    if (hub)
        return bine_signal_directed(hub, thread, signal, SI_QUEUE, value);
    return bine_libc.pthread_sigqueue(real(thread), signal, value);
}

int hook_pthread_getcpuclockid(pthread_t thread, clockid_t *clock)
{
    return bine_libc.pthread_getcpuclockid(real(thread), clock);
}

int hook_pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *set)
{
    return bine_libc.pthread_setaffinity_np(real(thread), size, set);
}

int hook_pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
    return bine_libc.pthread_getaffinity_np(real(thread), size, set);
}

int hook_pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters)
{
    return bine_libc.pthread_setschedparam(real(thread), policy, parameters);
}

int hook_pthread_getschedparam(pthread_t thread, int *policy, struct sched_param *parameters)
{
    return bine_libc.pthread_getschedparam(real(thread), policy, parameters);
}

int hook_pthread_setschedprio(pthread_t thread, int priority)
{
    return bine_libc.pthread_setschedprio(real(thread), priority);
}

/* ---- what the greenlet has of its own -------------------------------------------------------- */

int hook_pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    int error = bine_thread_greenlet_attributes(thread, attributes);
    return error == ESRCH ? bine_libc.pthread_getattr_np(thread, attributes) : error;
}

int hook_pthread_setname_np(pthread_t thread, const char *name)
{
    int error = bine_thread_greenlet_set_name(thread, name);
    return error == ESRCH ? bine_libc.pthread_setname_np(thread, name) : error;
}

int hook_pthread_getname_np(pthread_t thread, char *name, size_t size)
{
    int error = bine_thread_greenlet_name(thread, name, size);
    return error == ESRCH ? bine_libc.pthread_getname_np(thread, name, size) : error;
}

/* How hubs are made and ended. See core/hub/hub.h. */
#include "core/hub/hub.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/hub/driver_futex.h"
#include "core/hub/hooks.h"
#include "core/hub/hubs.h"
#include "core/hub/park_times.h"
#include "core/hub/trace.h"
#include "core/report/deadlock.h"
#include "core/report/overflow.h"
#include "core/schedule/exceptions.h"
#include "core/schedule/fiber.h"
#include "core/schedule/park.h"
#include "core/schedule/schedule.h"
#include "core/schedule/streak.h"
#include "core/watch/trace_control.h"
#include "core/watch/watchdog.h"
#include "libc/libc.h"

static pthread_key_t thread_end_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

/* The discards may spawn greenlets whose arguments are discarded in turn. After this many
 * generations such spawns are refused, so that a thread ends. */
enum {
    GENERATIONS = 16
};

static size_t count_others(const struct bine_hub *hub)
{
    size_t count = 0;
    for (const struct bine_greenlet *g = hub->all; g; g = g->all_next)
        count += g != hub->root;
    return count;
}

/* The greenlets that are left never run again. The program sees them as cancelled if it holds
 * references. The oldest comes first. A link may spawn, and set a link that spawns. So the links of
 * greenlets that are spawned from here on are not called. */
static void abandon_all(struct bine_hub *hub)
{
    size_t left = count_others(hub);
    int generation = 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is a root */
    while (hub->all != hub->root || hub->root->all_next) {
        struct bine_greenlet *g =
            hub->root->all_previous ? hub->root->all_previous : hub->root->all_next;
        if (left == 0) {
            left = count_others(hub);
            hub->refuses_discards = ++generation >= GENERATIONS;
        }
        left--;
        if (generation > 0 && g->flags & BINE_G_BELONGINGS)
            bine_links_free(g);
        bine_greenlet_abandon(g, ECANCELED);
        if (g->stack)
            bine_fiber_forget(g->stack);
        g->stack = NULL;
        bine_greenlet_release(g); /* the reference that it had to itself */
    }
    hub->refuses_discards = false;
}

static void end_hub(struct bine_hub *hub)
{
    if (hub->root->attention & (BINE_A_SCOPE | BINE_A_SHIELD))
        bine_greenlet_report_open(hub->root);
    bine_inbox_close(&hub->inbox);
    if (hub->trips)
        hub->trips_end(hub);
    bine_hooks_end(hub);
    abandon_all(hub);
    /* The root's record goes back to the others: the hub's next thread takes it again. */
    hub->root->state = BINE_DEAD;
    bine_greenlet_release(hub->root);
    /* closes the poller; a late waker still finds a driver */
    bine_hub_set_driver(hub, &hub->futex_driver);
    bine_timers_free(&hub->timers);
    bine_ready_free(&hub->ready);
    if (!hub->stacks_lost)
        bine_stacks_free(hub->stacks);
    bine_overflow_unwatch_thread();
}

static void hub_thread_ended(void *arg)
{
    struct bine_hub *hub = arg;
    end_hub(hub);
    bine_hub_of_thread = NULL;
    atomic_store(&hub->over, true);
    bine_hub_let_go(hub);
}

static void hub_after_fork_in_child(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    bine_hubs_after_fork_in_child(hub);
    if (!hub)
        return;
    /* Only the greenlet that forked lives on, as with threads; it is the root now. The stacks of
     * the others are not used again: waiters on them may still be linked into objects. */
    struct bine_greenlet *self = hub->current, *g;
    /* inside a link or a posted function, which continues in the child */
    bool no_park = hub->no_park;
    bool ending = self->state == BINE_DEAD; /* ... a link of its own end: it has left the list */
    hub->no_park = true;
    while ((g = hub->all != self ? hub->all : self->all_next)) {
        g->waitable.watchers = (struct bine_waiters){0};
        g->links = NULL;
        bine_greenlet_keep_argument(g);
        bine_greenlet_abandon(g, ECANCELED);
    }
    hub->no_park = no_park;
    hub->root = self;
    hub->main_thread = true;
    hub->tid = getpid();
    if (hub->trace)
        hub->trace->tid = hub->tid;
    if (ending) {
        self->state = BINE_READY;
        self->all_next = self->all_previous = NULL;
        hub->all = self;
    }
    if (!(self->flags & BINE_G_ROOT)) {
        self->flags |= BINE_G_ROOT | BINE_G_FORKED;
        hub->greenlets -= !ending && !(self->flags & BINE_G_HIDDEN);
    }
    hub->ready.tail = hub->ready.head;
    hub->idle = hub->empty = (struct bine_waiters){0};
    hub->external = hub->engaged = hub->background_timers = hub->background_operations = 0;
    hub->recess = NULL;
    atomic_store(&hub->inbox.first, NULL);
    hub->trips = NULL;
    atomic_store(&hub->inbox.waiting, false);
    bine_timers_clear(&hub->timers);
    hub->driver->forked(hub->driver);
    bine_hooks_fork(hub);
}

static void initialise(void)
{
    bine_libc_resolve();
    once_error = pthread_key_create(&thread_end_key, hub_thread_ended);
    if (!once_error)
        once_error =
            pthread_atfork(bine_hubs_before_fork, bine_hubs_after_fork, hub_after_fork_in_child);
    bine_fibers_enter(bine_greenlet_enter);
    bine_schedule_on_deadlock(bine_deadlock);
    bine_park_times_obey();
}

/* glibc's thread-local variables lie at the same distance from every thread's pointer: they were
 * there when the program was loaded. Before any constructor that could make a hub, where the
 * library is linked statically. */
__attribute__((constructor(101))) static void find_errno(void)
{
    bine_arch_errno = (char *)&errno - bine_arch_thread_pointer();
}

static void clear(struct bine_hub *hub, size_t from, size_t to)
{
    memset((char *)hub + from, 0, to - from);
}

#define END_OF(member) (offsetof(struct bine_hub, member) + sizeof(((struct bine_hub *)0)->member))

/* All as new but what a thread that knew the hub's previous thread may look at at any moment: the
 * inbox, which is closed, the number of lives, and, if its message was taken before, the driver,
 * which it wakes. */
static void begin_life(struct bine_hub *hub)
{
    struct bine_greenlet *records = hub->records;
    size_t records_made = hub->records_made;
    _Static_assert(offsetof(struct bine_hub, driver) < offsetof(struct bine_hub, inbox) &&
                       offsetof(struct bine_hub, inbox) < offsetof(struct bine_hub, root) &&
                       offsetof(struct bine_hub, root) < offsetof(struct bine_hub, futex_driver) &&
                       offsetof(struct bine_hub, futex_driver) <
                           offsetof(struct bine_hub, futex_woken),
                   "the order of what stays");
    clear(hub, 0, offsetof(struct bine_hub, driver));
    clear(hub, END_OF(driver), offsetof(struct bine_hub, inbox));
    clear(hub, offsetof(struct bine_hub, root),
          offsetof(struct bine_hub, futex_driver)); /* from the inbox to there all stays */
    clear(hub, END_OF(futex_woken), sizeof *hub);
    if (!hub->driver)
        bine_futex_driver_init(hub);
    atomic_store(&hub->futex_woken, 0);
    atomic_store(&hub->inbox.waiting, false);
    assert(bine_arch_errno != 0);
    hub->slice_most = hub->slice_length = BINE_SLICE;
    hub->streak_length = BINE_STREAK_LIMIT;
    hub->turn_at = BINE_SLICE;
    hub->switches = BINE_SLICE;
    hub->records = records;
    hub->records_made = records_made;
    atomic_fetch_add(&hub->life, 1);
    atomic_store(&hub->over, false);
    atomic_store(&hub->holds, 1);
}

bine_hub *bine_hub_get(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (hub)
        return hub;
    int saved_errno = errno;
    bine_libc.pthread_once(&once, initialise);
    if (once_error) {
        errno = once_error;
        return NULL;
    }
    hub = bine_hubs_take();
    if (!hub)
        return NULL;
    begin_life(hub);
    hub->stacks_lost = false;
    hub->stacks = bine_stacks_new();
    if (!hub->stacks)
        goto no_stacks;
    hub->root = bine_greenlet_new_root(hub);
    if (!hub->root)
        goto no_root;
    if (bine_overflow_watch_thread() < 0)
        goto no_signal_stack;
    if (bine_libc.pthread_setspecific(thread_end_key, hub) != 0) {
        errno = ENOMEM;
        goto no_key;
    }
    hub->current = hub->root;
    hub->thread = pthread_self();
    hub->default_stack_class = bine_stacks_class(0, false);
    hub->tid = (pid_t)syscall(SYS_gettid);
    hub->main_thread = getpid() == hub->tid;
    bine_hub_of_thread = hub;
    bine_fibers_begin(hub);
    bine_exceptions_find();
    atomic_store(&hub->inbox.first, NULL);
    /* It is in the list: what others tell all hubs from now on reaches it. */
    if (!bine_hooks_start(hub)) {
        bine_libc.pthread_setspecific(thread_end_key, NULL);
        hub_thread_ended(hub);
        errno = ENOMEM;
        return NULL;
    }
    bine_watchdog_meet();
    bine_trace_meet();
    bine_trace_look(hub);
    errno = saved_errno;
    return hub;

no_key:
    bine_overflow_unwatch_thread();
no_signal_stack:
    hub->root->state = BINE_DEAD;
    bine_greenlet_release(hub->root);
no_root:
    bine_timers_free(&hub->timers);
    bine_ready_free(&hub->ready);
    bine_stacks_free(hub->stacks);
no_stacks:
    bine_hubs_give(hub);
    return NULL;
}

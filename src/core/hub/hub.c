/* How hubs are made and ended, and how other threads reach them. See hub.h. */
#include "hub.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver_futex.h"
#include "exceptions.h"
#include "fiber.h"
#include "libc/layout.h"
#include "libc/libc.h"
#include "libc/spin.h"
#include "park.h"
#include "park_notes.h"
#include "schedule.h"
#include "streak.h"
#include "trace.h"

_Thread_local struct bine_hub *bine_hub_of_thread;

/* Every record that was ever made, newest first, and those that can be used again: they are never
 * freed, so that a thread with a stale pointer can safely be told ESRCH. The lock guards the
 * latter. It is held for a few instructions only, and taken around fork. */
static struct bine_hub *_Atomic all_records;
static struct bine_hub *ended_hubs;
static struct bine_spin hubs_lock;
static pthread_key_t thread_end_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

BINE_LAYOUT(hub_rows) = {
    BINE_ADDRESS("hubs", all_records),
    BINE_SIZE("hub", struct bine_hub),
    BINE_FIELD("hub", struct bine_hub, next_record),
    BINE_FIELD_AS("hub", "inbox", struct bine_hub, inbox.first),
    BINE_NUMBER("inbox.closed", BINE_INBOX_CLOSED),
    BINE_FIELD_AS("hub", "inbox_waiting", struct bine_hub, inbox.waiting),
    BINE_FIELD("hub", struct bine_hub, life),
    BINE_FIELD("hub", struct bine_hub, over),
    BINE_FIELD("hub", struct bine_hub, tid),
    BINE_FIELD("hub", struct bine_hub, thread),
    BINE_FIELD("hub", struct bine_hub, current),
    BINE_FIELD("hub", struct bine_hub, root),
    BINE_FIELD("hub", struct bine_hub, all),
    BINE_FIELD("hub", struct bine_hub, greenlets),
    BINE_FIELD("hub", struct bine_hub, records_made),
    BINE_FIELD("hub", struct bine_hub, turns),
    BINE_FIELD("hub", struct bine_hub, switches),
    BINE_FIELD("hub", struct bine_hub, turn_at),
    BINE_FIELD("hub", struct bine_hub, driver),
    BINE_FIELD_AS("hub", "ready_slots", struct bine_hub, ready.slots),
    BINE_FIELD_AS("hub", "ready_head", struct bine_hub, ready.head),
    BINE_FIELD_AS("hub", "ready_tail", struct bine_hub, ready.tail),
    BINE_FIELD_AS("hub", "ready_mask", struct bine_hub, ready.mask),
    BINE_FIELD_AS("hub", "timers_heap", struct bine_hub, timers.heap),
    BINE_FIELD_AS("hub", "timers_places", struct bine_hub, timers.places),
    BINE_FIELD_AS("hub", "timers_users", struct bine_hub, timers.users),
    BINE_FIELD_AS("hub", "timers_count", struct bine_hub, timers.count),
    BINE_FIELD_AS("hub", "timers_room", struct bine_hub, timers.room),
    BINE_SIZE("timer_entry", struct bine_timer_entry),
    BINE_FIELD("timer_entry", struct bine_timer_entry, deadline),
    BINE_FIELD("timer_entry", struct bine_timer_entry, timer),
    BINE_FIELD("driver", struct bine_driver, name),
};
/* A program with hubs has the table. */
static struct bine_layout *const table __attribute__((used)) = &bine_layout;

enum {
    HOOKS = 24
};
typedef void hook(struct bine_hub *hub);
typedef int start_hook(struct bine_hub *hub);
static start_hook *_Atomic start_hooks[HOOKS];
static hook *_Atomic end_hooks[HOOKS];
static hook *_Atomic fork_hooks[HOOKS];

/* Layers add theirs when they are first used, on any thread, and some of them more than once. */
#define ADD_HOOK(type, hooks, added)                                                            \
    do {                                                                                        \
        for (int i = 0; i < HOOKS; i++) {                                                       \
            type *there = NULL;                                                                 \
            if (atomic_compare_exchange_strong(&(hooks)[i], &there, added) || there == (added)) \
                return;                                                                         \
        }                                                                                       \
        abort(); /* a layer too many: HOOKS is ours to raise */                                 \
    } while (0)

void bine_hub_on_start(int (*started)(struct bine_hub *hub))
{
    ADD_HOOK(start_hook, start_hooks, started);
}

void bine_hub_on_end(void (*ended)(struct bine_hub *hub))
{
    ADD_HOOK(hook, end_hooks, ended);
}

void bine_hub_on_fork(void (*forked)(struct bine_hub *hub))
{
    ADD_HOOK(hook, fork_hooks, forked);
}

struct bine_hub *bine_hub_here(void)
{
    return bine_hub_of_thread;
}

void bine_hub_each(void (*visit)(struct bine_hub *hub, void *arg), void *arg)
{
    for (struct bine_hub *hub = atomic_load(&all_records); hub; hub = hub->next_record)
        if (!bine_inbox_closed(&hub->inbox))
            visit(hub, arg);
}

/* ---- making and ending ----------------------------------------------------------------------- */

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
    bine_errands_end(hub);
    for (int i = HOOKS - 1; i >= 0; i--) {
        hook *ended = atomic_load(&end_hooks[i]);
        if (ended)
            ended(hub);
    }
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

static void give_record_back(struct bine_hub *hub)
{
    bine_spin_lock(&hubs_lock);
    hub->next_hub = ended_hubs;
    ended_hubs = hub;
    bine_spin_unlock(&hubs_lock);
}

void bine_hub_hold(struct bine_hub *hub)
{
    atomic_fetch_add(&hub->holds, 1);
}

void bine_hub_let_go(struct bine_hub *hub)
{
    if (atomic_fetch_sub(&hub->holds, 1) == 1)
        give_record_back(hub);
}

static void hub_thread_ended(void *arg)
{
    struct bine_hub *hub = arg;
    end_hub(hub);
    bine_hub_of_thread = NULL;
    atomic_store(&hub->over, true);
    bine_hub_let_go(hub);
}

static void prepare_fork(void)
{
    bine_spin_lock(&hubs_lock);
}

static void hub_after_fork_in_parent(void)
{
    bine_spin_unlock(&hubs_lock);
}

static void hub_after_fork_in_child(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    /* The threads of the others do not exist here. */
    for (struct bine_hub *other = atomic_load(&all_records); other; other = other->next_record)
        if (other != hub)
            atomic_store(&other->inbox.first, BINE_INBOX_CLOSED);
    bine_spin_unlock(&hubs_lock);
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
    for (int i = 0; i < HOOKS; i++) {
        hook *forked = atomic_load(&fork_hooks[i]);
        if (forked)
            forked(hub);
    }
}

static void initialise(void)
{
    bine_libc_resolve();
    once_error = pthread_key_create(&thread_end_key, hub_thread_ended);
    if (!once_error)
        once_error =
            pthread_atfork(prepare_fork, hub_after_fork_in_parent, hub_after_fork_in_child);
}

static struct bine_hub *hub_record(void)
{
    bine_spin_lock(&hubs_lock);
    struct bine_hub *hub = ended_hubs;
    if (hub)
        ended_hubs = hub->next_hub;
    bine_spin_unlock(&hubs_lock);
    if (!hub && (hub = aligned_alloc(64, (sizeof *hub + 63) / 64 * 64))) {
        memset(hub, 0, sizeof *hub);
        atomic_init(&hub->inbox.first, BINE_INBOX_CLOSED);
        hub->next_record = atomic_load(&all_records);
        while (!atomic_compare_exchange_weak(&all_records, &hub->next_record, hub)) {
        }
    }
    return hub;
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

static bool tell_layers(struct bine_hub *hub)
{
    for (int i = 0; i < HOOKS; i++) {
        start_hook *started = atomic_load(&start_hooks[i]);
        if (started && started(hub) != 0)
            return false;
    }
    return true;
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
    hub = hub_record();
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
    if (!tell_layers(hub)) {
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
    give_record_back(hub);
    return NULL;
}

void bine_hub_set_driver(struct bine_hub *hub, struct bine_driver *driver)
{
    struct bine_driver *old = hub->driver;
    __atomic_store_n(&hub->driver, driver, __ATOMIC_RELEASE);
    hub->simulated = driver->random != NULL;
    old->close(old);
}

void bine_hub_set_around(struct bine_hub *hub, const struct bine_around *around)
{
    hub->around = bine_park_notes_around(hub, around);
    hub->attended = hub->around || hub->exception_globals;
}

void bine_hub_set_exchange(struct bine_hub *hub, struct bine_exchange *exchange)
{
    hub->exchange = exchange;
    hub->exchanging = exchange || hub->fibers || hub->further || hub->trace || hub->owns;
}

/* ---- reaching a hub from other threads ------------------------------------------------------- */

struct posted {
    struct bine_message message;
    void (*function)(void *arg);
    void *arg;
};

static void drop_posted(struct bine_message *message)
{
    free(message);
}

static void run_posted(struct bine_message *message)
{
    struct posted posted = *(struct posted *)message;
    free(message);
    posted.function(posted.arg);
}

int bine_post(bine_hub *hub, void (*function)(void *arg), void *arg)
{
    if (!hub || !function) {
        errno = EINVAL;
        return -1;
    }
    struct posted *posted = malloc(sizeof *posted);
    if (!posted)
        return -1;
    *posted = (struct posted){{NULL, run_posted, drop_posted}, function, arg};
    int error = bine_hub_send(hub, &posted->message);
    if (error) {
        free(posted);
        errno = error;
        return -1;
    }
    return 0;
}

uint64_t bine_hub_switches(const struct bine_hub *hub)
{
    return hub->switches - (hub->turn_at - hub->ready.head);
}

bool bine_hub_exists(void)
{
    return bine_hub_of_thread != NULL;
}

size_t bine_hub_greenlets(void)
{
    return bine_hub_of_thread ? bine_hub_of_thread->greenlets : 0;
}

const char *bine_poller_name(void)
{
    return bine_hub_of_thread ? bine_hub_of_thread->driver->name : "none";
}

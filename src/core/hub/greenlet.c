/* A greenlet's life: record, spawn, first step, end. See greenlet.h. */
#include "greenlet.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/watermark.h"
#include "exceptions.h"
#include "fiber.h"
#include "libc/free.h"
#include "libc/layout.h"
#include "name.h"
#include "own.h"
#include "park.h"
#include "renew.h"
#include "switch.h"
#include "trace.h"

/* Records are carved from chunks and recycled, never given back: a stale pointer finds a dead
 * record, not foreign memory, and spawning costs no malloc. */
enum {
    CHUNK_RECORDS = 64
};

BINE_LAYOUT(greenlet_rows) = {
    BINE_SIZE("greenlet", struct bine_greenlet),
    BINE_ADDRESS("greenlet.class", bine_greenlet_class),
    BINE_FIELD_AS("greenlet", "sp", struct bine_greenlet, context.sp),
    BINE_FIELD("greenlet", struct bine_greenlet, timer),
    BINE_FIELD("greenlet", struct bine_greenlet, hub),
    BINE_FIELD("greenlet", struct bine_greenlet, state),
    BINE_FIELD("greenlet", struct bine_greenlet, flags),
    BINE_FIELD("greenlet", struct bine_greenlet, park_flags),
    BINE_FIELD("greenlet", struct bine_greenlet, attention),
    BINE_FIELD("greenlet", struct bine_greenlet, run),
    BINE_FIELD("greenlet", struct bine_greenlet, verb),
    BINE_FIELD("greenlet", struct bine_greenlet, object),
    BINE_FIELD("greenlet", struct bine_greenlet, arg),
    BINE_FIELD("greenlet", struct bine_greenlet, site),
    BINE_FIELD("greenlet", struct bine_greenlet, all_next),
    BINE_FIELD("greenlet", struct bine_greenlet, all_previous),
    BINE_FIELD("greenlet", struct bine_greenlet, stack),
    BINE_FIELD("greenlet", struct bine_greenlet, spawner),
    BINE_FIELD("greenlet", struct bine_greenlet, name),
    BINE_FIELD("greenlet", struct bine_greenlet, slots),
    BINE_NUMBER("state.new", BINE_NEW),
    BINE_NUMBER("state.ready", BINE_READY),
    BINE_NUMBER("state.parked", BINE_PARKED),
    BINE_NUMBER("flag.root", BINE_G_ROOT),
    BINE_NUMBER("flag.named", BINE_G_NAMED),
    BINE_NUMBER("flag.hidden", BINE_G_HIDDEN),
    BINE_NUMBER("attention.killed", BINE_A_KILLED),
    BINE_NUMBER("park.firm", BINE_PARK_FIRM),
    BINE_NUMBER("park.external", BINE_PARK_EXTERNAL),
    BINE_NUMBER("park.timed", BINE_PARK_TIMED),
    BINE_NUMBER("slot.python", BINE_SLOT_PYTHON),
    BINE_NUMBER("context.pc", BINE_CONTEXT_PC),
    BINE_NUMBER("context.size", BINE_CONTEXT_SIZE),
#define CONTEXT_ROW(number, offset) BINE_NUMBER("context." #number, offset),
    BINE_CONTEXT_REGISTERS(CONTEXT_ROW)
#undef CONTEXT_ROW
        BINE_FIELD("waitable", struct bine_waitable, class),
    BINE_FIELD("waitable_class", struct bine_waitable_class, name),
};

static void (*end_hooks[BINE_SLOTS])(struct bine_greenlet *g);

static bool greenlet_ready(const struct bine_waitable *object)
{
    return ((const struct bine_greenlet *)object)->state == BINE_DEAD;
}

static struct bine_hub *greenlet_hub(const struct bine_waitable *object)
{
    return ((const struct bine_greenlet *)object)->hub;
}

const struct bine_waitable_class bine_greenlet_class = {"greenlet", greenlet_ready, NULL,
                                                        greenlet_hub};

void bine_greenlet_on_end(enum bine_slot slot, void (*ended)(struct bine_greenlet *g))
{
    end_hooks[slot] = ended;
}

/* Each greenlet can be ready once and can have one timer of its own running: the room for both is
 * made with its record, so that neither can fail later. Timers of other layers have their room
 * beside it. */
static int refill_records(struct bine_hub *hub)
{
    size_t records = hub->records_made + CHUNK_RECORDS;
    if (bine_ready_reserve(&hub->ready, records) < 0 ||
        bine_timers_reserve(&hub->timers, 2 * records) < 0)
        return -1;
    struct bine_greenlet *chunk = aligned_alloc(64, CHUNK_RECORDS * sizeof *chunk);
    if (!chunk)
        return -1;
    memset(chunk, 0, CHUNK_RECORDS * sizeof *chunk);
    for (int i = CHUNK_RECORDS - 1; i >= 0; i--) {
        chunk[i].timer = 2 * ((uint32_t)hub->records_made + (uint32_t)i);
        chunk[i].next_free = hub->records;
        hub->records = &chunk[i];
    }
    hub->records_made = records;
    return 0;
}

static inline struct bine_greenlet *record_new(struct bine_hub *hub)
{
    if (__builtin_expect(!hub->records, 0) && refill_records(hub) < 0)
        return NULL;
    struct bine_greenlet *g = hub->records, *first = hub->all;
    hub->records = g->next_free;
    g->waitable = (struct bine_waitable){.class = &bine_greenlet_class};
    g->context.sp = NULL;
    g->hub = hub;
    g->state = BINE_NEW;
    g->flags = g->park_flags = g->attention = 0;
    g->all_next = first;
    g->all_previous = NULL;
    g->stack = NULL;
    g->shields = 0;
    g->timeouts = NULL;
    g->sanitizer = (struct bine_sanitizer){};
    if (first)
        first->all_previous = g;
    hub->all = g;
    return g;
}

static void leave_all(struct bine_hub *hub, struct bine_greenlet *g)
{
    if (g->all_next)
        g->all_next->all_previous = g->all_previous;
    if (g->all_previous)
        g->all_previous->all_next = g->all_next;
    else
        hub->all = g->all_next;
}

void bine_greenlet_free(struct bine_greenlet *g)
{
    struct bine_hub *hub = g->hub;
    if (__builtin_expect(g->flags || g->attention, 0)) {
        free(g->name);
        bine_links_free(g);
        g->name = NULL;
        /* of a root, or one that was left at its thread's end: their destructors did not run */
        free(g->locals);
        g->locals = NULL;
        memset(g->slots, 0, sizeof g->slots);
        g->interrupt = 0;
    }
    g->next_free = hub->records;
    hub->records = g;
}

static void ref_here(void *g)
{
    ((struct bine_greenlet *)g)->references++;
}

/* References are counted by its own thread. One that is dropped later is dropped by a later
 * message. */
static __attribute__((noinline, cold)) struct bine_greenlet *ref_elsewhere(struct bine_greenlet *g)
{
    int saved = errno;
    if (bine_post(g->hub, ref_here, g) < 0 && errno != ESRCH)
        return NULL;
    errno = saved;
    return g;
}

bine_greenlet *bine_ref(bine_greenlet *g)
{
    if (__builtin_expect(!g, 0))
        return NULL;
    if (__builtin_expect(g->hub != bine_hub_of_thread, 0))
        return ref_elsewhere(g);
    g->references++;
    return g;
}

static void detach_here(void *g)
{
    bine_greenlet_release(g);
}

/* References are counted by its own thread. If that has ended its record stays where it is, and so
 * it does for lack of memory. */
static __attribute__((noinline, cold)) void detach_elsewhere(struct bine_greenlet *g)
{
    int saved = errno;
    bine_post(g->hub, detach_here, g);
    errno = saved;
}

void bine_detach(bine_greenlet *g)
{
    if (__builtin_expect(!g, 0))
        return;
    if (__builtin_expect(g->hub != bine_hub_of_thread, 0))
        detach_elsewhere(g);
    else
        bine_greenlet_release(g);
}

struct bine_greenlet *bine_greenlet_new_root(struct bine_hub *hub)
{
    /* The record of a hub that has ended has its greenlets' records still, but no room for them. */
    if (bine_ready_reserve(&hub->ready, hub->records_made) < 0 ||
        bine_timers_reserve(&hub->timers, 2 * hub->records_made) < 0)
        return NULL;
    struct bine_greenlet *root = record_new(hub);
    if (!root)
        return NULL;
    root->state = BINE_READY;
    root->stack_class = 0; /* the record may have been that of a greenlet with its own thread */
    root->flags = BINE_G_ROOT;
    root->site = "main\0";
    root->spawner = UINT32_MAX;
    root->references = 1;
#ifdef BINE_ASAN
    pthread_attr_t attributes;
    void *bottom = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &bottom, &size);
        pthread_attr_destroy(&attributes);
    }
    root->sanitizer.bottom = bottom;
    root->sanitizer.size = size;
#endif
#ifdef BINE_TSAN
    root->sanitizer.fiber = __tsan_get_current_fiber();
#endif
    return root;
}

/* ---- spawning -------------------------------------------------------------------------------- */

static void delay_over(void *greenlet, int64_t deadline)
{
    struct bine_greenlet *g = greenlet;
    (void)deadline;
    bine_ready_push(&g->hub->ready, g);
}

/* A new greenlet, not yet in the ready queue. */
static inline __attribute__((always_inline)) struct bine_greenlet *prepare(int class, bine_run *run,
                                                                           void *arg,
                                                                           const char *site)
{
    struct bine_hub *hub = bine_hub_of_thread;
    if (!run || !site) {
        errno = EINVAL;
        return NULL;
    }
    if (!hub && !(hub = bine_hub_get()))
        return NULL;
    if (class < 0)
        class = hub->default_stack_class;
    if (bine_stacks_reserve(hub->stacks, class) < 0)
        return NULL;
    struct bine_greenlet *g = record_new(hub);
    if (!g) {
        bine_stacks_unreserve(hub->stacks, class);
        errno = ENOMEM;
        return NULL;
    }
    g->stack_class = (uint8_t) class;
    g->run = run;
    g->arg = arg;
    g->site = site;
    g->spawner = hub->current->timer | -(uint32_t)hub->no_park;
    g->references = 2; /* the spawner's, and its own until it has ended */
    hub->greenlets++;
    return g;
}

bine_greenlet *bine_spawn_at(bine_run *run, void *arg, const char *site)
{
    struct bine_greenlet *g = prepare(-1, run, arg, site);
    if (g)
        bine_ready_push(&bine_hub_of_thread->ready, g);
    return g;
}

int bine_go_at(bine_run *run, void *arg, const char *site)
{
    struct bine_greenlet *g = prepare(-1, run, arg, site);
    if (!g)
        return -1;
    g->references = 1; /* its own */
    bine_ready_push(&g->hub->ready, g);
    return 0;
}

static void start_later(struct bine_greenlet *g, int64_t delay)
{
    bine_timer_start(&g->hub->timers, g->timer, delay_over, g, bine_hub_deadline(g->hub, delay));
}

bine_greenlet *bine_spawn_later_at(int64_t delay, bine_run *run, void *arg, const char *site)
{
    if (delay < 0) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_greenlet *g = prepare(-1, run, arg, site);
    if (g)
        start_later(g, delay);
    return g;
}

static struct bine_greenlet *spawn_with(const bine_spawn_options *options, bool room, bine_run *run,
                                        void *arg, const char *site)
{
    static const bine_spawn_options defaults;
    if (!options)
        options = &defaults;
    if (options->delay < 0 || options->own_thread > 1 ||
        (options->reserved[0] | options->reserved[1] | options->reserved[2]) != 0) {
        errno = EINVAL;
        return NULL;
    }
    int class = bine_stacks_class(options->stack_size, room);
    if (class < 0)
        return NULL;
    if (options->discard && bine_hub_of_thread && bine_hub_of_thread->refuses_discards) {
        errno = EAGAIN;
        return NULL;
    }
    if (options->own_thread)
        return bine_own_spawn(options, run, arg, site);
    char *name = NULL;
    if (options->name && !(name = strdup(options->name)))
        return NULL;
    struct bine_greenlet *g = prepare(class, run, arg, site);
    if (!g) {
        bine_free(name);
        return NULL;
    }
    if (name)
        bine_greenlet_take_name(g, name);
    if (options->discard) {
        g->discard = options->discard;
        g->flags |= BINE_G_DISCARD;
    }
    if (options->delay)
        start_later(g, options->delay);
    else
        bine_ready_push(&g->hub->ready, g);
    return g;
}

bine_greenlet *bine_spawn_with_at(const bine_spawn_options *options, bine_run *run, void *arg,
                                  const char *site)
{
    return spawn_with(options, false, run, arg, site);
}

struct bine_greenlet *bine_spawn_with_room(const bine_spawn_options *options, bine_run *run,
                                           void *arg, const char *site)
{
    return spawn_with(options, true, run, arg, site);
}

struct bine_greenlet *bine_greenlet_new_own(struct bine_hub *hub, const char *site,
                                            struct bine_own *own)
{
    struct bine_greenlet *g = record_new(hub);
    if (!g) {
        errno = ENOMEM;
        return NULL;
    }
    g->stack_class = BINE_CLASS_OWN;
    g->state = BINE_READY;
    g->site = site;
    g->references = 2;
    hub->greenlets++;
    bine_greenlet_keep(g, BINE_SLOT_APART, own);
    return g;
}

/* ---- running and ending ---------------------------------------------------------------------- */

/* Those that wait for the hub to become empty count themselves out, so they look again at each end
 * near it. */
static void tell_the_empty(struct bine_hub *hub)
{
    for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(&hub->empty));)
        bine_waiter_wake(waiter);
}

void bine_hub_engage(struct bine_hub *hub)
{
    hub->engaged++;
    hub->external++;
}

void bine_hub_release(struct bine_hub *hub)
{
    hub->engaged--;
    hub->external--;
    if (!hub->engaged)
        tell_the_empty(hub);
}

void bine_greenlet_hide(struct bine_greenlet *g)
{
    g->flags |= BINE_G_HIDDEN;
    g->hub->greenlets--;
    tell_the_empty(g->hub);
}

void bine_greenlet_show(struct bine_greenlet *g)
{
    g->flags &= (uint8_t)~BINE_G_HIDDEN;
    g->hub->greenlets++;
}

/* Wakes the greenlets that wait for g's end. */
static __attribute__((noinline)) void announce_end(struct bine_hub *hub, struct bine_greenlet *g)
{
    bool outer = hub->no_park;
    hub->no_park = true;
    if (g->links)
        bine_links_run(g);
    if (__builtin_expect(g->flags & BINE_G_ROOT && g->state != BINE_DEAD, 0))
        exit(0); /* a link forked, and g is all that is left of the child */
    bine_waitable_notify(&g->waitable);
    tell_the_empty(hub);
    hub->no_park = outer;
}

/* From here on all code sees g as dead. */
static inline void conclude(struct bine_hub *hub, struct bine_greenlet *g, void *value, int error)
{
    leave_all(hub, g);
    g->state = BINE_DEAD;
    g->arg = error ? NULL : value;
    g->error = error;
    if (!(g->flags & (BINE_G_ROOT | BINE_G_HIDDEN)))
        hub->greenlets--;
    if (g->flags & BINE_G_BELONGINGS || !bine_waiters_empty(&g->waitable.watchers) ||
        !bine_waiters_empty(&hub->empty))
        announce_end(hub, g);
}

/* What others keep for it in locals and in slots, but for the slot `kept`, ends. */
static void end_kept_by_others(struct bine_hub *hub, struct bine_greenlet *g, int kept)
{
    if (g->locals)
        bine_locals_destroy(g); /* destructors may park: g is still alive */
    for (int slot = 0; slot < BINE_SLOTS; slot++)
        if (slot != kept && g->slots[slot] && end_hooks[slot]) {
            hub->no_park = true;
            end_hooks[slot](g);
            hub->no_park = false;
        }
}

void bine_greenlet_renew(enum bine_slot kept)
{
    struct bine_hub *hub = bine_hub_of_thread;
    end_kept_by_others(hub, hub->current, kept);
}

/* What it opened is closed first, then what others keep for it ends. */
__attribute__((noinline)) void bine_greenlet_begin_end(struct bine_hub *hub,
                                                       struct bine_greenlet *g, bool returned)
{
    if (g->attention & (BINE_A_SCOPE | BINE_A_SHIELD)) {
        if (returned)
            bine_greenlet_report_open(g);
        bine_greenlet_close_open(g);
    }
    if (g->flags & BINE_G_BELONGINGS)
        end_kept_by_others(hub, g, BINE_SLOTS);
    if (bine_watermark_enabled)
        bine_watermark_end(g->stack, g->site);
}

void bine_greenlet_conclude(struct bine_greenlet *g, void *value, int error)
{
    g->slots[BINE_SLOT_APART] = NULL;
    g->stack_class = 0; /* the record may become a root's */
    conclude(g->hub, g, value, error);
    bine_greenlet_release(g);
}

/* What a greenlet does last, still on its stack. */
static inline void greenlet_end(struct bine_hub *hub, struct bine_greenlet *g, void *value,
                                int error, bool returned)
{
    if (__builtin_expect(g->condition & BINE_END_WITH_CARE || bine_watermark_enabled, 0))
        bine_greenlet_begin_end(hub, g, returned);
    conclude(hub, g, value, error);
}

static __attribute__((noinline)) struct bine_greenlet *next_with_care(struct bine_hub *hub)
{
    struct bine_greenlet *next =
        hub->simulated ? bine_schedule_next(hub) : bine_schedule_next_quick(hub);
    if (__builtin_expect(hub->trace != NULL, 0)) {
        bine_trace_note_end(hub, hub->current);
        bine_trace_note_switch(hub, hub->current, next);
    }
    if (hub->exchange)
        hub->exchange->pass(hub, NULL, next, NULL);
    bine_exceptions_drop(hub);
    if (hub->fibers &&
        (next->state != BINE_NEW || next->stack_class != hub->current->stack_class)) {
        if (next->state == BINE_NEW)
            next->stack = bine_stacks_take(hub->stacks, next->stack_class);
        /* otherwise it takes over this stack, which is no switch */
        bine_fiber_leave(hub, NULL, next);
    }
#if BINE_ARCH_THREADS
    /* What is left to do here is the same with either thread pointer. */
    if (hub->owns && bine_own_of(next))
        bine_arch_set_thread_pointer(bine_own_of(next)->thread_pointer);
#endif
    return next;
}

/* Returns the greenlet that runs after the current one, which has ended. */
static inline struct bine_greenlet *next_to_run(struct bine_hub *hub)
{
    return __builtin_expect(hub->succession, 0) ? next_with_care(hub)
                                                : bine_schedule_next_quick(hub);
}

BINE_NO_SANITIZE struct bine_arch_context *bine_greenlet_enter(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    for (;;) {
        struct bine_greenlet *g = hub->current;
        bine_switch_arrived(hub, g);
        if (__builtin_expect(bine_watermark_enabled, 0))
            bine_watermark_begin(g->stack);
        void *value = g->run(g->arg);
        if (__builtin_expect(g->flags & BINE_G_ROOT, 0))
            exit(0); /* it forked, and is all that is left of the child */
        greenlet_end(hub, g, value, 0, true);
        struct bine_arch_context *context = bine_schedule_succeed(hub, g, next_to_run(hub));
        if (context)
            return context;
        bine_arch_reset();
    }
}

void bine_greenlet_finish(struct bine_hub *hub, void *value, int error)
{
    struct bine_greenlet *g = hub->current;
    if (g->flags & BINE_G_ROOT) {
        /* The thread itself ends. After fork this is the greenlet that called it. What it has open
         * is not forgotten: not to be reported. */
        g->attention &= (uint8_t) ~(BINE_A_SCOPE | BINE_A_SHIELD);
        g->timeouts = NULL;
        g->shields = 0;
        if (hub->main_thread)
            exit(0);
        g->arg = error ? NULL : value;
        pthread_exit(value);
    }
    if (g->stack_class == BINE_CLASS_OWN)
        bine_own_leave(g, value, error);
    greenlet_end(hub, g, value, error, false);
    bine_schedule_leave(hub, g, next_to_run(hub));
}

void bine_greenlet_abandon(struct bine_greenlet *g, int error)
{
    struct bine_hub *hub = g->hub;
    void (*discard)(void *) = g->state == BINE_NEW && g->flags & BINE_G_DISCARD ? g->discard : NULL;
    void *arg = g->arg;
    bine_timer_stop(&hub->timers, g->timer);
    if (g->state == BINE_NEW && !g->stack)
        bine_stacks_unreserve(hub->stacks, g->stack_class);
    conclude(hub, g, NULL, error);
    if (discard) {
        bool outer = hub->no_park;
        hub->no_park = true;
        discard(arg);
        hub->no_park = outer;
    }
}

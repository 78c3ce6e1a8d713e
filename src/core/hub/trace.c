/* Recording. See trace.h. */
#include "trace.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bine_trace_control bine_trace_control = {
    .magic = BINE_TRACE_MAGIC,
    .self = &bine_trace_control,
    .version = BINE_TRACE_VERSION,
    .room = BINE_TRACE_ROOM,
    .greenlet_name = offsetof(struct bine_greenlet, name),
    .greenlet_flags = offsetof(struct bine_greenlet, flags),
    .greenlet_site = offsetof(struct bine_greenlet, site),
    .greenlet_arg = offsetof(struct bine_greenlet, arg),
    .flag_named = BINE_G_NAMED,
    .flag_belongings = BINE_G_BELONGINGS,
    .flag_root = BINE_G_ROOT,
    .interpreter = &bine_interpreter,
};

/* In a section of its own, as tracers expect. */
#ifdef BINE_PROBE_SEMAPHORE
__attribute__((section(".probes"))) volatile unsigned short bine_probes;
BINE_PROBE_SEMAPHORE(spawn)
BINE_PROBE_SEMAPHORE(switch)
BINE_PROBE_SEMAPHORE(park)
BINE_PROBE_SEMAPHORE(wake)
BINE_PROBE_SEMAPHORE(end)
BINE_PROBE_SEMAPHORE(kill)
#else
volatile unsigned short bine_probes;
#endif

static inline __attribute__((always_inline)) void put(struct bine_trace *trace, uint64_t ticks,
                                                      enum bine_trace_kind kind, uint64_t a,
                                                      uint64_t b, uint64_t c)
{
    uint64_t at = atomic_load_explicit(&trace->written, memory_order_relaxed);
    struct bine_trace_event *event = &trace->events[at & (trace->room - 1)];
    event->when = (ticks - trace->began_ticks) << 8 | (unsigned)kind;
    event->a = a;
    event->b = b;
    event->c = c;
    atomic_store_explicit(&trace->written, at + 1, memory_order_release);
}

void bine_trace_note(struct bine_hub *hub, enum bine_trace_kind kind, uintptr_t a, uintptr_t b,
                     uintptr_t c)
{
    put(hub->trace, bine_trace_ticks(), kind, a, b, c);
    if (kind == BINE_TRACE_KILL)
        BINE_PROBE(kill, a, b, c);
}

static void put_name(struct bine_trace *trace, uint64_t ticks, const struct bine_greenlet *g,
                     const char *name)
{
    size_t size = strlen(name);
    for (size_t at = 0; at < size && at < 64; at += 16) {
        uint64_t words[2] = {0};
        memcpy(words, name + at, size - at < 16 ? size - at : 16);
        put(trace, ticks, BINE_TRACE_NAME, (uintptr_t)g, words[0], words[1]);
    }
}

/* This thread's greenlets refer to their objects, so these are there. */
static bool read_here(void *unused, uint64_t from, void *to, size_t size)
{
    (void)unused;
    memcpy(to, (const void *)(uintptr_t)from, size);
    return true;
}

/* The code is noted, and not its name: that takes no time, and code is there for long. A name that
 * the program gave is copied. Another thread may change it now, so it is peeked at. */
static void put_function(struct bine_trace *trace, uint64_t ticks, const struct bine_greenlet *g,
                         const struct bine_interpreter *in)
{
    struct bine_function function;
    char name[BINE_FUNCTION_TEXT];
    uint64_t object;
    memcpy(&object, (const char *)g->arg + in->running, sizeof object);
    if (!object || !bine_function_find(in, read_here, NULL, object, &function))
        return;
    if (function.name &&
        bine_interpreter_text(in, bine_peek, NULL, function.name, name, sizeof name))
        put_name(trace, ticks, g, name);
    else
        put(trace, ticks, BINE_TRACE_FUNCTION, (uintptr_t)g, function.code, function.type);
}

/* The name that the spawn was given: it may be gone when the ring is read. */
static __attribute__((noinline)) void put_spawn(struct bine_trace *trace, uint64_t ticks,
                                                const struct bine_greenlet *g)
{
    const struct bine_interpreter *in = atomic_load(&bine_interpreter);
    put(trace, ticks, BINE_TRACE_SPAWN, (uintptr_t)g, (uintptr_t)g->site, (uintptr_t)g->arg);
    BINE_PROBE(spawn, g, g->site, g->arg);
    if (g->flags & BINE_G_NAMED)
        put_name(trace, ticks, g, g->name);
    else if (in && (uintptr_t)g->site == in->site)
        put_function(trace, ticks, g, in);
}

/* It waits for something new to run, or has just been woken for it. */
static bool idle(const struct bine_greenlet *g)
{
    return g->verb == bine_idle_verb;
}

static inline __attribute__((always_inline)) void put_ready(struct bine_hub *hub,
                                                            struct bine_trace *trace,
                                                            uint64_t ticks, uintptr_t by)
{
    const struct bine_ready *ready = &hub->ready;
    for (; trace->seen != ready->tail; trace->seen++) {
        const struct bine_greenlet *g = ready->slots[trace->seen & ready->mask];
        if (g->state == BINE_NEW || (idle(g) && (uintptr_t)g != by))
            put_spawn(trace, ticks, g);
        else if ((uintptr_t)g != by) { /* else it yields */
            put(trace, ticks, BINE_TRACE_WAKE, (uintptr_t)g, by, 0);
            BINE_PROBE(wake, g, by, 0);
        }
    }
}

void bine_trace_note_ready(struct bine_hub *hub, uintptr_t by)
{
    put_ready(hub, hub->trace, bine_trace_ticks(), by);
}

/* A switch that is more than a yield. */
static __attribute__((noinline)) void note_switch(struct bine_hub *hub, struct bine_greenlet *from,
                                                  struct bine_greenlet *to, uint64_t ticks)
{
    struct bine_trace *trace = hub->trace;
    put_ready(hub, trace, ticks, (uintptr_t)from);
    bool parks = trace->parks && !idle(from);
    if (trace->parks && !parks && from != to) {
        put(trace, ticks, BINE_TRACE_END, (uintptr_t)from, 0, 0);
        BINE_PROBE(end, from, 0, 0);
    }
    trace->parks = false;
    put(trace, ticks, BINE_TRACE_SWITCH, (uintptr_t)to, parks ? (uintptr_t)from->verb : 0,
        parks ? from->object : 0);
    if (parks)
        BINE_PROBE(park, from, from->verb, from->object);
    BINE_PROBE(switch, from, to, 0);
}

void bine_trace_note_switch(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to)
{
    struct bine_trace *trace = hub->trace;
    const struct bine_ready *ready = &hub->ready;
    uint64_t ticks = bine_trace_ticks();
    if (trace->parks || trace->seen + 1 != ready->tail ||
        ready->slots[trace->seen & ready->mask] != from) {
        note_switch(hub, from, to, ticks);
        return;
    }
    trace->seen++;
    put(trace, ticks, BINE_TRACE_SWITCH, (uintptr_t)to, 0, 0);
    BINE_PROBE(switch, from, to, 0);
}

void bine_trace_note_end(struct bine_hub *hub, struct bine_greenlet *from)
{
    uint64_t ticks = bine_trace_ticks();
    put_ready(hub, hub->trace, ticks, (uintptr_t)from);
    put(hub->trace, ticks, BINE_TRACE_END, (uintptr_t)from, 0, 0);
    BINE_PROBE(end, from, from->arg, from->error);
}

/* ---- on and off ------------------------------------------------------------------------------ */

static struct bine_trace *ring_of(const struct bine_hub *hub)
{
    for (struct bine_trace *trace = atomic_load(&bine_trace_control.rings); trace;
         trace = trace->next)
        if (trace->hub == hub)
            return trace;
    return NULL;
}

/* NULL: there is no memory, and the hub records nothing. */
static struct bine_trace *make_ring(struct bine_hub *hub)
{
    struct bine_trace *trace = calloc(1, sizeof *trace);
    size_t room = 1024;
    while (room < bine_trace_control.room && room < (size_t)1 << 24)
        room *= 2;
    struct bine_trace_event *events = trace ? calloc(room, sizeof *events) : NULL;
    if (!events) {
        free(trace);
        return NULL;
    }
    trace->hub = hub;
    trace->events = events;
    trace->room = room;
    trace->next = atomic_load(&bine_trace_control.rings);
    while (!atomic_compare_exchange_weak(&bine_trace_control.rings, &trace->next, trace)) {
    }
    return trace;
}

void bine_trace_note_block(const struct bine_hub *hub, int64_t duration, const char *cause)
{
    struct bine_trace *trace = ring_of(hub);
    if (!trace || !(atomic_load(&bine_trace_control.wanted) & 1))
        return;
    uint32_t count = atomic_load_explicit(&trace->block_count, memory_order_relaxed);
    struct bine_trace_block *block = &trace->blocks[count % BINE_TRACE_BLOCKS];
    block->ticks = bine_trace_ticks();
    block->duration = duration;
    strncpy(block->cause, cause, sizeof block->cause - 1);
    atomic_store_explicit(&trace->block_count, count + 1, memory_order_release);
}

void bine_trace_obey(struct bine_hub *hub)
{
    hub->trace_generation = bine_trace_asked();
    struct bine_trace *trace = NULL;
    /* A probe needs no ring, but what calls it does. */
    if (hub->trace_generation & 3 && !(trace = ring_of(hub)))
        trace = make_ring(hub);
    if (trace) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        atomic_store(&trace->written, 0);
        trace->began_ticks = bine_trace_ticks();
        trace->began = now.tv_sec * BINE_SECOND + now.tv_nsec;
        trace->tid = hub->tid;
        trace->seen = hub->ready.tail;
    }
    hub->trace = trace;
    bine_hub_set_exchange(hub, hub->exchange);
    if (trace)
        bine_trace_note_switch(hub, hub->current, hub->current);
}

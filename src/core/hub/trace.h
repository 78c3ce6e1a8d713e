/*
 * The trace: a ring of a hub's last events. It is off by default, and then no hot path tests it. A
 * hub that has a ring sets `exchanging`, so its switches leave the short path.
 *
 * Wakes are not recorded where they happen, since that is the hot path. What has been pushed to the
 * ready queue since the last look was pushed by the greenlet that ran in between, or by the part of
 * the turn. So each look at the queue's new end names the waker of all that is there.
 *
 * Rings, control block and events are read by another process, too (core/watch/trace_json.c). So
 * `bine_trace_control` describes itself, and nothing of it moves.
 */
#ifndef BINE_CORE_HUB_TRACE_H
#define BINE_CORE_HUB_TRACE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "hub.h"
#include "interpreter.h"
#include "probe.h"

enum bine_trace_kind {
    /* to a greenlet; the verb (0: a yield) and the object of the one that is left */
    BINE_TRACE_SWITCH = 1,
    BINE_TRACE_WAKE,      /* of a greenlet, by a greenlet or a cause */
    BINE_TRACE_SPAWN,     /* of a greenlet, at a site, with an argument */
    BINE_TRACE_NAME,      /* of a greenlet: the next 16 bytes of its name */
    BINE_TRACE_FUNCTION,  /* of a greenlet: the code and the type of bine_function */
    BINE_TRACE_END,       /* of a greenlet */
    BINE_TRACE_KILL,      /* of a greenlet, by a greenlet */
    BINE_TRACE_TURN,      /* begins */
    BINE_TRACE_TURNED,    /* the turn is over */
    BINE_TRACE_OFFLOAD,   /* of a greenlet, begins */
    BINE_TRACE_OFFLOADED, /* it is over */
};

/* What woke a greenlet, if no greenlet did. */
enum bine_trace_cause {
    BINE_TRACE_BY_TIMER = 1,
    BINE_TRACE_BY_POLLER,
    BINE_TRACE_BY_MESSAGE,
};

struct bine_trace_event {
    uint64_t when; /* ticks since the ring's beginning << 8 | kind */
    uint64_t a, b, c;
};

enum {
    BINE_TRACE_BLOCKS = 16,
    BINE_TRACE_CAUSE = 232
};

/* What the watchdog has found out about a greenlet that blocks the hub: see bine_blocked. */
struct bine_trace_block {
    uint64_t ticks;   /* the moment of the report, of the processor's counter */
    int64_t duration; /* so long it had blocked by then, ns */
    char cause[BINE_TRACE_CAUSE];
};

/* The ring of one hub. It is never freed, since another thread may read it. */
struct bine_trace {
    struct bine_trace *next; /* of all rings */
    struct bine_hub *hub;
    struct bine_trace_event *events;
    uint64_t room;             /* a power of two */
    _Atomic(uint64_t) written; /* so many events were ever recorded */
    uint64_t began_ticks;
    int64_t began; /* the same moment by CLOCK_MONOTONIC, ns */
    int64_t tid;
    uint32_t seen; /* the end of the ready queue at the last look */
    bool parks;    /* the current greenlet parks: what it is left for is no yield */
    /* The watchdog's thread writes these, so they are not among the events. */
    _Atomic(uint32_t) block_count; /* so many were ever written */
    struct bine_trace_block blocks[BINE_TRACE_BLOCKS];
};

#define BINE_TRACE_MAGIC "bine trace \x01\x02\x03"

struct bine_trace_control {
    char magic[16];
    struct bine_trace_control *self;
    uint32_t version;             /* of this layout */
    uint32_t room;                /* events in a new ring */
    atomic_uint_least32_t wanted; /* odd: hubs shall record, even: they shall not */
    uint32_t greenlet_name, greenlet_flags, greenlet_site, greenlet_arg; /* offsets in a record */
    uint32_t flag_named, flag_belongings, flag_root;
    _Atomic(struct bine_trace *) rings;
    _Atomic(const struct bine_interpreter *) *interpreter;
};

enum {
    BINE_TRACE_VERSION = 3,
    BINE_TRACE_ROOM = 65536
};

extern struct bine_trace_control bine_trace_control;

/* The processor's counter, whose rate is constant. */
static inline uint64_t bine_trace_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

/* What is asked for: the word of the control block, and whether a tracer is attached to a probe. */
static inline uint32_t bine_trace_asked(void)
{
    return (uint32_t)atomic_load_explicit(&bine_trace_control.wanted, memory_order_relaxed) << 1 |
           (bine_probes != 0);
}

/* The hub does what is asked for. */
void bine_trace_obey(struct bine_hub *hub);

static inline void bine_trace_look(struct bine_hub *hub)
{
    if (__builtin_expect(hub->trace_generation != bine_trace_asked(), 0))
        bine_trace_obey(hub);
}

/* The following record only if the hub has a ring, and so may be called anywhere outside of hot
 * paths. */
void bine_trace_note(struct bine_hub *hub, enum bine_trace_kind kind, uintptr_t a, uintptr_t b,
                     uintptr_t c);
/* What is new in the ready queue was woken by this greenlet or cause. */
void bine_trace_note_ready(struct bine_hub *hub, uintptr_t by);
void bine_trace_note_switch(struct bine_hub *hub, struct bine_greenlet *from,
                            struct bine_greenlet *to);
void bine_trace_note_end(struct bine_hub *hub, struct bine_greenlet *from);
/* For the watchdog's thread: the current greenlet of the hub blocks it. */
void bine_trace_note_block(const struct bine_hub *hub, int64_t duration, const char *cause);

static inline void bine_trace_event(struct bine_hub *hub, enum bine_trace_kind kind, const void *a,
                                    const void *b)
{
    if (__builtin_expect(hub->trace != NULL, 0))
        bine_trace_note(hub, kind, (uintptr_t)a, (uintptr_t)b, 0);
}

static inline void bine_trace_ready(struct bine_hub *hub, uintptr_t by)
{
    if (__builtin_expect(hub->trace != NULL, 0))
        bine_trace_note_ready(hub, by);
}

static inline void bine_trace_switch(struct bine_hub *hub, struct bine_greenlet *from,
                                     struct bine_greenlet *to)
{
    if (__builtin_expect(hub->trace != NULL, 0))
        bine_trace_note_switch(hub, from, to);
}

#endif

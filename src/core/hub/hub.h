/*
 * The hub: one per OS thread. It owns the ready queue, the timers and the stacks of its greenlets, and turns the
 * driver (the poller, seen from here) when nothing is ready. There is no hub stack: whoever parks runs
 * the hub's code on its own stack and switches straight to the next greenlet.
 */
#ifndef BINE_CORE_HUB_HUB_H
#define BINE_CORE_HUB_HUB_H

#include <bine/cpp/runtime.h>
#include <bine/hub.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/stack/stack.h"
#include "greenlet.h"
#include "message.h"
#include "ready.h"
#include "timer.h"

/*
 * What the hub needs of whatever brings events from outside. core has one of its own that knows only time and
 * messages (driver_futex.c); io puts a poller in its place at the first wait for a descriptor (bine_hub_set_driver).
 */
struct bine_driver {
    const char *name;
    /* Submit what was begun, wait until an event, a wake or `deadline` (absolute ns; 0: do not wait; INT64_MAX:
     * for ever), and deliver events: it may unpark greenlets and call notifies, it may not park. Returns the
     * number of events delivered, or -1 with EINTR when a signal handler ran. */
    int (*turn)(struct bine_driver *driver, int64_t deadline);
    /* Make a turn that waits (or the next one) return at once. Any thread, async-signal-safe. */
    void (*wake)(struct bine_driver *driver);
    /* Operations in flight whose completion can wake somebody: if none, waiting for ever is a deadlock. */
    size_t (*pending)(struct bine_driver *driver);
    /* In the child after fork: begin anew, forgetting all operations (their waiters are gone). */
    void (*forked)(struct bine_driver *driver);
    void (*close)(struct bine_driver *driver);
    /* The clock, absolute ns; NULL: CLOCK_MONOTONIC. The simulator has its own. */
    int64_t (*now)(struct bine_driver *driver);
    /* A random number to pick ready greenlets by; NULL: FIFO. Simulator only. */
    uint32_t (*random)(struct bine_driver *driver);
};

/* What a language runtime needs done around each switch of this hub: giving its global lock away before another greenlet runs, and
 * taking it again. `leave` runs in the greenlet that is about to park or yield, `back` in the same one when it goes on; `error` is what
 * its park will return, 0 after a yield. `refuse` runs where a park (for `object`, with `flags`) is about to fail at once because of a
 * kill, a scope or an interrupt, `error`, and says what it fails with; 0: it waits. `interrupted` runs where a call of libc fails with
 * EINTR. None of them may park; but `back` and `refuse` may let others run while they wait for the lock. */
struct bine_around {
    void *(*leave)(struct bine_hub *hub, struct bine_greenlet *g);
    void (*back)(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error);
    int (*refuse)(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object, unsigned flags);
    void (*interrupted)(struct bine_hub *hub, struct bine_greenlet *g);
};

/*
 * What of a thread's state follows its greenlets although neither the switch nor errno knows of it: thread-local variables of chosen
 * libraries, the locale. `pass` runs right before the switch from one greenlet to another, on the stack of `from`, and puts the state of
 * `from` away and that of `to` in its place. `room` is memory of that many bytes on the stack of `from`; it stays until `from` goes on.
 * `from` is NULL if that greenlet has ended; then there is no room. `pass` may neither park nor fail.
 */
struct bine_exchange {
    size_t room;
    void (*pass)(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to, void *room);
};

/*
 * Told of each turn that waits for events. `begins` runs when nothing is ready, before the driver is turned to wait; it may unpark, and then
 * the turn does not wait. `over` runs after a turn that waited, and may unpark. Neither may park.
 */
struct bine_recess {
    void (*begins)(struct bine_hub *hub);
    void (*over)(struct bine_hub *hub);
};

enum {
    BINE_SIGNALLED = 1 << 0,         /* a handler ran */
    BINE_SIGNALLED_RESTART = 1 << 1, /* ... while the root was parked, and calls go on after it (SA_RESTART) */
    BINE_SIGNALLED_BREAK = 1 << 2,   /* ... while the root was parked, and calls end with EINTR */
};

/* Of bine_hub.handled: the lower half counts handlers after which calls go on (SA_RESTART), the upper half those after which they end. */
#define BINE_HANDLED_RESTART UINT64_C(1)
#define BINE_HANDLED_BREAK (UINT64_C(1) << 32)

/* C++'s __cxa_eh_globals (Itanium C++ ABI 2.2.2): the stack of caught exceptions and the number of uncaught ones. */
struct bine_exception_globals {
    void *caught;
    unsigned uncaught;
};

struct bine_hub {
    struct bine_greenlet *current;
    struct bine_ready ready;
    /* With the ready queue's head here the slice is over: the driver is looked at although greenlets are ready. */
    uint32_t turn_at;
    union {
        struct {
            bool no_park;  /* inside a callback (link, notify, message): parking is an error */
            bool attended; /* around or exception_globals is set */
            union {
                struct {
                    bool simulated;  /* driver->random is set */
                    bool exchanging; /* exchange, fibers or further is set */
                };
                uint16_t
                    succession; /* either of them: the way from a greenlet that has ended to the next is not the shortest possible */
            };
        };
        uint32_t unusual; /* any of them: a switch is not the shortest possible */
    };
    const struct bine_around *around;                 /* NULL: nobody; see bine_hub_set_around */
    bool main_thread;                                 /* its end is the end of the process */
    struct bine_exception_globals *exception_globals; /* of this thread; NULL if no C++ runtime is known */
    struct bine_exchange *exchange;                   /* NULL: nothing; see bine_hub_set_exchange */

    struct bine_driver *driver;
    struct bine_timers timers;
    struct bine_stacks *stacks;
    bool refuses_discards; /* it ends, and its greenlets' discards have spawned generations of others */
    bool stacks_lost;      /* the kernel still owns buffers there: they are never unmapped */
    struct bine_inbox inbox;
    atomic_uint_least64_t life;   /* how many threads have had this record, this one included; other threads may look */
    atomic_bool over;             /* that thread has ended, and no longer touches what it left */
    atomic_uint holds;            /* its own until then, and those of bine_hub_hold */
    struct bine_hub *next_record; /* of all that were ever made; never changes */
    struct bine_greenlet *root;
    struct bine_greenlet *all; /* every greenlet that has not ended, the root included */
    size_t greenlets;          /* how many of these, root and hidden ones not counted */
    struct bine_waiters idle;  /* bine_idle */
    struct bine_waiters empty; /* bine_wait(NULL, 0, ...): until no greenlet is left */
    size_t external;           /* parked now with BINE_PARK_EXTERNAL, and engaged */
    size_t engaged;            /* bine_hub_engage */
    /* So many of the running timers, and of the driver's operations, never keep the hub waiting by themselves (bine_hub_engage). */
    size_t background_timers, background_operations;
    const struct bine_recess *recess; /* NULL: nobody; see there */
    /* BINE_SIGNALLED*: handlers that ran on this thread, noted by those who wrap them, until the next turn. */
    atomic_uchar signals;
    /* How many handlers have run on this thread, in units of BINE_HANDLED_*: for calls that park several times (signalled.h). */
    _Atomic(uint64_t) handled;
    uint64_t switches; /* at the end of the present slice, see bine_hub_switches */
    uint64_t turns;
    uint64_t streak;          /* calls since the last switch that did not have to wait (streak.h) */
    uint64_t streak_switches; /* with so many switches made the present streak began, if streak.c began it */
    int64_t streak_began;     /* and when */
    int64_t looked_at;        /* when timers and driver were looked at, as far as the clock was read for it */
    int64_t slice_began;      /* when the slice began that began with so many turns (schedule.c) */
    uint64_t slice_turns;
    uint32_t slice_length;     /* of the present slice, in switches */
    uint32_t slice_most;       /* what slices are made of that fewer are ready for */
    uint8_t streak_length;     /* what a streak may be that follows another one at once */
    void *io;                  /* the I/O layer's state for this hub */
    struct bine_hub *next_hub; /* of those that have ended */
    pthread_t thread;
    struct trip *trips;            /* errands that greenlets of this hub wait for (errand.c) */
    struct bine_scope *scopes;     /* that are open, the youngest first (sync/scope.c) */
    struct bine_greenlet *records; /* recycled greenlet records, linked by next */
    size_t records_made;           /* these and those in use: so many have room in the queue, and a timer */
    int default_stack_class;
    struct bine_driver futex_driver; /* driver_futex.c */
    atomic_int futex_woken;
    bool fibers;       /* somebody is told of switches (fiber.h), */
    void *root_bottom; /* and of the thread's own stack */
    size_t root_size;
    void *dead_fiber;  /* thread sanitizer: the fiber of the greenlet that ended last */
    unsigned runtimes; /* so many of the process's C++ runtimes are in exception_globals and these (exceptions.h) */
    unsigned further;
    struct bine_exception_globals *further_globals[BINE_CXX_RUNTIMES - 1];
};

/* The calling thread's hub, or NULL. Never cached across a switch by the compiler: greenlets do not move
 * between threads, so the address stays right for a greenlet's life. */
struct bine_hub *bine_hub_here(void);

/* Has the thread ended that had this record in that life? From any thread; "no" may be out of date at once, "yes" never is. */
static inline bool bine_hub_gone(const struct bine_hub *hub, uint64_t life)
{
    return bine_inbox_closed(&hub->inbox) || atomic_load_explicit(&hub->life, memory_order_relaxed) != life;
}

/* Is g another thread's? */
static inline bool bine_greenlet_foreign(const struct bine_greenlet *g)
{
    return g->hub != bine_hub_here();
}

/* Something outlives its thread and names this record: no other thread may have it before bine_hub_let_go. On the hub's thread, from an end hook.
 * Letting go: any thread. */
void bine_hub_hold(struct bine_hub *hub);
void bine_hub_let_go(struct bine_hub *hub);

/* Have `around` (NULL: nobody) called around each switch from now on. */
void bine_hub_set_around(struct bine_hub *hub, const struct bine_around *around);

/* Have `exchange` (NULL: nothing) passed at each switch from now on; it lives as long as it is set. The hub's own thread. */
void bine_hub_set_exchange(struct bine_hub *hub, struct bine_exchange *exchange);

/* How often this hub went from one greenlet to the next: a figure for dumps. */
uint64_t bine_hub_switches(const struct bine_hub *hub);

/* Replace the driver (io: at the first wait for a descriptor). The old one is closed. */
void bine_hub_set_driver(struct bine_hub *hub, struct bine_driver *driver);

/* Absolute nanoseconds of the hub's clock, read anew. hub may be NULL. */
int64_t bine_hub_now(struct bine_hub *hub);

/* now + duration, saturating at INT64_MAX. */
int64_t bine_hub_deadline(struct bine_hub *hub, int64_t duration);

/*
 * Something other than a greenlet keeps the hub: until it is released, somebody from outside may wake greenlets, so waiting for ever is no
 * deadlock, and whoever waits for the hub's last greenlet waits for this, too. The hub's own thread.
 *
 * Timers and operations that are begun for such a thing are counted in background_timers and background_operations by whoever begins them: they
 * alone keep nobody waiting.
 */
void bine_hub_engage(struct bine_hub *hub);
void bine_hub_release(struct bine_hub *hub);

/* Called by every layer that keeps state per hub: run on its thread when a hub is made, when it ends, and in the child after fork.
 * `started` returns 0 or ENOMEM; then the hub ends at once. */
void bine_hub_on_start(int (*started)(struct bine_hub *hub));
void bine_hub_on_end(void (*ended)(struct bine_hub *hub));
void bine_hub_on_fork(void (*forked)(struct bine_hub *hub));

/* across/errand.c: the hub ends, and nobody waits for the errands of its greenlets any more. Its inbox is closed. */
void bine_errands_end(struct bine_hub *hub);

/* Tell the deadlock check of runtime threads (offload) that come and go by +1 and -1: they wake nobody unasked. */
void bine_hub_runtime_threads(int change);
/* The calling thread is one of those: for a hub that is made on it all other threads can wake. */
void bine_hub_runtime_thread(void);

/* Called in the turn after signal handlers were noted in hub->signals, with the root's park ended if it had to. May unpark, may not
 * park. One function only. */
void bine_hub_on_signal(void (*signalled)(struct bine_hub *hub));
/* Attend to hub->signals now. */
void bine_hub_take_signals(struct bine_hub *hub);

/* Visit every hub. One that ends meanwhile may be visited, too, so send it messages and touch nothing else. No lock is held. */
void bine_hub_each(void (*visit)(struct bine_hub *hub, void *arg), void *arg);

#endif

/*
 * The hub. Each OS thread that runs greenlets has one.
 *
 * The hub owns the ready queue, the timers and the stacks of its greenlets. It turns the driver
 * (the poller, seen from here) when no greenlet is ready. It has no stack of its own: a greenlet
 * that parks runs the hub's code on its own stack and switches straight to the next greenlet.
 */
#ifndef BINE_CORE_HUB_HUB_H
#define BINE_CORE_HUB_HUB_H

#include <bine/cpp/runtime.h>
#include <bine/hub.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/stack/stack.h"
#include "greenlet.h"
#include "message.h"
#include "park_notes.h"
#include "ready.h"
#include "timer.h"

/*
 * What the hub asks for events from outside. Core has a driver that knows only time and messages
 * (driver_futex.c). io puts a poller in its place at the first wait for a descriptor
 * (bine_hub_set_driver).
 */
struct bine_driver {
    const char *name;
    /* Submits what was begun, waits until an event, a wake or `deadline`, and delivers events.
     * `deadline` is absolute, in ns; 0 means not to wait, INT64_MAX to wait for ever. It may unpark
     * greenlets and call notifies. It may not park. Returns the number of events delivered, or -1
     * with EINTR when a signal handler ran. */
    int (*turn)(struct bine_driver *driver, int64_t deadline);
    /* Makes a turn that waits (or the next one) return at once. Any thread, async-signal-safe. */
    void (*wake)(struct bine_driver *driver);
    /* Returns the number of operations in flight whose completion can wake a greenlet. If there is
     * none, waiting for ever is a deadlock. */
    size_t (*pending)(struct bine_driver *driver);
    /* Called in the child after a fork. Begins anew and forgets all operations: their waiters are
     * gone. */
    void (*forked)(struct bine_driver *driver);
    void (*close)(struct bine_driver *driver);
    /* The clock, absolute ns. NULL: CLOCK_MONOTONIC. The simulator has its own. */
    int64_t (*now)(struct bine_driver *driver);
    /* A random number that picks among the ready greenlets. NULL: first in, first out. Only the
     * simulator has it. */
    uint32_t (*random)(struct bine_driver *driver);
    /* Would a turn bring or begin anything? Any thread, as long as the hub has not ended. The
     * answer may be out of date at once. NULL: it is not known. */
    bool (*due)(struct bine_driver *driver);
};

/* What the watchdog saw of a hub at its last look (core/watch). Only its thread touches it. */
struct bine_watched {
    uint32_t head;     /* of the ready queue: it moves with each switch */
    int64_t since;     /* when `head` was first seen; 0: the hub was asleep */
    int64_t processor; /* the processor time that the hub's thread had used then */
    bool reported;
};

/*
 * What a language runtime needs done around each switch of this hub. It gives its global lock away
 * before another greenlet runs, and takes the lock again afterwards. None of the functions may
 * park. But `back` and `refuse` may let others run while they wait for the lock.
 *
 * - `leave` runs in the greenlet that is about to park or yield.
 * - `back` runs in the same greenlet when it is switched back to. `error` is what its park will
 *   return, or 0 after a yield.
 * - `refuse` runs where a park (for `object`, with `flags`) is about to fail at once with `error`
 *   because of a kill, a scope or an interrupt. It returns the error number that the park fails
 *   with. 0 means that the park waits.
 * - `interrupted` runs where a call of libc fails with EINTR.
 */
struct bine_around {
    void *(*leave)(struct bine_hub *hub, struct bine_greenlet *g);
    void (*back)(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error);
    int (*refuse)(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                  unsigned flags);
    void (*interrupted)(struct bine_hub *hub, struct bine_greenlet *g);
};

/*
 * The part of a thread's state that follows its greenlets although neither the switch nor errno
 * knows of it: thread-local variables of chosen libraries, the locale.
 *
 * `pass` runs right before the switch from one greenlet to another, on the stack of `from`. It puts
 * the state of `from` away and that of `to` in its place. `room` is that many bytes of memory on
 * the stack of `from`, which stay until `from` runs again. `from` is NULL if that greenlet has
 * ended; then there is no room. `pass` may neither park nor fail.
 */
struct bine_exchange {
    size_t room;
    void (*pass)(struct bine_hub *hub, struct bine_greenlet *from, struct bine_greenlet *to,
                 void *room);
};

/*
 * Functions that are called around each turn that waits for events. `begins` runs when no greenlet
 * is ready, before the driver is turned to wait. It may unpark, and then the turn does not wait.
 * `over` runs after a turn that waited, and may unpark. Neither may park.
 */
struct bine_recess {
    void (*begins)(struct bine_hub *hub);
    void (*over)(struct bine_hub *hub);
};

enum {
    BINE_SIGNALLED = 1 << 0, /* a handler ran */
    /* ... while the root was parked, and calls continue after it (SA_RESTART) */
    BINE_SIGNALLED_RESTART = 1 << 1,
    BINE_SIGNALLED_BREAK = 1 << 2, /* ... while the root was parked, and calls end with EINTR */
};

/* The units of bine_hub.handled. The lower half counts handlers after which calls continue
 * (SA_RESTART). The upper half counts handlers after which calls fail with EINTR. */
#define BINE_HANDLED_RESTART UINT64_C(1)
#define BINE_HANDLED_BREAK (UINT64_C(1) << 32)

/* C++'s __cxa_eh_globals (Itanium C++ ABI 2.2.2): the stack of caught exceptions and the number of
 * uncaught ones. */
struct bine_exception_globals {
    void *caught;
    unsigned uncaught;
};

struct bine_hub {
    struct bine_greenlet *current;
    struct bine_ready ready;
    /* The slice is over when the ready queue's head is here. Then the driver is looked at although
     * greenlets are ready. */
    uint32_t turn_at;
    union {
        struct {
            bool no_park;  /* a callback runs (link, notify, message): parking is an error */
            bool attended; /* around or exception_globals is set */
            union {
                struct {
                    bool simulated;  /* driver->random is set */
                    bool exchanging; /* exchange, fibers, further, trace or owns is set */
                };
                uint16_t
                    /* Either of these is set: the path from a greenlet that has ended to the next
                     * is not the shortest possible. */
                    succession;
            };
        };
        uint32_t unusual; /* any of these is set: a switch is not the shortest possible */
    };
    const struct bine_around *around; /* NULL if there is none; see bine_hub_set_around */
    bool main_thread;                 /* the end of this thread is the end of the process */
    /* this thread's; NULL if no C++ runtime is known */
    struct bine_exception_globals *exception_globals;
    struct bine_exchange *exchange; /* NULL if nothing is exchanged; see bine_hub_set_exchange */

    struct bine_driver *driver;
    struct bine_timers timers;
    struct bine_stacks *stacks;
    /* The hub is ending, and the discards of its greenlets have spawned generation after
     * generation. */
    bool refuses_discards;
    bool stacks_lost; /* the kernel still owns buffers on its stacks: they are never unmapped */
    struct bine_inbox inbox;
    /* How many threads have had this record, this one included. Other threads may look. */
    atomic_uint_least64_t life;
    atomic_bool over; /* that thread has ended, and no longer touches what it left */
    /* The hub's own hold until its thread has ended, and the holds of bine_hub_hold. */
    atomic_uint holds;
    struct bine_hub *next_record; /* the next of all that were ever made; never changes */
    struct bine_greenlet *root;
    struct bine_greenlet *all; /* every greenlet that has not ended, the root included */
    size_t greenlets;          /* how many of these, without the root and hidden ones */
    struct bine_waiters idle;  /* the waiters of bine_idle */
    /* the waiters of bine_wait(NULL, 0, ...), until no greenlet is left */
    struct bine_waiters empty;
    size_t external; /* greenlets parked now with BINE_PARK_EXTERNAL, plus `engaged` */
    size_t engaged;  /* see bine_hub_engage */
    /* So many of the running timers, and of the driver's operations, never keep the hub waiting by
     * themselves (bine_hub_engage). */
    size_t background_timers, background_operations;
    const struct bine_recess *recess; /* NULL if there is none; see struct bine_recess */
    /* BINE_SIGNALLED*: the handlers that ran on this thread since the last turn. The functions that
     * wrap handlers note them. */
    atomic_uchar signals;
    /* How many handlers have run on this thread, in units of BINE_HANDLED_*. For calls that park
     * several times (signalled.h). */
    _Atomic(uint64_t) handled;
    uint64_t switches; /* the count at the end of the present slice, see bine_hub_switches */
    uint64_t turns;
    uint64_t streak; /* calls in a row that did not have to wait (core/schedule/streak.h) */
    uint64_t streak_switches; /* `switches` when the present streak began, if streak.c began it */
    int64_t streak_began;     /* the time at which it began */
    /* when timers and driver were last looked at, as far as the clock was read for it */
    int64_t looked_at;
    int64_t slice_began; /* when the slice began at which `turns` was slice_turns (schedule.c) */
    uint64_t slice_turns;
    uint32_t slice_length;     /* the length of the present slice, in switches */
    uint32_t slice_most;       /* the length of a slice when fewer greenlets than this are ready */
    uint8_t streak_length;     /* the longest streak that may follow another one at once */
    void *io;                  /* the I/O layer's state for this hub */
    struct bine_hub *next_hub; /* the next record whose thread has ended */
    pthread_t thread;
    pid_t tid;          /* the kernel's number of the thread */
    struct trip *trips; /* errands for which greenlets of this hub wait (errand.c) ... */
    /* ... and what is called at the hub's end if there are some, when its inbox is closed */
    void (*trips_end)(struct bine_hub *hub);
    struct bine_scope *scopes;     /* the open ones, the youngest first (sync/scope.c) */
    struct bine_greenlet *records; /* recycled greenlet records, linked by next_free */
    /* How many records there are, in use or free. The ready queue has room for so many, and each
     * has a timer. */
    size_t records_made;
    /* What notes parks, or NULL if none are noted (park_notes.h). Then `around` is this, and
     * `around_noted` is what bine_hub_set_around was given. */
    const struct bine_around *notes;
    const struct bine_around *around_noted;
    bine_park_note *park_notes[BINE_PARK_NOTES];
    /* When each greenlet parked last, by its number, if that is noted (park_times.h). */
    int64_t *park_times;
    size_t park_times_room;
    struct bine_park_counts *park_counts; /* NULL: parks are not counted (core/park_counts.c) */
    int default_stack_class;
    struct bine_driver futex_driver; /* driver_futex.c */
    atomic_int futex_woken;
    bool owns;                /* greenlets may have threads of their own (own.h); ... */
    void *thread_pointer;     /* ... all others run on this one */
    struct bine_own_hub *own; /* src/own */
    bool fibers;              /* a sanitizer is told of switches (core/schedule/fiber.h) ... */
    void *root_bottom;        /* ... and of the bounds of the thread's own stack */
    size_t root_size;
    void *dead_fiber; /* ThreadSanitizer's fiber of the greenlet that ended last */
    /* So many of the process's C++ runtimes are in exception_globals and in further_globals
     * (core/schedule/exceptions.h). */
    unsigned runtimes;
    unsigned further;
    struct bine_exception_globals *further_globals[BINE_CXX_RUNTIMES - 1];
    /* The hub waits inside a turn: nobody waits for it. Other threads may look. */
    atomic_bool asleep;
    /* The watchdog's signal interrupted that wait. It is no signal of the program's. */
    atomic_bool looked_into;
    struct bine_watched watched;
    struct bine_trace *trace;  /* NULL: events are not recorded (trace.h) */
    uint32_t trace_generation; /* the last request for or against a trace that the hub has obeyed */
};

/* This thread's hub. Initial-exec makes it one load. The address never changes for a greenlet,
 * because a greenlet never changes its thread. */
extern __attribute__((visibility("hidden"),
                      tls_model("initial-exec"))) _Thread_local struct bine_hub *bine_hub_of_thread;

/* Returns the calling thread's hub, or NULL. The compiler never keeps it across a switch. A caller
 * may: a greenlet never changes its thread, so the hub stays the same for the greenlet's life. */
struct bine_hub *bine_hub_here(void);

/* Has the thread ended that had this record in that life? Any thread may ask. "No" may be out of
 * date at once. "Yes" never is. */
static inline bool bine_hub_gone(const struct bine_hub *hub, uint64_t life)
{
    return bine_inbox_closed(&hub->inbox) ||
           atomic_load_explicit(&hub->life, memory_order_relaxed) != life;
}

/* Does g belong to another thread? */
static inline bool bine_greenlet_foreign(const struct bine_greenlet *g)
{
    return g->hub != bine_hub_here();
}

/* bine_hub_hold: something outlives its thread and names this record. No other thread gets the
 * record before bine_hub_let_go. An end hook calls it on the hub's thread. bine_hub_let_go may be
 * called on any thread. */
void bine_hub_hold(struct bine_hub *hub);
void bine_hub_let_go(struct bine_hub *hub);

/* Sets what is called around each switch from now on. NULL: nothing is. */
void bine_hub_set_around(struct bine_hub *hub, const struct bine_around *around);
/* What was set last. */
static inline const struct bine_around *bine_hub_get_around(const struct bine_hub *hub)
{
    return hub->notes ? hub->around_noted : hub->around;
}

/* Sets the exchange whose `pass` is called at each switch from now on. NULL: none. `exchange` must
 * live as long as it is set. Only the hub's own thread may call this. */
void bine_hub_set_exchange(struct bine_hub *hub, struct bine_exchange *exchange);

/* Returns how often this hub has switched from one greenlet to the next, for dumps. */
uint64_t bine_hub_switches(const struct bine_hub *hub);

/* Replaces the driver (io does so at the first wait for a descriptor). The old one is closed. */
void bine_hub_set_driver(struct bine_hub *hub, struct bine_driver *driver);

/* Reads the hub's clock anew: absolute nanoseconds. hub may be NULL. */
int64_t bine_hub_now(struct bine_hub *hub);

/* now + duration, saturating at INT64_MAX. */
int64_t bine_hub_deadline(struct bine_hub *hub, int64_t duration);

/*
 * Something other than a greenlet keeps the hub. Until it is released, another thread or the kernel
 * may wake greenlets, so waiting for ever is no deadlock. A greenlet that waits for the end of the
 * hub's last greenlet waits for the release, too. Only the hub's own thread may call this.
 *
 * The code that begins timers and operations for such a thing counts them in background_timers and
 * background_operations. They alone keep no greenlet waiting.
 */
void bine_hub_engage(struct bine_hub *hub);
void bine_hub_release(struct bine_hub *hub);

/* Each layer that keeps state for a hub sets functions here. They run on the hub's thread when the
 * hub is made, when it ends, and in the child after a fork. `started` returns 0 or ENOMEM; then the
 * hub ends at once. */
void bine_hub_on_start(int (*started)(struct bine_hub *hub));
void bine_hub_on_end(void (*ended)(struct bine_hub *hub));
void bine_hub_on_fork(void (*forked)(struct bine_hub *hub));

/* Adds `change` (+1 or -1) to the number of threads that belong to the runtime (offload). The
 * deadlock check ignores them: they never wake a greenlet on their own. */
void bine_hub_runtime_threads(int change);
/* The calling thread belongs to the runtime. A hub that is made on it can be woken by all other
 * threads. */
void bine_hub_runtime_thread(void);
/* Returns how many threads of the process may be there although none of the program's is, beside
 * those that the kernel makes: the calling one if it belongs to the program, and the runtime's. */
int bine_hub_runtime_threads_beside(void);

/* Sets the function that is called in the turn after signal handlers were noted in hub->signals.
 * The root's park has then been ended if it had to be. The function may unpark and may not park.
 * There is only one. */
void bine_hub_on_signal(void (*signalled)(struct bine_hub *hub));
/* Attends to hub->signals now. */
void bine_hub_take_signals(struct bine_hub *hub);

/* Visits every hub. It may also visit a hub that ends meanwhile. So `visit` may send the hub
 * messages and must touch nothing else of it. No lock is held. */
void bine_hub_each(void (*visit)(struct bine_hub *hub, void *arg), void *arg);

#endif

/*
 * What the parts of the extension share. Layers, as in the library: an arrow points down only.
 *
 *   module.c      names and types of bine._bine
 *   greenlet.c    the Greenlet type         timeout.c    Timeout        objects: event.c, semaphore.c, queue.c, channel.c
 *   arguments.c   the arguments of methods that are called often
 *   across.c      waits that any OS thread may end, and orders to another thread's hub
 *   io.c          descriptors that a greenlet waits for
 *   watch.c       what a thread sees of another one's greenlets
 *   waiting.c     a wait that Python sees: exceptions thrown into it, signals, LoopExit
 *   delivery.c    how an exception reaches a greenlet that waits in a call of libc
 *   signals.c     the signal that it takes, and those of the program
 *   identity.c    whom CPython takes for the main thread, and which thread sqlite3 is in
 *   cut.c         what comes instead of the error of a C extension that was cut short
 *   frames.c      where the Python frames of carriers lie
 *   tries.c       calls of the interpreter's objects that return at once
 *   state.c       a carrier's thread state: made, and wiped for the next greenlet
 *   tracing.c     the trace and profile functions that a new greenlet begins with
 *   switching.c   settrace(): a function that hears of switches
 *   package.c     PyPI's package greenlet in the same process
 *   loop*.c       the event loop and its watchers, hub_object.c the Hub of each thread (loop.h)
 *   interpreter.c the interpreter as an object to patch; which threads and locks of it stay real ones
 *   carrier.c     C greenlets that carry Python ones, each with a thread state of its own; the GIL around switches
 */
#ifndef BINE_PYTHON_H
#define BINE_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <bine.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/hub/park.h"
#include "core/hub/schedule.h"
#include "patch/table/interpreter.h"
#include "sync/object.h"

#if PY_VERSION_HEX < 0x030A0000
static inline int PyModule_AddObjectRef(PyObject *module, const char *name, PyObject *value)
{
    Py_XINCREF(value);
    return PyModule_AddObject(module, name, value);
}
#endif

struct bine_carrier;
struct bine_py_greenlet;
struct bine_py_timeout;
struct bine_py_tracing;

/* ---- signals.c --------------------------------------------------------------------------------------- */

int bine_signals_init(PyObject *module);
/* The reserved signal, 0: none. */
int bine_signal_reserved(void);
/* Mark the reserved signal as arrived, and have the current greenlet look at signals. With or without the GIL; async-signal-safe. */
void bine_signal_trip(void);
/* Have the carrier's greenlet, which is the current one, look at signals soon. carrier: or NULL. GIL held, or in a signal handler. */
void bine_signal_mark(const struct bine_carrier *carrier);

/* ---- identity.c -------------------------------------------------------------------------------------- */

/* Before the first patching. */
void bine_identity_init(void);
/* Find out which places look at signals, once, when threads are patched. GIL held. */
PyObject *bine_py_learn_identity(PyObject *module, PyObject *unused);
/* Are they known? */
bool bine_identity_known(void);
/* From now on they are answered with the main thread's identity, until the reserved signal's handler has run. Async-signal-safe. */
void bine_identity_seek(void);
void bine_identity_found(void);

/* ---- delivery.c -------------------------------------------------------------------------------------- */

/*
 * How far an exception has come that was thrown into a greenlet, or whose timeout is due. It stays pending, and each wait fails with EINTR,
 * until one place has raised it. See delivery.c.
 */
struct bine_delivery {
    uintptr_t object; /* what the wait was for that EINTR ended last */
    uint32_t round;   /* of handlers, when the caller was told */
    bool struck;      /* a park has failed with EINTR, and the call around it has not */
    bool told;        /* a call has failed with EINTR: whoever looks at signals finds one */
    bool ignored;     /* the caller did not look at them, and waits again for `object` */
};

/* The reserved signal's handler, called by CPython in whatever greenlet looks at signals. */
PyObject *bine_py_deliver(PyObject *module, PyObject *args);

/* ---- carrier.c --------------------------------------------------------------------------------------- */

/*
 * A C greenlet that runs Python, in g->slots[BINE_SLOT_PYTHON]. It has its own PyThreadState, made on its own stack by public API, so
 * that threading.local, contextvars, PyGILState and tracebacks are right by construction. Carriers are reused: a finished
 * Python greenlet leaves its thread state, wiped, to the next one, with its stack and the 16 KiB that CPython >= 3.11 maps
 * per state for frames (hazard 31).
 */
struct bine_carrier {
    struct bine_carrier *next; /* list of idle carriers */
    struct bine_greenlet *g;
    PyThreadState *state;             /* NULL for the root and for threads: theirs come and go (PyGILState_Ensure) */
    struct bine_py_greenlet *running; /* owned reference; NULL for the root and for threads that became greenlets */
    struct bine_py_greenlet *face;    /* owned: the object that getcurrent() answers with where `running` is NULL */
    PyObject *thrown;                 /* owned: an exception to raise in it at its next chance */
    struct bine_py_timeout *expired;  /* timeouts that are due but not raised yet, oldest first; set without the GIL */
    struct bine_py_timeout *timeouts; /* all that the greenlet has started, youngest first */
    struct bine_delivery delivery;
    PyObject *switched;   /* owned: what Greenlet.switch() passed to it and it has not fetched yet; NULL: nothing */
    bool switching;       /* it waits for just that */
    bool callback;        /* it calls callbacks of a loop now, which may not wait (BINE_A_CALLBACK) */
    bool left;            /* parked or yielding, and takes the GIL again with its own state when it goes on */
    bool shares_tracer;   /* with greenlets that it spawned, or its spawner (tracing.c) */
    unsigned waiting;     /* in a call of Bine's own: it raises the exception, no signal needed ... */
    unsigned without_gil; /* ... and in a part of it that has released the GIL, or not taken it again yet */
    bool has_room;        /* room above the stack's top (frames.c) ... */
    bool room_taken;      /* ... where its Python frames are */
};

/* Have the trace functions told of this thread's switches (bine_switch_tell(), bine_tracing_woken()), if any wants that now. */
void bine_carriers_tell(void);

/* ---- switching.c ------------------------------------------------------------------------------------- */

/* Is a function told of this thread's switches? */
bool bine_switch_told(void);
/* Tell it of the switch to the current greenlet, if there is one. GIL held. */
void bine_switch_tell(struct bine_hub *hub);
/* The thread's hub ends. GIL held. */
void bine_switch_end(void);
/* settrace(function or None), which returns the one before, and gettrace(). */
PyObject *bine_py_set_switch_tracer(PyObject *unused, PyObject *function);
PyObject *bine_py_get_switch_tracer(PyObject *unused, PyObject *nothing);

/* ---- signals.c, continued ---------------------------------------------------------------------------- */

/* A greenlet goes on, or begins. From CPython 3.13 on a pending signal is marked in one thread state: if the greenlet that ran when it came has not
 * looked at it, this one does. */
static inline void bine_signal_take_over(const struct bine_hub *hub, const struct bine_carrier *carrier)
{
#if PY_VERSION_HEX >= 0x030D0000
    if (__builtin_expect(atomic_load_explicit(&bine_identity_sought, memory_order_relaxed), 0) && hub->main_thread)
        bine_signal_mark(carrier);
#else
    (void)hub, (void)carrier;
#endif
}

/* ---- interpreter.c ----------------------------------------------------------------------------------- */

int bine_interpreter_init(void);
/* The object that CPython itself is in, as patching names it. */
const char *bine_interpreter_object(void);
/* Does that address lie in its code? */
bool bine_inside_interpreter(const void *address);
/* Does PyGILState find each greenlet's own state? Else nothing is patched, and only Bine's own calls park. */
extern bool bine_states_by_key;
/* Has there been a subinterpreter, where that matters? See gil.h. */
#if PY_VERSION_HEX < 0x030C0000
extern bool bine_check_is_blind;
/* The newest interpreter comes first in the list. */
static inline void bine_look_for_subinterpreter(void)
{
    if (__builtin_expect(PyInterpreterState_Head() != PyInterpreterState_Main(), 0))
        bine_check_is_blind = true;
}
#else
enum {
    bine_check_is_blind = false
};
#endif
/* Did the environment (BINE_DISABLE) turn patching off? */
bool bine_disabled(void);
/* call_with_real_threads(function, *args, **kwargs): threads that the interpreter starts meanwhile stay real ones. Up to 3.11, where it
 * cannot be known otherwise. */
PyObject *bine_py_call_with_real_threads(PyObject *module, PyObject *args, PyObject *kwargs);

/* ---- frames.c ---------------------------------------------------------------------------------------- */

/* Have the frames of carriers' thread states put into the room above their C stacks. */
void bine_frames_init(void);
/* May carriers of this hub have such room? */
bool bine_frames_wanted(const struct bine_hub *hub);

/* ---- state.c ----------------------------------------------------------------------------------------- */

int bine_state_init(void);
/* A thread state of its own for the carrier, current when this returns. */
void bine_state_new(struct bine_carrier *carrier);
/* Delete it. The caller holds the GIL before and not after. */
void bine_state_delete(struct bine_carrier *carrier);
/* Wipe what one greenlet left in the thread state and in the carrier's C greenlet, so that the next greenlet finds them as new. What was left may
 * have destructors, which may switch. */
void bine_state_wipe(struct bine_carrier *carrier);
/* Drop what others put into the state while the carrier was idle (PyEval_SetTraceAllThreads, PyThreadState_SetAsyncExc). */
void bine_state_check(struct bine_carrier *carrier);

/* ---- tracing.c --------------------------------------------------------------------------------------- */

int bine_tracing_init(void);
/* Note for a new greenlet what traces the current one. -1 with an exception. */
int bine_tracing_inherit(struct bine_py_greenlet *self);
/* Have the current greenlet, which is `self` before its first step, traced and profiled. -1 with an exception. */
int bine_tracing_begin(struct bine_py_greenlet *self);
/* Drop what bine_tracing_inherit() noted. */
void bine_tracing_forget(struct bine_py_greenlet *self);
/* Do greenlets of this thread share a trace function that is written in C? */
bool bine_tracing_shared(void);
/* The current greenlet goes on after a wait: tell its trace function if it is such a one. GIL held. */
void bine_tracing_woken(void);
/* The greenlet that the carrier ran has ended, or all of this thread's have (NULL). */
void bine_tracing_ended(struct bine_carrier *carrier);
int bine_tracing_traverse(struct bine_py_greenlet *self, visitproc visit, void *arg);

/* ---- tries.c ----------------------------------------------------------------------------------------- */

/* From now on calls that try for one of the interpreter's objects count, once, when threads are patched. GIL held. None. */
PyObject *bine_py_count_tries(PyObject *module, PyObject *unused);

/* ---- carrier.c, continued ---------------------------------------------------------------------------- */

int bine_carriers_init(PyObject *module);
/* A carrier for the current greenlet, which has none (root, threads). NULL with an exception. GIL held. */
struct bine_carrier *bine_carrier_make(void);
/* A greenlet has ended before it began: the C greenlet that would have run it is not needed. No effect if it is about to. */
void bine_carrier_cancel(struct bine_greenlet *g);
/* The carrier of g, or NULL. */
static inline struct bine_carrier *bine_carrier_of(struct bine_greenlet *g)
{
    return g->slots[BINE_SLOT_PYTHON];
}
/* The current greenlet's carrier, made if need be. NULL with an exception. GIL held. */
static inline struct bine_carrier *bine_carrier_current(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    struct bine_carrier *carrier = hub ? bine_carrier_of(hub->current) : NULL;
    return __builtin_expect(carrier != NULL, 1) ? carrier : bine_carrier_make();
}
/* Have a carrier run the greenlet (takes a reference of its own) as soon as the caller parks, or after delay ns. The carrier's C greenlet, borrowed,
 * or NULL with an exception. */
struct bine_greenlet *bine_carrier_start(struct bine_py_greenlet *greenlet, int64_t delay);
static inline bool bine_carrier_pending(const struct bine_carrier *carrier)
{
    return carrier->thrown || carrier->expired;
}

/* Make the carrier's greenlet notice that something is pending: its wait, or its next one, fails. With or without the GIL, on its hub's
 * thread. */
void bine_delivery_poke(struct bine_carrier *carrier);
/* Something was raised, or is pending no more: what is left, if anything, is for the next wait. */
void bine_delivery_done(struct bine_carrier *carrier);
/* A wait for `object` was ended by EINTR, but not by a call of Bine's own. The call around it may succeed all the same. */
void bine_delivery_struck(struct bine_carrier *carrier, uintptr_t object);
/* The interpreter is about to wait for a lock. If it was told in the same wait, it has ignored that. */
void bine_delivery_waits_again(struct bine_carrier *carrier, uintptr_t lock);
/* Of struct bine_around. */
int bine_delivery_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object, unsigned flags);
void bine_delivery_interrupted(struct bine_hub *hub, struct bine_greenlet *g);

/* ---- cut.c ------------------------------------------------------------------------------------------- */

/* An extension is about to fail because of what is pending in the current greenlet: have that raised instead of its error. False if
 * that cannot be done, because the greenlet is traced. GIL held. */
bool bine_cut_short(void);
/* Is that the trace function that bine_cut_short() sets? */
bool bine_cut_traces(Py_tracefunc function);

/* Each gives a PyMethodDef its function and flags. The method takes its arguments in a tuple and a dict (KEYWORDS), or as they lie on the
 * interpreter's stack, without names (FAST) or with them (FAST_NAMED). */
#define BINE_KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS
#define BINE_FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL
#define BINE_FAST_NAMED(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS

/* ---- arguments.c ------------------------------------------------------------------------------------- */

/* The arguments of a METH_FASTCALL | METH_KEYWORDS method, all of them optional, in the order of `names` (which NULL ends): those that were given
 * go to `values` (borrowed), where the others stay as they were. -1 with a TypeError. */
int bine_py_arguments(const char *function, const char *const *names, PyObject *const *given, Py_ssize_t count,
                      PyObject *keywords, PyObject **values);

/* ---- across.c ---------------------------------------------------------------------------------------- */

/* One greenlet that sleeps until somebody who holds the GIL wakes it, on any thread. It lies on the greenlet's stack. The GIL guards it. */
struct bine_py_sleeper {
    struct bine_message message; /* first; to the sleeper's hub */
    struct bine_waiter waiter;   /* in the queue of what it sleeps for */
    struct bine_carrier *carrier;
    struct bine_hub *hub;
    struct bine_py_sleeper *next, *previous; /* all that sleep */
    struct bine_py_sleeper **noted; /* a pointer to it elsewhere, cleared if the greenlet's thread ends; or NULL */
    void (*give_back)(struct bine_py_sleeper *sleeper); /* take back what it was given, if it cannot keep it; or NULL */
    PyObject *object;                                   /* for give_back */
    atomic_bool sent;                                   /* the message is on its way */
    bool linked;                                        /* in the list of all */
    bool served;                                        /* it was given what it sleeps for, whatever its park returns */
};

#define BINE_PY_SLEEPER(w) ((struct bine_py_sleeper *)((char *)(w)-offsetof(struct bine_py_sleeper, waiter)))

int bine_across_init(void);
/* The current greenlet, whose carrier that is, will sleep. Every begin needs an end, which may switch and keeps a current exception. */
void bine_py_sleeper_begin(struct bine_py_sleeper *sleeper, struct bine_carrier *carrier);
void bine_py_sleeper_end(struct bine_py_sleeper *sleeper);
/* Sleep in the queue (NULL: in none). As bine_py_park: 0 when woken or served, ETIME, EINTR, -1 with an exception. The caller looks whether what it
 * waits for has come, and may sleep again. */
int bine_py_sleep_in(struct bine_waiters *queue, struct bine_py_sleeper *sleeper, const char *verb, uintptr_t object,
                     int64_t deadline);
/* Sleep in the queue until bine_py_claim() serves the sleeper, and end it. 0, ETIME, or -1 with an exception. */
int bine_py_take_from(struct bine_waiters *queue, struct bine_py_sleeper *sleeper, const char *verb, void *object,
                      int64_t deadline);
/* Sleep until the object is ready. 1: it is; 0: the deadline has passed; -1 with an exception. */
int bine_py_watch(struct bine_waitable *waitable, const char *verb, int64_t deadline);
/* Wake it. False: its thread is ending. */
bool bine_py_wake(struct bine_py_sleeper *sleeper);
/* Serve the first sleeper of the queue. NULL: there is none. */
struct bine_py_sleeper *bine_py_claim(struct bine_waiters *queue);
/* The hub ends: its sleepers never run again. GIL held. */
void bine_py_sleepers_end(struct bine_hub *hub);

/* What another thread's hub is asked to do, between two greenlets, with the GIL. `gone`: that thread has ended, or is about to. An exception is
 * reported. It may not wait. */
typedef void bine_py_order(PyObject *object, PyObject *argument, bool gone);
/* Send it to the hub in that life. It keeps references to both objects (argument: or NULL) meanwhile. 0, ESRCH or ENOMEM. */
int bine_py_order_there(struct bine_hub *hub, uint64_t life, bine_py_order *run, PyObject *object, PyObject *argument);

/* ---- waiting.c --------------------------------------------------------------------------------------- */

/* Park with the GIL held (it is released meanwhile). 0 when woken, ETIME when `deadline` (absolute, INT64_MAX: none) passed, -1 with an
 * exception: thrown into the greenlet, a timeout, a signal handler's, LoopExit. The caller unlinks its waiter in any case but 0. */
int bine_py_park(const char *verb, uintptr_t object, int64_t deadline);
/* What bine_py_park returns after a park that failed with `error`. */
int bine_py_park_failed(struct bine_carrier *carrier, int error);
/* Raise what is pending in the current greenlet: -1, or 0 if there is nothing. */
int bine_py_raise_pending(void);
/* Seconds (None: for ever; a number, also negative: at once) to an absolute deadline. -1 with an exception. */
int bine_py_deadline(PyObject *seconds, int64_t *deadline);
/* errno of a bine_ call as the Python exception that fits. NULL. */
PyObject *bine_py_error(int error);
/* Around a blocking call of libbine: what is thrown meanwhile is raised by the caller, not by a signal. `begin` raises what is pending already.
 * `end` looks at why the call failed (errno): 1: a signal handler ran, call again; ETIMEDOUT; -1 with an exception for everything else that
 * a wait can fail with; 0: some other errno, the object's own. */
int bine_py_wait_begin(void);
int bine_py_wait_end(bool failed);
/* The same begin, and the GIL is released for the call; and the GIL is taken again, before that end. errno stays. */
struct bine_py_outside {
    struct bine_carrier *carrier;
    PyThreadState *state;
};
int bine_py_leave_gil(struct bine_py_outside *outside);
void bine_py_take_gil(struct bine_py_outside *outside);
/* A call that may not wait found nothing. After many of these in a row other greenlets run, so that a loop that only tries does not keep them
 * from what it tries for. ETIME, or -1 with the exception that was thrown at the greenlet. */
int bine_py_refused(void);
/* What is left until an absolute deadline, for libbine's relative timeouts. */
int64_t bine_py_left(int64_t deadline);
/* The waitable record inside an object that wait() accepts, or NULL with a TypeError. */
struct bine_waitable *bine_py_waitable(PyObject *object);
/* Raise an instance again that was kept, with the traceback it had then (or NULL): else it would grow with each time. NULL. */
PyObject *bine_py_raise_again(PyObject *exception, PyObject *traceback);
/* Call close() of an object that an object of ours owned (NULL: none), and let go of it. Its failure is reported; the exception that is set stays. */
void bine_py_close(PyObject *object);
int bine_waiting_init(PyObject *module);
/* In a callback of the loop, which may not wait: an exception says so. With or without the GIL, by the current greenlet. */
void bine_py_refuse_callback(struct bine_carrier *carrier);
extern PyObject *bine_LoopExit, *bine_BlockingSwitchOutError;

/* ---- hub_object.c: the event loop (loop.h) ---------------------------------------------------------------- */

int bine_loops_init(PyObject *module);
/* The calling thread's Hub object, made if need be: a new reference, or NULL with an exception. The getter of several types. */
PyObject *bine_py_get_hub(PyObject *object, void *unused);

/* ---- package.c --------------------------------------------------------------------------------------- */

int bine_package_init(PyObject *module);
/* It is greenlet-local from now on, unless it was put aside for later. -1 with an exception. */
int bine_package_begin(void);
PyObject *bine_py_use_package(PyObject *module, PyObject *unused);
/* An exception (stolen) is about to be raised in the current greenlet because it was thrown there: what to raise. */
PyObject *bine_package_thrown(PyObject *exception);
/* An exception (stolen) ended a greenlet: what it ended with. */
PyObject *bine_package_ended(PyObject *exception);
extern PyObject *bine_GreenletExit;

/* ---- greenlet.c -------------------------------------------------------------------------------------- */

struct bine_py_greenlet {
    PyObject_HEAD struct bine_waitable waitable; /* ready: it has ended */
    struct bine_greenlet
        *carried_by;      /* borrowed, from its first step until the end; only its own thread may look inside */
    struct bine_hub *hub; /* of the thread that it belongs to ... */
    uint64_t life;        /* ... in that life of the hub's record */
    PyObject *run, *args, *kwargs;
    PyObject *value, *exception;     /* after the end; exception NULL: successful */
    PyObject *traceback;             /* the exception's */
    PyObject *links;                 /* list of (callable) or NULL */
    PyObject *context;               /* contextvars: a copy of the spawner's */
    PyObject *spawn_locals;          /* shared by the spawn tree */
    PyObject *spawner;               /* weak reference to the spawning greenlet, or NULL */
    PyObject *self;                  /* weak reference to this one, which those it spawns share; NULL: none so far */
    PyObject *name;                  /* NULL: made from the ident */
    struct bine_py_tracing *tracing; /* what traced the spawner, until the first step; NULL: nothing did */
    struct bine_py_stack *stack;     /* where it was spawned, or NULL: that is not noted */
    PyObject *dict, *weak_references;
    unsigned long ident; /* minimal_ident, 0: not asked for yet */
    uint8_t state;       /* enum bine_py_state */
    bool called;         /* run() has called its function: value or exception is the outcome */
};

enum bine_py_state {
    BINE_PY_NEW,
    BINE_PY_STARTED,
    BINE_PY_RUNNING,
    BINE_PY_ENDED
};

extern PyTypeObject bine_Greenlet_Type;
int bine_greenlet_init(PyObject *module);
/* The object for the current greenlet: borrowed. NULL with an exception. */
struct bine_py_greenlet *bine_py_current(void);
/* track_spawning(wanted). */
PyObject *bine_py_track_spawning(PyObject *module, PyObject *wanted);
/* Run it in the current carrier, from its first step to its links. */
void bine_py_run(struct bine_py_greenlet *self);
/* The object for the greenlet of that carrier: borrowed. NULL with an exception. GIL held. */
struct bine_py_greenlet *bine_py_face_of(struct bine_carrier *carrier);
/* An object for a C greenlet that Python did not spawn (root, thread). New reference. */
struct bine_py_greenlet *bine_py_face(struct bine_greenlet *g);
/* Its thread has ended: so has it, as if it was killed. True if it has ended. */
bool bine_py_ended(struct bine_py_greenlet *self);
/* The hub ends: so have its greenlets. GIL held. */
void bine_py_greenlets_end(struct bine_hub *hub);
/* Throw an exception (instance, stolen) into the greenlet that carries `carrier`, on its thread. */
void bine_py_throw_into(struct bine_carrier *carrier, PyObject *exception);
/* Wait until somebody switches to the current greenlet: what was passed, a new reference, or NULL with an exception. */
PyObject *bine_py_wait_for_switch(void);
/* Throw an exception (instance, borrowed) into the main greenlet of this thread, which may be the current one. */
void bine_py_throw_into_root(PyObject *exception);

/* ---- event.c, semaphore.c, queue.c, channel.c ------------------------------------------------------------ */

int bine_event_init(PyObject *module);
int bine_semaphore_init(PyObject *module);
int bine_queue_init(PyObject *module);

/* ---- queue_hooks.c: queues whose class overrides _put, _get ... ------------------------------------------ */

/* Does the class override a hook of `base`? -1 with an exception. */
int bine_queue_hooked(PyTypeObject *class, PyTypeObject *base);
/* The function of bine._hooked by that name, with the queue in front of the arguments (tuple and dict, or NULL). */
PyObject *bine_queue_by_hooks(const char *name, PyObject *queue, PyObject *args, PyObject *kwargs);
/* What a method may take its arguments from. */
PyObject *bine_queue_hook_init(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_qsize(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_put(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_get(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_peek(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_create(PyObject *queue, PyObject *args);

/* ---- watch.c ----------------------------------------------------------------------------------------- */

int bine_watch_init(PyObject *module);
/* Who waits for what, as text. */
PyObject *bine_py_dump_text(void);

/* ---- io.c -------------------------------------------------------------------------------------------- */

int bine_io_init(PyObject *module);

int bine_collect_init(PyObject *module);
/* The waitable record inside, NULL if it is none of these types. For bine_py_waitable. */
struct bine_waitable *bine_py_event_waitable(PyObject *object);
struct bine_waitable *bine_py_semaphore_waitable(PyObject *object);
struct bine_waitable *bine_py_queue_waitable(PyObject *object);

/* ---- timeout.c --------------------------------------------------------------------------------------- */

extern PyTypeObject bine_Timeout_Type;
int bine_timeout_init(PyObject *module);
/* The carrier's greenlet has ended: what it had started concerns nobody any more. With or without the GIL, on its hub's thread. */
void bine_timeouts_abandon(struct bine_carrier *carrier);
/* The oldest expired timeout of the carrier as an exception to raise: new reference. */
PyObject *bine_py_expired_exception(struct bine_carrier *carrier);
/* The seconds of a call's timeout argument, which may be a Timeout of the caller's: borrowed. */
PyObject *bine_py_timeout_seconds(PyObject *timeout);
/* A wait with the argument `timeout` is over: `outcome` is 0, ETIME when its limit passed, or -1 with an exception. A Timeout object that was given is
 * stopped. If it was what ended the wait the outcome is ETIME, or -1 with the exception that it was made with. */
int bine_py_timeout_waited(PyObject *timeout, int outcome);
/* Raise a Timeout of that many seconds (None: without a number), or the caller's own. NULL. */
PyObject *bine_py_raise_timeout(PyObject *timeout);

#endif

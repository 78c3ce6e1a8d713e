/*
 * A carrier: what a C greenlet that runs Python has beside the C greenlet's own record. It lies in
 * g->slots[BINE_SLOT_PYTHON].
 *
 * A carrier has a PyThreadState of its own, made on its own stack by public API. So
 * threading.local, contextvars, PyGILState and tracebacks are right by construction. carry.h says
 * how carriers are reused.
 */
#ifndef BINE_EXT_CARRIER_H
#define BINE_EXT_CARRIER_H

#include "base/python.h"
#include "core/hub/greenlet.h"
#include "core/schedule/park.h"
#include "core/schedule/schedule.h"

struct bine_py_greenlet;
struct bine_py_timeout;

/*
 * How far an exception has come that was thrown into a greenlet, or whose timeout is due. It stays
 * pending, and each wait fails with EINTR, until one place has raised it (delivery.c).
 */
struct bine_delivery {
    uintptr_t object; /* what the wait was for that EINTR ended last */
    uint32_t round;   /* of handlers, when the caller was told */
    bool struck;      /* a park has failed with EINTR, and the call around it has not */
    bool told;        /* a call has failed with EINTR: its caller finds a signal when it looks */
    bool ignored;     /* the caller did not look at signals, and waits again for `object` */
};

struct bine_carrier {
    struct bine_carrier *next; /* list of idle carriers */
    struct bine_greenlet *g;
    PyThreadState *state; /* NULL for the root and for threads: theirs come and go
                                       * (PyGILState_Ensure) */
#if PY_VERSION_HEX >= 0x030F0000
    PyThreadState *own; /* of these, the one that it parked with last */
#endif
    struct bine_py_greenlet *running; /* owned reference; NULL for the root and for threads that
                                       * became greenlets */
    struct bine_py_greenlet *face;    /* owned: the object that getcurrent() answers with where
                                       * `running` is NULL */
    PyObject *thrown;                 /* owned: an exception to raise in it at its next chance */
    struct bine_py_timeout *expired;  /* timeouts that are due but not raised yet, oldest first;
                                       * set without the GIL */
    struct bine_py_timeout *timeouts; /* all that the greenlet has started, youngest first */
    struct bine_delivery delivery;
    PyObject *switched;   /* owned: what Greenlet.switch() passed to it and it has not fetched
                           * yet; NULL: nothing */
    bool switching;       /* it waits for just that */
    bool callback;        /* it calls callbacks of a loop now, which may not wait
                           * (BINE_A_CALLBACK) */
    bool left;            /* parked or yielding, and takes the GIL again with its own state when
                           * it goes on */
    bool shares_tracer;   /* with greenlets that it spawned, or its spawner (tracing.c) */
    unsigned waiting;     /* in a call of Bine's own: it raises the exception, no signal needed
                           * ... */
    unsigned without_gil; /* ... and in a part of it that has released the GIL, or not taken it
                           * again yet */
    bool own_thread;      /* its C greenlet has one */
    bool has_room;        /* room above the stack's top (frames.c) ... */
    bool room_taken;      /* ... where its Python frames are */
};

/* Make a carrier for the current greenlet, which has none (root, threads). Returns NULL with an
 * exception. GIL held. */
struct bine_carrier *bine_carrier_make(void);
/* The carrier of g, or NULL. */
static inline struct bine_carrier *bine_carrier_of(struct bine_greenlet *g)
{
    return g->slots[BINE_SLOT_PYTHON];
}
/* The current greenlet's carrier, made if need be. Returns NULL with an exception. GIL held. */
static inline struct bine_carrier *bine_carrier_current(void)
{
    struct bine_hub *hub = bine_hub_of_thread;
    struct bine_carrier *carrier = hub ? bine_carrier_of(hub->current) : NULL;
    return __builtin_expect(carrier != NULL, 1) ? carrier : bine_carrier_make();
}
static inline bool bine_carrier_pending(const struct bine_carrier *carrier)
{
    return carrier->thrown || carrier->expired;
}

/* The two that can ask to hear of each switch: settrace()'s function, and trace functions in C. */
enum bine_hearer {
    BINE_HEARS_SWITCHES,
    BINE_HEARS_WAKES,
    BINE_HEARERS
};
/* Register what is called, with the GIL, when a greenlet of the hub goes on after a wait on a
 * thread that asked for it. */
void bine_carrier_on_switch(enum bine_hearer hearer, void (*woken)(struct bine_hub *hub));
/* From now on the hearer is called on this thread, or no more. A switch costs nothing more while
 * nobody asks. */
void bine_carrier_tell(enum bine_hearer hearer, bool wanted);

/* Hubs get their functions around a switch from now on, this thread's at once if it has one. */
void bine_carrier_init(void);
/* This thread's hub ends: another one would get the functions anew, and nobody hears of its
 * switches. */
void bine_carrier_hub_ended(void);

#endif

/* The Greenlet type: gevent's, on carriers. Its files: greenlet_parts.h. */
#ifndef BINE_EXT_GREENLET_H
#define BINE_EXT_GREENLET_H

#include "carrier/carrier.h"
#include "core/hub/waitable.h"

struct bine_py_tracing;

struct bine_py_greenlet {
    PyObject_HEAD struct bine_waitable waitable; /* ready: it has ended */
    struct bine_greenlet *carried_by; /* borrowed, from its first step until the end; only its
                                       * own thread may look inside */
    struct bine_hub *hub;             /* of the thread that it belongs to ... */
    uint64_t life;                    /* ... in that life of the hub's record */
    PyObject *run, *args, *kwargs;
    PyObject *value, *exception;     /* after the end; exception NULL: successful */
    PyObject *traceback;             /* the exception's */
    PyObject *links;                 /* list of (callable) or NULL */
    PyObject *context;               /* contextvars: a copy of the spawner's */
    PyObject *spawn_locals;          /* shared by the spawn tree */
    PyObject *spawner;               /* weak reference to the spawning greenlet, or NULL */
    PyObject *self;                  /* weak reference to this one, which those it spawns share;
                                      * NULL: none so far */
    PyObject *name;                  /* NULL: made from the ident */
    struct bine_py_tracing *tracing; /* what traced the spawner, until the first step; NULL:
                                      * nothing did */
    struct bine_py_stack *stack;     /* where it was spawned, or NULL: that is not noted */
    PyObject *dict, *weak_references;
    unsigned long ident; /* minimal_ident, 0: not asked for yet */
    uint8_t state;       /* enum bine_py_state */
    bool own_thread;     /* it is to run in a C greenlet with a thread of its own */
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
/* The object for the carrier's greenlet, which may be one that Python did not spawn (root, thread):
 * borrowed. NULL with an exception. GIL held. */
struct bine_py_greenlet *bine_py_face_of(struct bine_carrier *carrier);
/* Start it, after `delay` ns. No effect if it was started before. -1 with an exception. */
int bine_greenlet_start_after(struct bine_py_greenlet *self, int64_t delay);
/* Wait until it is switched to: what was passed, a new reference, or NULL with an exception. */
PyObject *bine_py_wait_for_switch(void);
/* Throw an exception (instance, borrowed) into the main greenlet of this thread, which may be the
 * current one. */
void bine_py_throw_into_root(PyObject *exception);
/* track_spawning(wanted). */
PyObject *bine_py_track_spawning(PyObject *module, PyObject *wanted);

#endif

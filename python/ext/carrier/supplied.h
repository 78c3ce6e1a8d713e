/*
 * What the rooms above hand to this one when the module is initialised. A carrier runs objects that
 * it knows by pointer only; these functions do to them what the carrier cannot.
 */
#ifndef BINE_EXT_SUPPLIED_H
#define BINE_EXT_SUPPLIED_H

#include "carrier.h"

struct bine_supplied {
    /* By the room greenlet. Runs it in the current carrier, from its first step to its links. */
    void (*run)(struct bine_py_greenlet *self);
    /* It has ended in a child, where only the greenlet that forked lives on. The process ends with
     * it. */
    void (*exit_child)(struct bine_py_greenlet *self);
    /* Returns the object for the carrier's greenlet, which may be one that Python did not spawn
     * (root, thread): borrowed. Returns NULL with an exception. GIL held. */
    struct bine_py_greenlet *(*face_of)(struct bine_carrier *carrier);

    /* By the room wait. The carrier's greenlet has ended. What it had started concerns nobody any
     * more. With or without the GIL, on its hub's thread. */
    void (*abandon_timeouts)(struct bine_carrier *carrier);
    /* Returns the oldest expired timeout of the carrier as an exception to raise: a new
     * reference. */
    PyObject *(*expired_exception)(struct bine_carrier *carrier);
};

extern struct bine_supplied bine_supplied;

#endif

/*
 * What the rooms above supply to this one. A carrier runs objects that it knows by pointer only;
 * these functions do to them what the carrier cannot.
 */
#ifndef BINE_EXT_SUPPLIED_H
#define BINE_EXT_SUPPLIED_H

#include "carrier.h"

/* greenlet/greenlet_run.c: run it in the current carrier, from its first step to its links. */
void bine_py_run(struct bine_py_greenlet *self);
/* greenlet/greenlet_run.c: it has ended in a child, where only the greenlet that forked lives on.
 * The process ends with it. */
_Noreturn void bine_py_exit_child(struct bine_py_greenlet *self);
/* greenlet/greenlet.c: the object for the carrier's greenlet, which may be one that Python did not
 * spawn (root, thread): borrowed. NULL with an exception. GIL held. */
struct bine_py_greenlet *bine_py_face_of(struct bine_carrier *carrier);
/* wait/timeout.c: the carrier's greenlet has ended. What it had started concerns nobody any more.
 * With or without the GIL, on its hub's thread. */
void bine_timeouts_abandon(struct bine_carrier *carrier);
/* wait/timeout.c: the oldest expired timeout of the carrier as an exception to raise: a new
 * reference. */
PyObject *bine_py_expired_exception(struct bine_carrier *carrier);

#endif

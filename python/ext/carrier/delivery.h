/* How an exception reaches a greenlet that waits in a call of libc. */
#ifndef BINE_EXT_DELIVERY_H
#define BINE_EXT_DELIVERY_H

#include "carrier.h"

/* A wait for `object` was ended by EINTR, but not by a call of Bine's own. The call around it may
 * succeed all the same. */
void bine_delivery_struck(struct bine_carrier *carrier, uintptr_t object);
/* The interpreter is about to wait for a lock. If it was told in the same wait, it has ignored
 * that. */
void bine_delivery_waits_again(struct bine_carrier *carrier, uintptr_t lock);
/* Of struct bine_around. */
int bine_delivery_refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                         unsigned flags);
void bine_delivery_interrupted(struct bine_hub *hub, struct bine_greenlet *g);
/* The reserved signal's handler, called by CPython in the greenlet that looks at signals. */
PyObject *bine_py_deliver(PyObject *module, PyObject *args);

#endif

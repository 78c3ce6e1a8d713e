/* Orders: what another thread's hub is asked to do. */
#ifndef BINE_EXT_ORDER_H
#define BINE_EXT_ORDER_H

#include "base/python.h"

struct bine_hub;

/* What the other thread's hub does, between two greenlets, with the GIL. `gone`: that thread has
 * ended, or is about to. An exception is reported. It may not wait. */
typedef void bine_py_order(PyObject *object, PyObject *argument, bool gone);
/* Send it to the hub in that life. It keeps references to both objects (argument: or NULL)
 * meanwhile. Returns 0, ESRCH or ENOMEM. */
int bine_py_order_there(struct bine_hub *hub, uint64_t life, bine_py_order *run, PyObject *object,
                        PyObject *argument);

#endif

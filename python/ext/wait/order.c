/* Orders: what another thread's hub is asked to do. */
#include "order.h"

#include <errno.h>

#include "core/schedule/schedule.h"

struct order {
    struct bine_message message;
    struct bine_hub *hub;
    uint64_t life;
    bine_py_order *run;
    PyObject *object, *argument; /* owned */
};

static void order_carry_out(struct order *order, bool gone)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    order->run(order->object, order->argument, gone || bine_hub_gone(order->hub, order->life));
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(order->object);
    Py_DECREF(order->object);
    Py_XDECREF(order->argument);
    PyGILState_Release(gil);
    PyMem_RawFree(order);
}

static void order_arrived(struct bine_message *message)
{
    order_carry_out((struct order *)message, false);
}

static void order_dropped(struct bine_message *message)
{
    if (Py_IsInitialized())
        order_carry_out((struct order *)message, true);
}

int bine_py_order_there(struct bine_hub *hub, uint64_t life, bine_py_order *run, PyObject *object,
                        PyObject *argument)
{
    struct order *order = PyMem_RawMalloc(sizeof *order);
    if (!order)
        return ENOMEM;
    *order = (struct order){{NULL, order_arrived, order_dropped}, hub, life, run, object, argument};
    Py_INCREF(object);
    Py_XINCREF(argument);
    int error = bine_hub_gone(hub, life) ? ESRCH : bine_hub_send(hub, &order->message);
    if (error) {
        Py_DECREF(object);
        Py_XDECREF(argument);
        PyMem_RawFree(order);
    }
    return error;
}

/* What was thrown into a greenlet, or is due, and was not raised yet. */
#include "pending.h"

#include <errno.h>

#include "gil.h"
#include "greenlet_package.h"
#include "supplied.h"

static PyObject *blocking_switch_out_error;

void bine_pending_poke(struct bine_carrier *carrier)
{
    bine_interrupt(carrier->g, EINTR);
}

void bine_pending_done(struct bine_carrier *carrier)
{
    bine_pending_untell(carrier);
    carrier->delivery = (struct bine_delivery){0};
    if (bine_carrier_pending(carrier)) {
        bine_pending_poke(carrier);
        return;
    }
    carrier->g->interrupt = 0;
    carrier->g->attention &= (uint8_t)~BINE_A_INTERRUPT;
}

int bine_pending_raise(void)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_carrier *carrier = hub ? bine_carrier_of(hub->current) : NULL;
    PyObject *exception = carrier ? carrier->thrown : NULL;
    if (exception)
        carrier->thrown = NULL;
    else if (carrier && carrier->expired)
        exception = bine_supplied.expired_exception(carrier);
    if (!exception)
        return PyErr_Occurred() ? -1 : 0;
    bine_pending_done(carrier);
    exception = bine_package_thrown(exception);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return -1;
}

static void set_refusal(struct bine_carrier *carrier)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    carrier->thrown =
        PyObject_CallFunction(blocking_switch_out_error, "s",
                              "Impossible to call blocking function in the event loop callback");
    PyErr_Restore(type, value, traceback);
}

void bine_pending_refuse_callback(struct bine_carrier *carrier)
{
    if (bine_carrier_pending(carrier))
        return;
    if (bine_gil_state(carrier)) {
        set_refusal(carrier);
        return;
    }
    PyGILState_STATE gil = PyGILState_Ensure();
    set_refusal(carrier);
    PyGILState_Release(gil);
}

int bine_pending_init(PyObject *module)
{
    blocking_switch_out_error = PyErr_NewExceptionWithDoc(
        "bine.exceptions.BlockingSwitchOutError",
        "Raised in a callback of the event loop by a call that would wait.", PyExc_AssertionError,
        NULL);
    if (!blocking_switch_out_error)
        return -1;
    return PyModule_AddObjectRef(module, "BlockingSwitchOutError", blocking_switch_out_error);
}

/* How a Greenlet runs in its carrier, and how it ends. */
#include "base/error.h"
#include "carrier/carry.h"
#include "carrier/greenlet_package.h"
#include "carrier/pending.h"
#include "carrier/tracing.h"
#include "greenlet_parts.h"
#include "wait/timeout.h"

/* gevent's SYSTEM_ERROR: what must not vanish in a greenlet goes to the root, where a program
 * expects it. */
static bool is_system_error(PyObject *exception)
{
    return PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt) ||
           PyErr_GivenExceptionMatches(exception, PyExc_SystemExit) ||
           PyErr_GivenExceptionMatches(exception, PyExc_SystemError);
}

static void report_failure(Greenlet *self, PyObject *exception)
{
    PyObject *hook = PyImport_ImportModule("bine._report");
    PyObject *result = hook ? PyObject_CallMethod(hook, "failure", "OO", self, exception) : NULL;
    if (!result)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(result);
    Py_XDECREF(hook);
}

void bine_greenlet_call_links(Greenlet *self)
{
    while (self->links && PyList_GET_SIZE(self->links)) {
        PyObject *link = PyList_GET_ITEM(self->links, 0);
        Py_INCREF(link);
        if (PySequence_DelItem(self->links, 0) < 0)
            PyErr_WriteUnraisable(link);
        PyObject *result = PyObject_CallFunctionObjArgs(link, self, NULL);
        if (result) {
            Py_DECREF(result);
        } else {
            PyObject *exception = bine_py_take_exception();
            report_failure(self, exception);
            Py_XDECREF(exception);
        }
        Py_DECREF(link);
    }
}

void bine_py_throw_into_root(PyObject *exception)
{
    struct bine_carrier *root = bine_carrier_of(bine_hub_here()->root);
    if (!root)
        return;
    Py_INCREF(exception);
    bine_py_throw_into(root, exception);
}

/* value or exception (stolen) is what its function ended with. */
static void keep_outcome(Greenlet *self, PyObject *value, PyObject *exception)
{
    if (exception)
        exception = bine_package_ended(exception);
    if (exception && PyErr_GivenExceptionMatches(exception, bine_GreenletExit)) {
        value = exception;
        exception = NULL;
    }
    Py_XSETREF(self->value, value);
    Py_XSETREF(self->exception, exception);
    Py_XSETREF(self->traceback, exception ? PyException_GetTraceback(exception) : NULL);
}

/* value or exception (stolen) is what it ended with. */
void bine_greenlet_end(Greenlet *self, PyObject *value, PyObject *exception)
{
    bool begun = self->state == BINE_PY_RUNNING;
    keep_outcome(self, value, exception);
    exception = self->exception;
    self->state = BINE_PY_ENDED;
    self->carried_by = NULL;
    if (exception) {
        Py_INCREF(exception);
        if (is_system_error(exception)) {
            bine_py_throw_into_root(exception);
        } else {
            report_failure(self, exception);
        }
        Py_DECREF(exception);
    }
    /* Not before: a report names the function. */
    Py_CLEAR(self->run);
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwargs);
    /* Links first: what they spawn has begun when join() returns. Whoever kills one that has not
     * begun does not call them himself. */
    if (self->links && begun)
        bine_greenlet_call_links(self);
    else if (self->links && bine_greenlet_call_links_soon(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    if (!bine_waiters_empty(&self->waitable.watchers))
        bine_waitable_notify(&self->waitable);
}

/* The context is a copy of the spawner's, and decimal's context in it is an object that
 * getcontext() hands out to be changed. The greenlet has one of its own, equal to its spawner's, as
 * it has with threads and in gevent. */
static int own_decimal_context(PyObject *context)
{
    static PyObject *name;
    if (Py_TYPE(context)->tp_as_mapping->mp_length(context) == 0)
        return 0;
    if (!name && !(name = PyUnicode_InternFromString("decimal")))
        return -1;
    PyObject *module = PyImport_GetModule(name),
             *variables = module ? PyObject_GetIter(context) : NULL, *variable;
    bool has_one = false;
    while (variables && !has_one && (variable = PyIter_Next(variables))) {
        PyObject *its_name = PyObject_GetAttrString(variable, "name");
        has_one = its_name && PyUnicode_Check(its_name) &&
                  PyUnicode_CompareWithASCIIString(its_name, "decimal_context") == 0;
        Py_XDECREF(its_name);
        Py_DECREF(variable);
    }
    Py_XDECREF(variables);
    PyObject *shared = has_one ? PyObject_CallMethod(module, "getcontext", NULL) : NULL;
    PyObject *own = shared ? PyObject_CallMethod(shared, "copy", NULL) : NULL;
    PyObject *done = own ? PyObject_CallMethod(module, "setcontext", "O", own) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(own);
    Py_XDECREF(shared);
    Py_XDECREF(module);
    return PyErr_Occurred() ? -1 : 0;
}

/* ---- run() ----------------------------------------------------------------------------------- */

/* Most are of the class itself and have no attributes of a program's own. */
static bool is_plain(const Greenlet *self)
{
    return Py_TYPE(self) == &bine_Greenlet_Type && !self->dict;
}

/* The function that it calls: new reference. */
static PyObject *function_of(Greenlet *self)
{
    PyObject *set = self->run && self->dict ? PyDict_GetItemString(self->dict, "_run") : NULL;
    PyObject *function = set ? set : self->run;
    if (!function)
        return PyObject_GetAttrString((PyObject *)self, "_run");
    Py_INCREF(function);
    return function;
}

static PyObject *call_function(Greenlet *self)
{
    PyObject *function = function_of(self),
             *value = function ? PyObject_Call(function, self->args, self->kwargs) : NULL;
    Py_XDECREF(function);
    return value;
}

/* Of a subclass that overrides run(): that is what the greenlet does, and it need not call the one
 * that it overrides. */
static PyObject *call_run(Greenlet *self)
{
    PyObject *run = PyObject_GetAttrString((PyObject *)self, "run");
    if (run && PyCFunction_Check(run) && PyCFunction_GET_FUNCTION(run) == bine_greenlet_run_here) {
        Py_DECREF(run);
        return call_function(self);
    }
    PyObject *returned = run ? PyObject_CallNoArgs(run) : NULL;
    Py_XDECREF(run);
    if (!self->called) {
        if (returned) {
            Py_INCREF(Py_None);
            Py_SETREF(returned, Py_None);
        }
        return returned;
    }
    /* After the function's end, whose outcome stays. */
    PyObject *failed = returned ? NULL : bine_py_take_exception();
    if (failed && is_system_error(failed))
        bine_py_throw_into_root(failed);
    else if (failed && !PyErr_GivenExceptionMatches(failed, bine_GreenletExit))
        report_failure(self, failed);
    Py_XDECREF(failed);
    Py_XDECREF(returned);
    if (self->exception) {
        bine_py_raise_again(self->exception, self->traceback);
        return NULL;
    }
    PyObject *value = self->value ? self->value : Py_None;
    Py_INCREF(value);
    return value;
}

/* The greenlet has not begun: its function is called in the current one. */
static int run_in_caller(Greenlet *self)
{
    struct bine_carrier *carrier = bine_carrier_current();
    struct bine_greenlet *started = self->carried_by;
    if (!carrier)
        return -1;
    Py_INCREF(self);
    if (started)
        bine_carrier_cancel(started);
    self->carried_by = carrier->g;
    self->state = BINE_PY_RUNNING;
    PyObject *value = call_function(self), *exception = value ? NULL : bine_py_take_exception();
    bine_greenlet_end(self, value, exception);
    Py_DECREF(self);
    return 0;
}

PyObject *bine_greenlet_run_here(PyObject *object, PyObject *unused)
{
    Greenlet *self = (Greenlet *)object;
    (void)unused;
    if (bine_py_ended(self) || self->called)
        Py_RETURN_NONE;
    if (!self->args)
        return PyErr_Format(PyExc_AssertionError, "Greenlet.__init__ was not called");
    if (!bine_greenlet_here(self))
        return PyErr_Format(PyExc_RuntimeError, "%R belongs to another thread", object);
    const struct bine_carrier *carrier = bine_carrier_of(bine_hub_here()->current);
    if (self->state == BINE_PY_RUNNING && (!carrier || carrier->running != self))
        return PyErr_Format(PyExc_AssertionError, "%R runs already", object);
    self->called = true;
    if (self->state == BINE_PY_RUNNING) {
        PyObject *value = call_function(self), *exception = value ? NULL : bine_py_take_exception();
        keep_outcome(self, value, exception);
    } else if (run_in_caller(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

void bine_greenlet_run(Greenlet *self)
{
    PyObject *value = NULL;
    /* Killed, or run by somebody else, before its start. */
    if (self->state == BINE_PY_ENDED || self->called)
        return;
    self->state = BINE_PY_RUNNING;
    struct bine_carrier *carrier = bine_carrier_of(bine_hub_of_thread->current);
    self->carried_by = carrier->g;
    PyObject *context = self->context;
    self->context = NULL;
    bool entered = context && PyContext_Enter(context) == 0;
    if ((!entered || own_decimal_context(context) == 0) &&
        (!bine_carrier_pending(carrier) || bine_pending_raise() == 0) &&
        bine_tracing_begin(&self->tracing) == 0)
        value = __builtin_expect(is_plain(self), 1) ? call_function(self) : call_run(self);
    PyObject *exception = value ? NULL : bine_py_take_exception();
    if (exception && bine_carrier_pending(carrier)) {
        /* An extension that was cut short reported its own error instead (ECANCELED): what was
         * thrown is the reason. */
        bine_pending_raise();
        PyObject *reason = bine_py_take_exception();
        PyException_SetContext(reason, exception);
        exception = reason;
    }
    if (entered && PyContext_Exit(context) < 0)
        PyErr_Clear(); /* it left the context by itself */
    Py_XDECREF(context);
    bine_greenlet_end(self, value, exception);
    /* What was thrown too late is nobody's any more. */
    Py_CLEAR(carrier->thrown);
    Py_CLEAR(carrier->switched);
    if (carrier->timeouts)
        bine_timeouts_abandon(carrier);
    bine_pending_done(carrier);
}

/* Not by Py_Exit, which wants the thread state that the main program had in the parent. */
void bine_greenlet_exit_child(Greenlet *self)
{
    PyObject *exception = self->exception ? self->exception : Py_None;
    PyObject *report = PyImport_ImportModule("bine._report");
    PyObject *status = report ? PyObject_CallMethod(report, "child_ended", "O", exception) : NULL;
    if (!status)
        PyErr_Print();
    exit(status ? (int)PyLong_AsLong(status) : 1);
}

/*
 * What a thread sees of its greenlets, and of those of another thread: how often they have
 * switched, which of them runs, what they wait for. And a thread that stays a real one, to look
 * from.
 */
#include "monitor.h"

#include <bine/metrics.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/error.h"
#include "core/report/dump.h"
#include "greenlet.h"
#include "libc/libc.h"
#include "wait/loop_exit.h"

static PyObject *py_dump(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (!bine_carrier_current()) /* the first call on this thread makes its hub */
        return NULL;
    return bine_py_dump_text();
}

static PyObject *py_metrics(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    char *text = bine_metrics();
    if (!text)
        return PyErr_NoMemory();
    PyObject *result = PyUnicode_FromString(text);
    free(text);
    return result;
}

/*
 * The hub's fields are read while its thread may change them: a count that is one switch old is as
 * good. Which greenlet runs may change meanwhile as well, but not what carries Python: a carrier is
 * made and unmade with the GIL, which the caller holds.
 */
static PyObject *py_look(PyObject *module, PyObject *object)
{
    (void)module;
    if (!PyObject_TypeCheck(object, &bine_Greenlet_Type))
        return PyErr_Format(PyExc_TypeError, "expected a greenlet: %R", object);
    const struct bine_py_greenlet *greenlet = (struct bine_py_greenlet *)object;
    if (!greenlet->hub || bine_hub_gone(greenlet->hub, greenlet->life))
        Py_RETURN_NONE;
    const struct bine_hub *hub = greenlet->hub;
    struct bine_greenlet *current = hub->current;
    struct bine_carrier *carrier =
        current && current->state == BINE_READY ? bine_carrier_of(current) : NULL;
    struct bine_py_greenlet *running =
        carrier ? carrier->running ? carrier->running : carrier->face : NULL;
    PyObject *frame =
        running && carrier->state ? (PyObject *)PyThreadState_GetFrame(carrier->state) : NULL;
    PyObject *result =
        Py_BuildValue("(KOO)", (unsigned long long)bine_hub_switches(hub),
                      running ? (PyObject *)running : Py_None, frame ? frame : Py_None);
    Py_XDECREF(frame);
    return result;
}

static PyObject *frames_of_states; /* sys._current_frames as CPython has it */

struct frames {
    PyObject *by_ident;
    bool failed;
};

static void put_running(struct bine_hub *hub, void *arg)
{
    struct frames *frames = arg;
    struct bine_greenlet *current = hub->current;
    struct bine_carrier *carrier = current ? bine_carrier_of(current) : NULL;
    PyThreadState *state = carrier ? carrier->state : NULL;
    if (!state || frames->failed)
        return;
    unsigned long ident = state->thread_id;
    PyObject *frame = (PyObject *)PyThreadState_GetFrame(state);
    PyObject *key = frame ? PyLong_FromUnsignedLong(ident) : NULL;
    frames->failed = frame && (!key || PyDict_SetItem(frames->by_ident, key, frame) < 0);
    Py_XDECREF(key);
    Py_XDECREF(frame);
}

/* Greenlets of one thread have its identity where threads are not patched. CPython would answer
 * with the frame of the thread's oldest state, which is that of its main greenlet. */
static PyObject *py_current_frames(PyObject *module, PyObject *unused)
{
    struct frames frames = {PyObject_CallNoArgs(frames_of_states), false};
    (void)module, (void)unused;
    if (frames.by_ident && PyDict_Check(frames.by_ident))
        bine_hub_each(put_running, &frames);
    if (frames.failed)
        Py_CLEAR(frames.by_ident);
    return frames.by_ident;
}

static PyObject *py_waits_for(PyObject *module, PyObject *object)
{
    (void)module;
    if (!PyObject_TypeCheck(object, &bine_Greenlet_Type))
        return PyErr_Format(PyExc_TypeError, "expected a greenlet: %R", object);
    const struct bine_py_greenlet *greenlet = (struct bine_py_greenlet *)object;
    /* Only its own thread may look inside. */
    const struct bine_greenlet *g = greenlet->hub == bine_hub_here() ? greenlet->carried_by : NULL;
    if (!g || greenlet->state != BINE_PY_RUNNING || g->state != BINE_PARKED || !g->verb)
        Py_RETURN_NONE;
    if (g->verb == bine_wait_verb) {
        char objects[256];
        bine_dump_describe_wait(g->object, objects, sizeof objects);
        return PyUnicode_FromFormat("%s for %s", g->verb, objects);
    }
    if (g->object == 0)
        return PyUnicode_FromString(g->verb);
    return g->object < 65536 ? PyUnicode_FromFormat("%s %lu", g->verb, (unsigned long)g->object)
                             : PyUnicode_FromFormat("%s %p", g->verb, (void *)g->object);
}

static PyObject *py_set_hidden(PyObject *module, PyObject *hidden)
{
    (void)module;
    int wanted = PyObject_IsTrue(hidden);
    if (wanted < 0 || !bine_carrier_current())
        return NULL;
    struct bine_greenlet *g = bine_hub_here()->current;
    if (g == g->hub->root)
        return PyErr_Format(PyExc_RuntimeError, "the main greenlet cannot be hidden");
    if (wanted && !(g->flags & BINE_G_HIDDEN))
        bine_greenlet_hide(g);
    else if (!wanted && g->flags & BINE_G_HIDDEN)
        bine_greenlet_show(g);
    Py_RETURN_NONE;
}

struct beginning {
    PyObject *function; /* the thread's */
    sem_t has_state;
};

static void *run_thread(void *arg)
{
    struct beginning *beginning = arg;
    PyObject *function = beginning->function;
    PyGILState_STATE gil = PyGILState_Ensure();
    bine_libc.sem_post(&beginning->has_state);
    PyObject *result = PyObject_CallObject(function, NULL);
    if (!result)
        PyErr_WriteUnraisable(function);
    Py_XDECREF(result);
    Py_DECREF(function);
    PyGILState_Release(gil);
    return NULL;
}

static PyObject *py_start_real_thread(PyObject *module, PyObject *function)
{
    (void)module;
    if (!PyCallable_Check(function))
        return PyErr_Format(PyExc_TypeError, "Expected callable: %R", function);
    sigset_t all, before;
    pthread_t thread;
    struct beginning beginning = {.function = function};
    sem_init(&beginning.has_state, 0, 0);
    sigfillset(&all);
    Py_INCREF(function);
    /* Signals are for the program's own threads. */
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = bine_libc.pthread_create(&thread, NULL, run_thread, &beginning);
    if (!error) {
        /* CPython stops the threads that it knows when the interpreter ends. One that asked for its
         * state only then would run on 3.14, in an interpreter that is half gone. */
        PyThreadState *state = PyEval_SaveThread();
        bine_libc.sem_wait(&beginning.has_state); /* no signal interrupts it */
        PyEval_RestoreThread(state);
    }
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    sem_destroy(&beginning.has_state);
    if (error) {
        Py_DECREF(function);
        return bine_py_error(error);
    }
    bine_libc.pthread_detach(thread);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"dump", py_dump, METH_NOARGS,
     "dump()\n--\n\nThe greenlets of this thread and what each waits for, as text. Does not "
     "switch."},
    {"metrics", py_metrics, METH_NOARGS,
     "metrics()\n--\n\nThe figures of all hubs of the process as OpenMetrics text, which "
     "Prometheus reads. Any thread; does not switch."},
    {"look", py_look, METH_O,
     "look(greenlet)\n--\n\nThe thread of that greenlet: (how often its greenlets have switched, "
     "the one that runs now, its frame). None for the latter\n"
     "two if all wait, and for the frame of a main greenlet; None if the thread has ended. Any "
     "thread."},
    {"_current_frames", py_current_frames, METH_NOARGS,
     "_current_frames()\n--\n\nsys._current_frames: for each thread the frame of the greenlet that "
     "runs, or in whose turn the thread waits for events. Greenlets that have an identity of their "
     "own, as those of patched threads, have an entry of their own. Any thread; does not switch."},
    {"waits_for", py_waits_for, METH_O,
     "waits_for(greenlet)\n--\n\nWhat a greenlet of this thread waits for, as text: what it does, "
     "and the descriptor or the object. None if it does not wait."},
    {"set_hidden", py_set_hidden, METH_O,
     "set_hidden(hidden)\n--\n\nIs the current greenlet a helper, which wait() without objects "
     "does not wait for? Take it back before the greenlet ends."},
    {"start_real_thread", py_start_real_thread, METH_O,
     "start_real_thread(function)\n--\n\nCall it on a new OS thread, which stays one whatever is "
     "patched, and has no signals. It is not waited for when the\n"
     "interpreter exits. OSError EAGAIN if there can be no more threads."},
    {NULL, NULL, 0, NULL},
};

int bine_monitor_init(PyObject *module)
{
    PyObject *frames, *original = PySys_GetObject("_current_frames"); /* borrowed */
    if (PyModule_AddFunctions(module, functions) < 0)
        return -1;
    if (!original || frames_of_states)
        return 0;
    Py_INCREF(original);
    frames_of_states = original;
    frames = PyObject_GetAttrString(module, "_current_frames");
    int status = frames ? PySys_SetObject("_current_frames", frames) : -1;
    Py_XDECREF(frames);
    return status;
}

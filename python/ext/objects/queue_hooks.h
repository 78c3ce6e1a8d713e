/* Queues whose class overrides _put, _get and the like. */
#ifndef BINE_EXT_QUEUE_HOOKS_H
#define BINE_EXT_QUEUE_HOOKS_H

#include "base/python.h"

/* Does the class override a hook of `base`? -1 with an exception. */
int bine_queue_hooked(PyTypeObject *class, PyTypeObject *base);
/* Call the function of bine._hooked by that name, with the queue in front of the arguments (tuple
 * and dict, or NULL). */
PyObject *bine_queue_by_hooks(const char *name, PyObject *queue, PyObject *args, PyObject *kwargs);
/* The hooks themselves, as methods of the type. */
PyObject *bine_queue_hook_init(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_qsize(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_put(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_get(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_peek(PyObject *queue, PyObject *args);
PyObject *bine_queue_hook_create(PyObject *queue, PyObject *args);

#endif

/* Objects to wait for: Event and AsyncResult, semaphores and locks, queues and channels. */
#ifndef BINE_EXT_OBJECTS_H
#define BINE_EXT_OBJECTS_H

#include "base/python.h"

struct bine_waitable;

int bine_event_init(PyObject *module);
int bine_semaphore_init(PyObject *module);
int bine_queue_init(PyObject *module);
int bine_channel_init(PyObject *module);
int bine_wait_many_init(PyObject *module);

/* The waitable record inside the object, NULL if it is none of these types. */
struct bine_waitable *bine_py_event_waitable(PyObject *object);
struct bine_waitable *bine_py_semaphore_waitable(PyObject *object);
struct bine_waitable *bine_py_queue_waitable(PyObject *object);

#endif

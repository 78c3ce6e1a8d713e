/* What semaphore.c (acquiring and releasing) and semaphore_links.c share. */
#ifndef BINE_EXT_SEMAPHORE_PARTS_H
#define BINE_EXT_SEMAPHORE_PARTS_H

#include "base/python.h"
#include "core/hub/waitable.h"

struct bine_py_greenlet;

typedef struct {
    PyObject_HEAD struct bine_waitable waitable; /* ready: acquiring would not wait */
    struct bine_waiters waiters;
    unsigned counter, maximum;      /* permits that are there, only while nobody waits; and at
                                     * most */
    unsigned depth;                 /* RLock: how often its owner has it */
    struct bine_py_greenlet *owner; /* RLock: owned reference; NULL: nobody */
    PyObject *links;                /* list of callables, or NULL */
    PyObject *weak_references;
} Lock;

/* There are links and a permit: have them called in a greenlet of their own. */
void bine_semaphore_links_soon(Lock *self);
PyObject *bine_semaphore_call_links(PyObject *object, PyObject *unused);
PyObject *bine_semaphore_rawlink(PyObject *object, PyObject *callback);
PyObject *bine_semaphore_unlink(PyObject *object, PyObject *callback);
PyObject *bine_semaphore_linkcount(PyObject *object, PyObject *unused);

#endif

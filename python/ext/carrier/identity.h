/* Which greenlets CPython takes for the main thread, and which thread sqlite3 is told. */
#ifndef BINE_EXT_IDENTITY_H
#define BINE_EXT_IDENTITY_H

#include "base/python.h"

/* ---- identity.c --------------------------------------------------------------------------- */

/* Are the places known that look at signals? */
bool bine_identity_known(void);
/* From now on they are answered with the main thread's identity, until the reserved signal's
 * handler has run. Async-signal-safe. */
void bine_identity_seek(void);
void bine_identity_found(void);
/* Between the two, each place that asks is noted as one that looks at signals. */
void bine_identity_begin_learning(void);
void bine_identity_end_learning(void);

/* ---- learn_identity.c --------------------------------------------------------------------- */

/* Find out which places look at signals, once, when threads are patched. GIL held. */
PyObject *bine_py_learn_identity(PyObject *module, PyObject *unused);

/* ---- os_thread.c -------------------------------------------------------------------------- */

/* The pthread_self of the OS thread, also in a greenlet with a thread of its own. Any thread. */
unsigned long bine_os_thread_identity(void);

/* ---- sqlite.c ----------------------------------------------------------------------------- */

/* Before the first patching. */
void bine_sqlite_init(void);

#endif

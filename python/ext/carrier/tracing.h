/* The trace and profile functions that a new greenlet begins with. */
#ifndef BINE_EXT_TRACING_H
#define BINE_EXT_TRACING_H

#include "carrier.h"

struct bine_py_tracing;

int bine_tracing_init(void);
/* Note in *tracing, for a new greenlet, what traces the current one. -1 with an exception. */
int bine_tracing_inherit(struct bine_py_tracing **tracing);
/* Have the current greenlet, which has not made its first step, traced and profiled as *tracing
 * says, which is dropped. -1 with an exception. */
int bine_tracing_begin(struct bine_py_tracing **tracing);
/* Drop what bine_tracing_inherit() noted. */
void bine_tracing_forget(struct bine_py_tracing **tracing);
/* The greenlet that the carrier ran has ended, or all of this thread's have (NULL). */
void bine_tracing_ended(struct bine_carrier *carrier);
int bine_tracing_traverse(struct bine_py_tracing *tracing, visitproc visit, void *arg);

#endif

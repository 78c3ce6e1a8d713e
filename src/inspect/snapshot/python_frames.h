/*
 * Python frames of a greenlet, from CPython 3.13 on: there the interpreter says at the beginning of
 * _PyRuntime where its structures keep what a reader from outside needs.
 */
#ifndef BINE_INSPECT_SNAPSHOT_PYTHON_FRAMES_H
#define BINE_INSPECT_SNAPSHOT_PYTHON_FRAMES_H

#include "snapshot.h"

enum {
    INSPECT_PYTHON_FRAMES = 128 /* the most of one greenlet */
};

struct inspect_python_frame {
    uint64_t code;        /* the code object. 0: here a call of the interpreter in C begins */
    uint64_t instruction; /* its address */
};

/* The innermost frame first. */
struct inspect_python_stack {
    size_t count;
    struct inspect_python_frame frames[INSPECT_PYTHON_FRAMES];
};

/* Reads where the frames are. Leaves the stack empty if the greenlet runs no Python, or if this
 * version of the interpreter is not known here. */
void inspect_python_stack(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                          struct inspect_python_stack *stack);

struct inspect_python_place {
    char function[200], file[400]; /* empty: not known */
    int line;                      /* 0: not known */
};

/* Says in words where a frame of this greenlet is. */
void inspect_python_place(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                          const struct inspect_python_frame *frame,
                          struct inspect_python_place *place);

#endif

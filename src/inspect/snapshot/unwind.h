/*
 * Backtraces of greenlets and threads, and the names of functions.
 *
 * How a frame is left is looked up in the call frame information of its object, once for each
 * program counter. Thousands of greenlets wait in few places, so nearly all frames are then left by
 * a few additions and reads. Frame pointers are followed only where an object says nothing.
 */
#ifndef BINE_INSPECT_SNAPSHOT_UNWIND_H
#define BINE_INSPECT_SNAPSHOT_UNWIND_H

#include "snapshot.h"

enum {
    INSPECT_FRAMES = 128 /* the most of one backtrace */
};

struct inspect_trace {
    size_t count;
    uint64_t pcs[INSPECT_FRAMES];
    bool exact[INSPECT_FRAMES]; /* the instruction itself; otherwise the one after a call */
    bool whole;                 /* the last frame is the first function of the stack */
};

/* Values of registers, by DWARF's numbers. */
struct inspect_registers {
    uint64_t known; /* a bit for each */
    uint64_t values[INSPECT_REGISTERS];
    uint64_t pc;
};

struct inspect_unwinder;

/* Returns NULL, after saying so, for lack of memory, or if the command was built without libdw. */
struct inspect_unwinder *inspect_unwinder_new(struct inspect_target *target);
void inspect_unwinder_free(struct inspect_unwinder *unwinder);

/* Where the frames of a greenlet begin that has the thread, or a saved context. 0: not known. */
uint64_t inspect_lowest_frame(const struct inspect_snapshot *snapshot,
                              const struct inspect_greenlet *g);
/* The registers of a greenlet that does not run, from its saved context. Returns false if it has
 * none. */
bool inspect_saved_registers(struct inspect_target *target, const struct inspect_table *table,
                             const struct inspect_greenlet *g, struct inspect_registers *registers);
/* Those of a thread. Of one that is blocked in the kernel only the stack pointer and the program
 * counter are known as long as it is not stopped. Returns false if nothing is known. */
bool inspect_thread_registers(struct inspect_target *target, pid_t tid,
                              struct inspect_registers *registers);

void inspect_unwind(struct inspect_unwinder *unwinder, struct inspect_registers registers,
                    struct inspect_trace *trace);

/* Which part of a stack holds the program's frames, without those of the object at this path that
 * are innermost and outermost. `registers` become those of the innermost one. *end is where the
 * outermost one ends, or 0 if that is not known. Returns false, with any registers, if there are no
 * such frames. */
bool inspect_program_frames(struct inspect_unwinder *unwinder, const char *object,
                            struct inspect_registers *registers, uint64_t *end);

struct inspect_symbol {
    char function[200]; /* empty: not known */
    char file[200];     /* empty: not known */
    char object[200];   /* the file that holds the code */
    int line;
    uint64_t offset; /* in the function, or, if that is not known, in the object */
};

/* `exact` as in struct inspect_trace. */
const struct inspect_symbol *inspect_symbol(struct inspect_unwinder *unwinder, uint64_t pc,
                                            bool exact);

#endif

/*
 * What a thread of this process does at this moment: its system call or its computation, and the
 * frames of its stack. The thread is not stopped, and its system calls do not fail.
 *
 * - A thread that computes gets a signal, and its handler walks the stack.
 * - So does a thread in a system call that continues after a handler (SA_RESTART, signal(7)).
 * - A call that would end with EINTR is not interrupted. The thread's stack is read from outside,
 *   and each return address on it counts as a frame: some of them may be of calls that are over.
 *
 * The signal is SIGURG, as Go uses it: it is ignored by default, and a program that listens to it
 * expects it at any time.
 */
#ifndef BINE_CORE_WATCH_SAMPLE_H
#define BINE_CORE_WATCH_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "place.h"

enum {
    BINE_SAMPLE_FRAMES = 40
};

struct bine_sample {
    char state; /* of proc(5): R, S, D ...; 0 if it could not be read */
    long call;  /* the number of the system call, or -1 */
    bool in_call;
    unsigned long arguments[6];           /* of the system call */
    uintptr_t frames[BINE_SAMPLE_FRAMES]; /* the innermost first */
    int count;
    bool exact; /* the frames were walked, not guessed */
    /* what the language runtime wrote of its own stack; may be empty */
    char runtime[4096];
};

/* Prepares the process. Any thread. Returns 0, or an error number. */
int bine_sample_prepare(void);

/* Takes a sample of a thread. Only one thread may call it at a time. */
void bine_sample_take(pid_t tid, const struct bine_maps *maps, struct bine_sample *sample);

/* Copies memory of this process that another thread may unmap. Returns false if not all of it is
 * there. */
bool bine_sample_peek(const void *from, void *to, size_t size);

/* Returns the processor time in ns that the thread has used, or -1. */
int64_t bine_sample_processor(pid_t tid);

/* A language runtime writes the stack of its code to this descriptor, a file of its own, in the
 * handler of this signal. The handler runs on the thread that is looked at, within the handler of
 * SIGURG. 0: no runtime does so any more. */
void bine_sample_on_runtime(int signal_number, int fd);

/* Returns the name of a system call, or NULL for those that never take long. */
const char *bine_sample_call_name(long number);

#endif

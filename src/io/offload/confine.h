/*
 * Threads that are confined by themselves: the kernel checks paths, names and system calls by what the calling thread may do and see
 * (file system ids, capabilities, Landlock, seccomp, namespaces). A thread of the offload pool may do and see what the thread that
 * made it could. So a thread that has been confined since does not hand such calls to the pool, but makes them itself.
 */
#ifndef BINE_IO_OFFLOAD_CONFINE_H
#define BINE_IO_OFFLOAD_CONFINE_H

#include <limits.h>
#include <stdbool.h>

/* The rights of threads that are confined by themselves, each in its own way. Other numbers say that threads have the same rights. */
#define BINE_CONFINED UINT_MAX

/* The calling thread has been confined by itself. Async-signal-safe. */
void bine_confine(void);
/* The calling thread has a table of descriptors of its own: for another thread a number may be another file. */
void bine_confine_files(void);

/* Note that the calling thread exists before any has been confined. A thread that is first seen after one was may be its child, so it counts
 * as confined. */
void bine_confine_look(void);

/* May the calling thread not let the pool act in its place? Any thread. */
bool bine_confined(void);
/* Not even on its descriptors? */
bool bine_confined_files(void);

/* The number of the calling thread's rights. */
unsigned bine_confine_rights(void);
/* The calling thread is a new one of the runtime: it has the rights of the thread that made it. */
void bine_confine_as(unsigned rights);
/* The pool has the rights of the calling thread from now on. Returns their number, a new one. The caller holds the pool's lock. */
unsigned bine_confine_renew(void);

#endif

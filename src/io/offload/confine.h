/*
 * Threads that are confined by themselves.
 *
 * The kernel checks paths, names and system calls by what the calling thread may do and see (file
 * system ids, capabilities, Landlock, seccomp, namespaces). A thread of the offload pool may do and
 * see what the thread that made it could. So a thread that has been confined since then does not
 * hand such calls to the pool, but makes them itself.
 */
#ifndef BINE_IO_OFFLOAD_CONFINE_H
#define BINE_IO_OFFLOAD_CONFINE_H

#include <limits.h>
#include <stdbool.h>

/* The rights of threads that are confined by themselves, each in its own way. Threads with any
 * other number in common have the same rights. */
#define BINE_CONFINED UINT_MAX

/* The calling thread has been confined by itself. Async-signal-safe. */
void bine_confine(void);
/* The calling thread has a table of descriptors of its own: for another thread a number may be
 * another file. */
void bine_confine_files(void);

/* Notes that the calling thread exists before any has been confined. A thread that is first seen
 * after one was may be its child, so it counts as confined. */
void bine_confine_look(void);

/* Must the calling thread not let the pool act in its place? Any thread. */
bool bine_confined(void);
/* Must the pool not even act on its descriptors? */
bool bine_confined_files(void);

/* Returns the number of the calling thread's rights. */
unsigned bine_confine_rights(void);
/* The calling thread is a new one of the runtime. It has the rights of the thread that made it. */
void bine_confine_as(unsigned rights);
/* Gives the pool the rights of the calling thread from now on. Returns their number, a new one. The
 * caller holds the pool's lock. */
unsigned bine_confine_renew(void);

#endif

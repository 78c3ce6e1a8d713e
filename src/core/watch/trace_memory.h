/* The memory of the process whose rings are read. */
#ifndef BINE_CORE_WATCH_TRACE_MEMORY_H
#define BINE_CORE_WATCH_TRACE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Copies all of it and returns true, or returns false with errno. */
bool bine_trace_read(pid_t pid, uintptr_t from, void *to, size_t size);
/* Copies a text of at most size - 1 bytes. What cannot be read ends it. */
void bine_trace_read_text(pid_t pid, uintptr_t from, char *to, size_t size);

#endif

/* The file that BINE_TRACE_FILE names. */
#ifndef BINE_CORE_WATCH_TRACE_FILE_H
#define BINE_CORE_WATCH_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the trace to its file and stores the file's name. Returns false if nothing is traced,
 * or no file is named, or it could not be written. Any thread. */
bool bine_trace_save(char *name, size_t size);

#endif

/* What another process of this command prints. */
#ifndef BINE_INSPECT_CHILD_H
#define BINE_INSPECT_CHILD_H

#include <stdbool.h>

/* Runs this program with these arguments, for at most ten seconds and as long as `stop` does not
 * return true. Returns what it printed, on standard output and on standard error, without what a
 * terminal would obey but for the ends of lines. The caller frees it. Returns NULL if there is
 * nothing. */
char *inspect_child_output(const char *const *arguments, bool (*stop)(void));

#endif

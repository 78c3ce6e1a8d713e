/* Can `bine run` run a program? Judged by its file alone. */
#ifndef BINE_CLI_RUNNABLE_H
#define BINE_CLI_RUNNABLE_H

#include <stddef.h>

/* Returns NULL if it can, or why not. A script is judged by its interpreter. `room` is for the
 * text. */
const char *runnable_refusal(const char *path, char *room, size_t size);

/* Stores the path of the program that a shell would run by that name. Returns NULL with errno if
 * there is none. */
const char *runnable_find(const char *name, char *room, size_t size);

#endif

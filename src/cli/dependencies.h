/*
 * The libraries that the loader would load with a program or library. They are found by the
 * loader's own rules (ld.so(8)) in the files alone: neither the object, nor a loader that it names,
 * nor an auditor is run.
 */
#ifndef BINE_CLI_DEPENDENCIES_H
#define BINE_CLI_DEPENDENCIES_H

#include <stddef.h>

#include "binary.h"

struct dependency {
    char *path;          /* the file's path, or the bare name if no file was found */
    char *directory;     /* $ORIGIN of its own search paths */
    size_t loaded_by;    /* the index of the object that asked for it */
    const char *problem; /* why it was not read, in words; NULL: `binary` is open */
    struct binary binary;
};

struct dependencies {
    struct dependency *list; /* the object itself is the first */
    size_t count;
    size_t places; /* how many were looked at so far: a file may name millions */
    char *cache;   /* what the loader's cache knows, as ldconfig -p prints it */
};

/* Takes over `object`, which is open. Returns 0, or -1 with ENOMEM. Libraries that are missing are
 * in the list, with a problem. */
int dependencies_find(struct dependencies *dependencies, const struct binary *object);
void dependencies_free(struct dependencies *dependencies);

#endif

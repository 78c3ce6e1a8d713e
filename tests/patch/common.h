/* What several tests of patching need: the test libraries, and all slots of the process as the file
 * says they are. */
#ifndef BINE_TESTS_PATCH_COMMON_H
#define BINE_TESTS_PATCH_COMMON_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"
#include "patch/libraries/library.h"

/* Test libraries lie in the directory "patch" beside the program, whatever the working directory
 * is. */
static inline const char *beside(const char *file)
{
    static char path[8192];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    CHECK_GT(length, 0);
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    CHECK(slash != NULL);
    snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "patch/%s", file);
    return path;
}

static inline void *open_beside(const char *file, int flags)
{
    void *handle = dlopen(beside(file), flags);
    if (!handle)
        FAIL("%s: %s", file, dlerror());
    return handle;
}

/* Sanitizers stand between the program and the loader: they end a program that uses RTLD_DEEPBIND,
 * and dlopen sees them as its caller. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum {
    SANITIZED = 1
};
#else
enum {
    SANITIZED = 0
};
#endif

static inline const struct library *library_of(void *handle)
{
    const struct library *library = dlsym(handle, "library");
    CHECK(library != NULL);
    return library;
}

#endif

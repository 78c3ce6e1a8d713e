/*
 * Which file operations may wait, and how these are made on the offload pool. It serves the calls
 * of bine/file.h and the hooks of calls that need nothing else (stat, rename, unlink ...).
 */
#ifndef BINE_IO_FILE_FILE_H
#define BINE_IO_FILE_FILE_H

#include <bine/file.h>
#include <stdbool.h>

#include "core/hub/hub.h"

/* Is the path, or the file behind fd, on a file system that waits for something else than a local
 * disk? The question costs next to nothing where no such file system is mounted. */
bool bine_path_slow(int directory, const char *path);
bool bine_file_slow(int fd);

/* Might an open with these flags wait: for a slow file system, or for the other end of a FIFO? */
bool bine_path_may_wait(int directory, const char *path, int flags);
/* Is it a FIFO whose opening with these flags waits for the other end? */
bool bine_path_is_fifo(int directory, const char *path, int flags);

/* Makes a system call on the offload pool, while the greenlet waits until it has ended. Returns its
 * result, with errno if that is -1. Everything that it points to may be on the caller's stack. */
long bine_file_call(const char *verb, uintptr_t object, long number, const long arguments[6]);
#define BINE_FILE_CALL(verb, object, number, ...) \
    bine_file_call((verb), (uintptr_t)(object), (number), (const long[6]){__VA_ARGS__})

/* For tests. 1: all paths are slow. 0: none is. -1: look. */
void bine_path_assume(int slow);

#endif

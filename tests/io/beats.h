/*
 * What the tests of files share: a greenlet that beats at every opportunity, and files with names
 * of their own.
 */
#ifndef BINE_TESTS_IO_BEATS_H
#define BINE_TESTS_IO_BEATS_H

#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "heart.h"
#include "libc/libc.h"

static bine_greenlet *start(void)
{
    CHECK_OK(bine_patch_all());
    pulse = 0;
    bine_greenlet *heart = bine_spawn(beat, NULL);
    CHECK_NE(heart, NULL);
    return heart;
}

static void finish(bine_greenlet *heart)
{
    done = true;
    CHECK_OK(bine_join(heart, NULL, BINE_FOREVER));
}

/* A name of our own in a directory on a disk, if the build directory is on one. */
__attribute__((unused)) static const char *own_path(const char *what)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "bine-test-%s-%d", what, (int)getpid());
    return path;
}

__attribute__((unused)) static int own_file(size_t size)
{
    const char *path = own_path("file");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK_OK(fd);
    CHECK_OK(unlink(path));
    char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    CHECK_EQ(bine_libc.pwrite(fd, bytes, size, 0), size);
    free(bytes);
    return fd;
}

#endif

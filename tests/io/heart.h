/*
 * A greenlet that beats while others wait: what it counted shows that they let it run.
 */
#ifndef BINE_TESTS_IO_HEART_H
#define BINE_TESTS_IO_HEART_H

#include "harness.h"

#include <bine.h>

/* Volatile: libc declares some calls that wait here (sendfile, flock, semop) as leaf functions,
 * across which the compiler takes what is local to a file to be unchanged. */
static volatile bool done;
static volatile unsigned beats;
static int64_t pulse = BINE_MS; /* between two beats; 0: at every opportunity */

static void *beat(void *unused)
{
    while (!done) {
        beats++;
        CHECK_OK(bine_sleep(pulse));
    }
    return NULL;
}

#endif

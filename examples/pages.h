/* A small HTTP server on loopback whose pages take their time: something to fetch without a
 * network. */
#ifndef EXAMPLES_PAGES_H
#define EXAMPLES_PAGES_H

#include <bine.h>

enum {
    PAGES = 3,
    PAGE_URL_SIZE = 64
};

/* Serve from now on, in greenlets of this thread; kill and join the one returned to end it. Fills
 * in the pages' URLs. NULL with errno when it cannot listen. Call bine_patch_all() before: the
 * server uses libc's calls. */
bine_greenlet *pages_serve(char urls[PAGES][PAGE_URL_SIZE]);

/* How long the server waits before it answers, all pages together, in nanoseconds. */
int64_t pages_delay(void);

#endif

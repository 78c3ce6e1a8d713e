/*
 * Watching a descriptor without a greenlet: a function is called once when it is ready. Event loops of language runtimes are made of it.
 */
#ifndef BINE_IO_POLLER_WATCH_H
#define BINE_IO_POLLER_WATCH_H

#include <stdint.h>

#include "core/hub/hub.h"

struct bine_watch;

/*
 * Called once, and the watch is gone: with the poll(2) bits that hold, of `events` plus POLLERR and POLLHUP, or with -EBADF (fd was closed),
 * or with 0 (it may be ready: ask). From a turn of the hub, or from within bine_watch; it may not park.
 */
typedef void bine_watch_ready(void *arg, int64_t result);

/*
 * Have ready(arg, ...) called when fd is ready for `events` (POLLIN, POLLOUT, POLLPRI, POLLRDHUP). *watch is set before `ready` can be called.
 * 0; or nothing is watched: EBADF, EPERM (this kind of file cannot be polled and is always ready), ENOMEM, or why the poller could not be
 * opened (EMFILE ...). A watch keeps nobody waiting (hub->background_operations). The hub's own thread.
 */
int bine_watch(struct bine_hub *hub, int fd, uint32_t events, bine_watch_ready *ready, void *arg,
               struct bine_watch **watch);

/* `ready` has not been called and will not be; the watch is gone. The same thread. Its operation stays armed until the hub's next turn cancels it. */
void bine_unwatch(struct bine_watch *watch);

#endif

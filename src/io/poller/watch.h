/*
 * Watches: a function is called once when a descriptor is ready, without a greenlet. Event loops of
 * language runtimes are made of them.
 */
#ifndef BINE_IO_POLLER_WATCH_H
#define BINE_IO_POLLER_WATCH_H

#include <stdint.h>

#include "core/hub/hub.h"

struct bine_watch;

/*
 * Called once, and then the watch is gone. `result` is the poll(2) bits that hold, of `events` plus
 * POLLERR and POLLHUP; or -EBADF (fd was closed); or 0 (it may be ready: ask). A turn of the hub
 * calls it, or bine_watch itself. It may not park.
 */
typedef void bine_watch_ready(void *arg, int64_t result);

/*
 * From now on ready(arg, ...) is called when fd is ready for `events` (POLLIN, POLLOUT, POLLPRI,
 * POLLRDHUP). *watch is set before `ready` can be called. Returns 0, or an error number when
 * nothing is watched: EBADF, EPERM (this kind of file cannot be polled and is always ready),
 * ENOMEM, or why the poller could not be opened (EMFILE ...). A watch does not keep the hub waiting
 * (hub->background_operations). Only the hub's own thread may call this.
 */
int bine_watch(struct bine_hub *hub, int fd, uint32_t events, bine_watch_ready *ready, void *arg,
               struct bine_watch **watch);

/* Ends a watch whose `ready` has not been called, and will not be. The watch is gone. Only the same
 * thread may call this. The operation stays armed until the hub's next turn cancels it. */
void bine_unwatch(struct bine_watch *watch);

#endif

/*
 * Signals as events: wait for SIGINT or SIGTERM as for any other event.
 *
 *      bine_event *ends[] = {bine_signal_event_new(SIGINT), bine_signal_event_new(SIGTERM)};
 *      bine_server_start(server);
 *      bine_wait((void **)ends, 2, NULL, 1, BINE_FOREVER);
 *      bine_server_stop(server, 10 * BINE_SECOND);
 */
#ifndef BINE_SIGNAL_H
#define BINE_SIGNAL_H

#include <signal.h>

#include "event.h"

BINE_BEGIN

/* Make an event of the calling thread that is set whenever the process gets this signal.
 * bine_event_clear makes it ready for the next one. Signals that come close together set it once.
 * Until bine_signal_event_free a handler with SA_RESTART replaces the signal's earlier handling.
 * Fails with EINVAL (the signal cannot be caught), EBUSY (there is such an event already), ENOMEM,
 * or EAGAIN (no hub could be made). Switches: no. */
BINE_API bine_event *bine_signal_event_new(int signal_number);
/* Put the signal's earlier handling back and free the event. NULL is ignored. Returns 0, or -1 with
 * EINVAL (bine_signal_event_new did not make it), EBUSY (greenlets wait for it) or EPERM.
 * Switches: no. */
BINE_API int bine_signal_event_free(bine_event *event);

BINE_END

#endif

/*
 * Signals as events: wait for SIGINT or SIGTERM as for anything else.
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

/*
 * An event of the calling thread that is set whenever the process gets this signal; bine_event_clear makes it
 * ready for the next. Signals that come close together set it once. The signal's earlier handling is replaced
 * (by a handler with SA_RESTART) until bine_signal_event_free. NULL: EINVAL (not a signal that can be caught),
 * EBUSY (there is such an event already), ENOMEM, EAGAIN (no hub). Switches: no.
 */
BINE_API bine_event *bine_signal_event_new(int signal_number);
/* Put the signal's earlier handling back and free the event. NULL is ignored. -1: EINVAL (not made by
 * bine_signal_event_new), EBUSY (greenlets wait for it), EPERM. Switches: no. */
BINE_API int bine_signal_event_free(bine_event *event);

BINE_END

#endif

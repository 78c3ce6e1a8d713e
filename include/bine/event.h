/*
 * Event: a flag that greenlets wait for. AsyncResult: a value, or an error, that a greenlet
 * provides later.
 */
#ifndef BINE_EVENT_H
#define BINE_EVENT_H

#include <stdbool.h>

#include "greenlet.h"
#include "object.h"

BINE_BEGIN

/* ---- event ----------------------------------------------------------------------------------- */

typedef struct bine_event bine_event;

/* Make an event that is not set. flags: 0 or BINE_SHARED. Fails with EINVAL, ENOMEM, or EAGAIN (no
 * hub could be made). Free it with bine_event_free. Switches: no. */
BINE_API bine_event *bine_event_new(unsigned flags);
/* Free the event. Returns 0, or -1 with EBUSY (greenlets wait for it) or EPERM. Switches: no. */
BINE_API int bine_event_free(bine_event *event);

/* Set the event. All greenlets that wait for it are woken, and later waits return at once. The wait
 * of a woken greenlet succeeds even if the event is cleared before that greenlet runs. If the event
 * is shared, any thread may call it; another thread only sends a message. Returns 0, or -1 with
 * EINVAL, EPERM, or ESRCH (the event's thread has ended). Switches: no. */
BINE_API int bine_event_set(bine_event *event);
/* Unset the event. Returns 0, or -1 with EINVAL or EPERM. Switches: no. */
BINE_API int bine_event_clear(bine_event *event);
/* Returns true if the event is set, false for NULL. Any thread may call it. Switches: no. */
BINE_API bool bine_event_is_set(const bine_event *event);
/* Wait until the event is set. Returns 0 or -1. It is ready when it is set. Waits. */
BINE_API int bine_event_wait(bine_event *event, int64_t timeout);

/* ---- async result ---------------------------------------------------------------------------- */

typedef struct bine_async_result bine_async_result;

/* Make an empty result, and free one: as bine_event_new and bine_event_free. */
BINE_API bine_async_result *bine_async_result_new(unsigned flags);
BINE_API int bine_async_result_free(bine_async_result *result);

/* Provide the value, or an error (an errno value greater than 0), and wake all greenlets that wait.
 * A later call replaces what an earlier one provided, for the waits that begin after it. The value
 * stays the caller's; Bine only passes it on. If the result is shared, any thread may call these;
 * another thread only sends a message. Returns 0, or -1 with EINVAL (also for an error that is not
 * greater than 0) or EPERM, and from another thread with ENOMEM or ESRCH. Switches: no. */
BINE_API int bine_async_result_set(bine_async_result *result, void *value);
BINE_API int bine_async_result_set_error(bine_async_result *result, int error);

/* Wait until the value or the error is there, and store the value in *value (may be NULL).
 * Returns 0. Otherwise returns -1 with the error that was set, or with the reason why the wait
 * failed; bine_async_result_ready tells these apart. It is ready when a value or an error is
 * there. Waits. */
BINE_API int bine_async_result_get(bine_async_result *result, void **value, int64_t timeout);
/* Wait until a value or an error is there. Returns 0 or -1. Waits. */
BINE_API int bine_async_result_wait(bine_async_result *result, int64_t timeout);

/* Ask what the result holds now. bine_async_result_ready returns true if a value or an error is
 * there, and any thread may call it. The others are for the result's own thread. They never switch.
 * NULL counts as empty. */
BINE_API bool bine_async_result_ready(const bine_async_result *result);
BINE_API bool bine_async_result_successful(const bine_async_result *result); /* a value is there */
/* NULL if there is none */
BINE_API void *bine_async_result_value(const bine_async_result *result);
BINE_API int bine_async_result_error(const bine_async_result *result); /* 0 if there is none */

/* A link function: bine_link(g, bine_async_result_from, result) sets the result to the value or the
 * error that g ends with. The result must outlive g. A result of another thread must be shared.
 * Switches: no. */
BINE_API void bine_async_result_from(bine_greenlet *g, void *result);

BINE_END

#endif

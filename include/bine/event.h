/*
 * Event: a flag that greenlets wait for. AsyncResult: a value, or an error, that arrives once somebody has it.
 */
#ifndef BINE_EVENT_H
#define BINE_EVENT_H

#include <stdbool.h>

#include "greenlet.h"
#include "object.h"

BINE_BEGIN

/* ---- event ------------------------------------------------------------------------------------ */

typedef struct bine_event bine_event;

/* An event that is not set. flags: 0 or BINE_SHARED. NULL: EINVAL, ENOMEM, EAGAIN (no hub). Free with
 * bine_event_free. Switches: no. */
BINE_API bine_event *bine_event_new(unsigned flags);
/* -1: EBUSY (greenlets wait for it), EPERM. Switches: no. */
BINE_API int bine_event_free(bine_event *event);

/* Set it: wakes everybody who waits; later waits return at once. Waiters that this woke have had their event
 * even if it is cleared before they run. Any thread if shared, where it leaves word and returns. Returns 0, or
 * -1: EINVAL, EPERM, ESRCH (its thread has ended). Switches: no. */
BINE_API int bine_event_set(bine_event *event);
/* Unset it. -1: EINVAL, EPERM. Switches: no. */
BINE_API int bine_event_clear(bine_event *event);
/* Is it set? False for NULL. Any thread. Switches: no. */
BINE_API bool bine_event_is_set(const bine_event *event);
/* Wait until it is set. Returns 0 or -1. Waits. Ready: set. */
BINE_API int bine_event_wait(bine_event *event, int64_t timeout);

/* ---- async result ----------------------------------------------------------------------------- */

typedef struct bine_async_result bine_async_result;

/* An empty result. As bine_event_new. */
BINE_API bine_async_result *bine_async_result_new(unsigned flags);
BINE_API int bine_async_result_free(bine_async_result *result);

/* Provide the value, or an error (an errno value > 0, else EINVAL), and wake everybody who waits. Setting it
 * again replaces what was there, for those who ask later. The value stays the caller's; Bine only passes it on.
 * Any thread if shared, where it leaves word and returns. -1: EINVAL, EPERM, and from another thread ENOMEM,
 * ESRCH. Switches: no. */
BINE_API int bine_async_result_set(bine_async_result *result, void *value);
BINE_API int bine_async_result_set_error(bine_async_result *result, int error);

/* Wait until it is there and store the value in *value (may be NULL). Returns 0, or -1 with errno the error
 * that was set, or why the wait failed; bine_async_result_ready tells these apart. Waits. Ready: value or error
 * is there. */
BINE_API int bine_async_result_get(bine_async_result *result, void **value, int64_t timeout);
/* Wait until it is there, value or error. Returns 0 or -1. Waits. */
BINE_API int bine_async_result_wait(bine_async_result *result, int64_t timeout);

/* Is it there? Any thread. The others tell what it holds now, on its own thread. They never switch; NULL counts
 * as empty. */
BINE_API bool bine_async_result_ready(const bine_async_result *result);
BINE_API bool bine_async_result_successful(const bine_async_result *result); /* a value is there */
BINE_API void *bine_async_result_value(const bine_async_result *result);     /* NULL if there is none */
BINE_API int bine_async_result_error(const bine_async_result *result);       /* 0 if there is none */

/* A link function: bine_link(g, bine_async_result_from, result) sets the result to what g's end gives. The result must
 * outlive g. */
BINE_API void bine_async_result_from(bine_greenlet *g, void *result);

BINE_END

#endif

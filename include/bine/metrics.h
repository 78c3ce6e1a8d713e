/*
 * Figures of all hubs as OpenMetrics text, which Prometheus reads.
 *
 *      char *text = bine_metrics();
 *
 * bine_http_metrics (http.h) answers a request with it, and the backdoor's command `metrics` shows
 * it. docs/debugging.md lists the figures.
 */
#ifndef BINE_METRICS_H
#define BINE_METRICS_H

#include "base.h"

BINE_BEGIN

/* The media type of the text, for the answer's Content-Type. */
#define BINE_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Returns the figures of all hubs of the process, each labelled by the number of its thread. The
 * caller frees the text by free(3). Hubs of other threads are not stopped: their figures are
 * those of a moment ago, and need not belong to one moment. Counters never go back while a
 * thread lives. Returns NULL with ENOMEM. Any thread may call it, with or without a hub.
 * Switches: no. */
BINE_API BINE_MUST_USE char *bine_metrics(void);

BINE_END

#endif

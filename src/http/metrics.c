/* A handler that answers with the figures of all hubs. See bine/metrics.h. */
#include <bine/http.h>
#include <bine/metrics.h>
#include <stdlib.h>
#include <string.h>

void bine_http_metrics(bine_http *http, void *unused)
{
    char *text = bine_metrics();
    (void)unused;
    /* A client that has left is no failure of the handler's. */
    if (text)
        (void)bine_http_respond(http, 200, BINE_METRICS_TYPE, text, strlen(text));
    else
        (void)bine_http_respond(http, 503, "text/plain", "", 0);
    free(text);
}

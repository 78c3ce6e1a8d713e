/* Dates of HTTP: "Sun, 06 Nov 1994 08:49:37 GMT". */
#ifndef BINE_HTTP_DATE_H
#define BINE_HTTP_DATE_H

#include <stdbool.h>
#include <time.h>

enum {
    BINE_HTTP_DATE = 29 /* characters, without the NUL */
};

/* `text` has room for BINE_HTTP_DATE characters and a NUL. A time before the year 0 or behind 9999 is written as the nearest one within. */
void bine_http_date_format(time_t time, char *text);
/* Now; valid until the next call on this thread. */
const char *bine_http_date_now(void);
/* False: it is none. Also takes no older forms: a client that sends one gets the whole file. */
bool bine_http_date_parse(const char *text, time_t *time);

#endif

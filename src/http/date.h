/* Dates of HTTP: "Sun, 06 Nov 1994 08:49:37 GMT". */
#ifndef BINE_HTTP_DATE_H
#define BINE_HTTP_DATE_H

#include <stdbool.h>
#include <time.h>

enum {
    BINE_HTTP_DATE = 29 /* characters, without the NUL */
};

/* Writes the date. `text` has room for BINE_HTTP_DATE characters and a NUL. A time before the year
 * 0 or after 9999 is written as the nearest one within. */
void bine_http_date_format(time_t time, char *text);
/* Returns the date of now. It is valid until the next call on this thread. */
const char *bine_http_date_now(void);
/* Reads a date. Returns false if it is none, or one of the older forms: a client that sends one of
 * these gets the whole file. */
bool bine_http_date_parse(const char *text, time_t *time);

#endif

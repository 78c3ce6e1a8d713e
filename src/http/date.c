/* Dates of HTTP. They are written and read here, because strftime and strptime use the names of the
 * process's locale. */
#include "date.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* The first and the last second whose year has four digits, from 0000 on. gmtime_r fails for a time
 * whose year is no int. */
#define FIRST INT64_C(-62167219200)
#define LAST INT64_C(253402300799)

static void put_two(char *text, int number)
{
    text[0] = (char)('0' + number / 10 % 10);
    text[1] = (char)('0' + number % 10);
}

/* Without printf, which took a part of an answer that could be seen (bench/NOTES.md). */
void bine_http_date_format(time_t time, char *text)
{
    struct tm tm;
    time = time < FIRST ? FIRST : time > LAST ? LAST : time;
    gmtime_r(&time, &tm);
    int year = tm.tm_year + 1900;
    memcpy(text, "Day, 00 Mon 0000 00:00:00 GMT", BINE_HTTP_DATE + 1);
    memcpy(text, days + 3 * tm.tm_wday, 3);
    put_two(text + 5, tm.tm_mday);
    memcpy(text + 8, months + 3 * tm.tm_mon, 3);
    put_two(text + 12, year / 100);
    put_two(text + 14, year);
    put_two(text + 17, tm.tm_hour);
    put_two(text + 20, tm.tm_min);
    put_two(text + 23, tm.tm_sec);
}

/* A second has many answers. */
const char *bine_http_date_now(void)
{
    static _Thread_local time_t second = -1;
    static _Thread_local char text[BINE_HTTP_DATE + 1];
    time_t now = time(NULL);
    if (now != second) {
        bine_http_date_format(now, text);
        second = now;
    }
    return text;
}

bool bine_http_date_parse(const char *text, time_t *time)
{
    struct tm tm = {0};
    char month[4], again[BINE_HTTP_DATE + 1];
    if (strlen(text) != BINE_HTTP_DATE ||
        sscanf(text + 5, "%2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, month, &tm.tm_year,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return false;
    while (tm.tm_mon < 12 && memcmp(months + 3 * tm.tm_mon, month, 3) != 0)
        tm.tm_mon++;
    if (tm.tm_mon == 12)
        return false;
    tm.tm_year -= 1900;
    *time = timegm(&tm);
    /* The same time has the same text, so any other text was none of a time. */
    bine_http_date_format(*time, again);
    return strcmp(again, text) == 0;
}

/*
 * Tables of calls with NULL and with impossible arguments: every public function of a library is in
 * one, or is excepted for a reason.
 *
 *      REFUSED(bine_event_wait, NULL, 0);              -1 and EINVAL
 *      NOTHING(bine_event_new, 1u << 30);              NULL and EINVAL
 *      HARMLESS(bine_event_is_set, false, NULL);       a value, for functions that only look
 *      IGNORED(bine_imap_end, NULL);                   for functions that return nothing
 *      EXCEPTED(bine_now, "has no arguments");
 *      arguments_of_header("event.h")                  its number of functions; all are in a table
 */
#ifndef BINE_TESTS_ARGUMENTS_H
#define BINE_TESTS_ARGUMENTS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static const char *arguments_tried[1000];
static size_t arguments_count;
static int arguments_wrong;

static inline bool arguments_know(const char *name)
{
    for (size_t i = 0; i < arguments_count; i++)
        if (strcmp(arguments_tried[i], name) == 0)
            return true;
    return false;
}

/* Before the call, so that a crash can be placed. */
static inline void arguments_begin(const char *name, const char *given)
{
    if (getenv("BINE_TEST_ROWS"))
        fprintf(stderr, "%s(%s)\n", name, given);
    if (!arguments_know(name)) {
        CHECK_LT(arguments_count, sizeof arguments_tried / sizeof *arguments_tried);
        arguments_tried[arguments_count++] = name;
    }
    errno = 0;
}

static inline void arguments_result(const char *name, const char *given, intptr_t result,
                                    intptr_t wanted, int error)
{
    if (result == wanted && (!error || errno == error))
        return;
    printf("%s(%s) returned %jd, %s\n", name, given, (intmax_t)result,
           errno ? strerror(errno) : "without an error");
    arguments_wrong++;
}

#define REFUSED(name, ...)                 \
    (arguments_begin(#name, #__VA_ARGS__), \
     arguments_result(#name, #__VA_ARGS__, (intptr_t)name(__VA_ARGS__), -1, EINVAL))
#define NOTHING(name, ...)                 \
    (arguments_begin(#name, #__VA_ARGS__), \
     arguments_result(#name, #__VA_ARGS__, (intptr_t)name(__VA_ARGS__), 0, EINVAL))
#define HARMLESS(name, value, ...)         \
    (arguments_begin(#name, #__VA_ARGS__), \
     arguments_result(#name, #__VA_ARGS__, (intptr_t)name(__VA_ARGS__), (intptr_t)(value), 0))
#define IGNORED(name, ...) (arguments_begin(#name, #__VA_ARGS__), (void)name(__VA_ARGS__))
#define EXCEPTED(name, reason) ((void)sizeof(&name), arguments_begin(#name, reason))

/* The functions of one header: each is declared on a line that begins with BINE_API. */
static inline size_t arguments_of_header(const char *header)
{
    char line[400], path[600];
    size_t functions = 0;
    snprintf(path, sizeof path, "%s/%s", BINE_HEADERS, header);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file)) {
        char *open = strncmp(line, "BINE_API ", 9) == 0 ? strchr(line, '(') : NULL, *begin = open;
        while (begin && (begin[-1] == '_' || (begin[-1] >= '0' && begin[-1] <= '9') ||
                         (begin[-1] >= 'a' && begin[-1] <= 'z')))
            begin--;
        if (!begin)
            continue;
        *open = '\0';
        functions++;
        if (arguments_know(begin))
            continue;
        printf("%s: %s is not in the table\n", header, begin);
        arguments_wrong++;
    }
    fclose(file);
    return functions;
}

#endif

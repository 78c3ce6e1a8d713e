/*
 * What a kill, a timeout scope and a peer's failure look like through a library: each row of
 * docs/errors.md. A call that would wait for long is struck in the middle; what it returned is
 * compared, and the handle is tried once more by a greenlet that is all right.
 */
#ifndef BINE_TESTS_ERRORS_H
#define BINE_TESTS_ERRORS_H

#include <bine.h>
#include <stdio.h>
#include <stdlib.h>

#include "library.h"

struct outcome {
    long code;         /* what the library returned */
    char message[300]; /* its words */
    char value[20];    /* the answer, if there is one */
    long system_error; /* libcurl's */
    bool killed;       /* bine_killed in that greenlet, afterwards */
    bool expired;      /* the scope's time was it */
};

typedef void struck_call(void *handle, struct outcome *outcome);

struct strike {
    struck_call *call;
    void *handle;
    struct outcome *outcome;
    bool in_scope;
};

static inline void *strike_run(void *arg)
{
    struct strike *strike = arg;
    if (strike->in_scope) {
        BINE_WITHIN(200 * BINE_MS, &strike->outcome->expired)
        strike->call(strike->handle, strike->outcome);
    } else {
        strike->call(strike->handle, strike->outcome);
    }
    strike->outcome->killed = bine_killed(bine_getcurrent());
    return NULL;
}

static inline struct outcome strike(struck_call *call, void *handle, bool kill)
{
    struct outcome outcome = {.code = 0};
    struct strike arg = {call, handle, &outcome, !kill};
    bine_greenlet *g = bine_spawn(strike_run, &arg);
    CHECK_OK(bine_sleep(200 * BINE_MS));
    if (kill)
        CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, 8 * BINE_SECOND * harness_slower()));
    CHECK_EQ(outcome.killed, kill);
    CHECK_EQ(outcome.expired, !kill);
    return outcome;
}

/* Says both, so that a library's new version can be compared with the page. */
#define CHECK_OUTCOME(of, wanted, words)                                                           \
    do {                                                                                           \
        struct outcome seen_ = (of);                                                               \
        if (seen_.code != (wanted) || !strstr(seen_.message, words))                               \
            FAIL("returned %ld \"%s\", not %ld \"%s\"", seen_.code, seen_.message, (long)(wanted), \
                 words);                                                                           \
    } while (0)

#endif

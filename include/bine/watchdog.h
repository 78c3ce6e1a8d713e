/*
 * The watchdog: a thread that looks at all hubs of the process, and reports the greenlet that does
 * not let others run.
 *
 *      bine_watchdog_start(100 * BINE_MS, NULL, NULL);      // or BINE_WATCHDOG=100ms
 *
 * A greenlet is reported if its hub has not switched for so long while others wait for it: they are
 * ready, or their time has come, or the poller has something for them. It is reported once, while
 * it lasts. The report says in which system call or function it is, of which object, and its stack.
 *
 * Hubs do nothing for it: the thread reads what they count anyhow. It uses SIGURG to read the stack
 * of a thread, unless that would make a system call fail (docs/debugging.md).
 */
#ifndef BINE_WATCHDOG_H
#define BINE_WATCHDOG_H

#include "hub.h"

BINE_BEGIN

/* A greenlet that does not let others run. The texts are valid during the call of the function that
 * gets this. Later releases may add fields at the end. */
typedef struct bine_blocked {
    bine_hub *hub;
    const char *greenlet; /* its name, as bine_name gives it */
    int64_t duration;     /* ns since the hub was first seen like this */
    const char *cause;    /* one line: "read() called by load in libfoo.so, which is not patched" */
    const char *report;   /* all lines, each with its newline */
} bine_blocked;

/* Watch all hubs of the process, those to come included. A hub that has not switched for `limit`
 * nanoseconds is reported: by report(blocked, arg), or on standard error if report is NULL. The
 * function is called on the watchdog's thread, which has no hub. It must not call
 * bine_watchdog_start or bine_watchdog_stop. A second start changes limit and function. The child
 * of a fork is watched as its parent was. Returns 0, or -1 with:
 *
 *  - EINVAL: limit is less than a millisecond
 *  - EAGAIN or ENOMEM: there is no thread for it
 *
 * Any thread may call it. Switches: no. */
BINE_API int bine_watchdog_start(int64_t limit,
                                 void (*report)(const bine_blocked *blocked, void *arg), void *arg);

/* End the watch. When it returns, the function given to bine_watchdog_start is not called any more.
 * It waits for a report that is being made, up to about a second. Without a watchdog it does
 * nothing. Any thread may call it. Switches: no. */
BINE_API void bine_watchdog_stop(void);

BINE_END

#endif

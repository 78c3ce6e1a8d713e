/* See struck.h. */
#include "struck.h"

#include <bine.h>
#include <string.h>

#include "core/schedule/park.h"
#include "harness.h"
#include "io/poller/poller.h"

enum blow {
    KILL,
    INTERRUPT,
    BLOWS
};
enum {
    STARTS = 5,
    GAPS = 6
};

static const struct wait *wait_now;
static struct {
    bool begun;
    int error, after; /* of the wait, and of the next one; 0: none */
} seen;

static void *wait_and_look(void *arg)
{
    seen.begun = true;
    seen.error = wait_now->call() < 0 ? errno : 0;
    seen.after = bine_sleep(0) < 0 ? errno : 0;
    return arg;
}

/* Turns at first, then pauses: calls that ask the kernel again and again park in these. */
static void let_pass(int distance)
{
    static const int64_t pauses[] = {0, 0, 0, 300 * BINE_US, 3 * BINE_MS, 25 * BINE_MS};
    for (int i = 0; i < distance && i < 3; i++)
        CHECK_OK(bine_sleep(0));
    if (pauses[distance] > 0)
        CHECK_OK(bine_sleep(pauses[distance]));
}

static void strike(bine_greenlet *g, enum blow blow)
{
    if (bine_dead(g))
        return;
    if (blow == KILL)
        CHECK_OK(bine_kill(g));
    else
        bine_interrupt(g, EINTR);
}

/* Returns whether the wait succeeded. */
static bool wait_struck(const struct wait *wait, enum blow blow, int start, int gap,
                        bool blow_first)
{
    wait_now = wait;
    memset(&seen, 0, sizeof seen);
    wait->begin();
    bine_greenlet *g = bine_spawn(wait_and_look, NULL);
    CHECK(g != NULL);
    while (!seen.begun)
        CHECK_OK(bine_sleep(0));
    let_pass(start);
    if (blow_first)
        strike(g, blow);
    else
        wait->complete();
    let_pass(gap);
    if (blow_first)
        wait->complete();
    else
        strike(g, blow);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    int expected = blow == KILL ? ECANCELED : EINTR;
    bool taken = wait->taken();
    if (taken != (seen.error == 0) || (seen.error && seen.error != expected))
        FAIL("%s, %s %d after begin, %d %s: the wait says %s, and has %s effect", wait->name,
             blow == KILL ? "killed" : "interrupted", start, gap, blow_first ? "before" : "after",
             seen.error ? strerror(seen.error) : "success", taken ? "had its" : "had no");
    if (blow == INTERRUPT && seen.error)
        CHECK_EQ(seen.after, 0); /* it strikes once */
    if (blow == KILL && seen.error)
        CHECK_EQ(seen.after, ECANCELED);
    wait->end();
    return seen.error == 0;
}

static void check_wait(const struct wait *wait)
{
    /* Pauses take no time on the simulator only. */
    const char *poller = bine_poller_name();
    int step = poller && strncmp(poller, "sim", 3) == 0 ? 1 : 2;
    for (enum blow blow = KILL; blow < BLOWS; blow++) {
        unsigned outcomes[2] = {0, 0};
        for (int start = 0; start < STARTS; start += step)
            for (int gap = 0; gap < GAPS; gap++)
                for (int first = 0; first < 2; first++)
                    outcomes[wait_struck(wait, blow, start, gap, first)]++;
        if (!outcomes[false] || !outcomes[true])
            FAIL("%s, %s: %u succeeded, %u were cut short", wait->name,
                 blow == KILL ? "killed" : "interrupted", outcomes[true], outcomes[false]);
    }
}

void check_waits(const struct wait *all, size_t count)
{
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    for (size_t i = 0; i < count; i++)
        check_wait(&all[i]);
}

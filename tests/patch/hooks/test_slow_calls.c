/* Calls that never wait, with work in between (hazard 53): timers are not held up for as many calls
 * as fit into a run of them. Not in a simulation, where no call takes long. */
#include <bine.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

enum {
    BEATS = 5
};

static volatile unsigned beats, calls;
static int pair[2];

static void *beat(void *unused)
{
    for (beats = 0; beats < BEATS; beats++)
        CHECK_OK(bine_sleep(BINE_MS));
    return NULL;
}

static void compute(int64_t duration)
{
    for (int64_t until = harness_now() + duration; harness_now() < until;)
        continue;
}

/* Calls of a fifth of a millisecond. */
static void *call_slowly(void *arg)
{
    int (*call)(void) = *(int (**)(void))arg;
    for (calls = 0; beats < BEATS && calls < 5000; calls++) {
        call();
        compute(BINE_MS / 5);
    }
    return NULL;
}

static int receive(void)
{
    char byte;
    return (int)recv(pair[1], &byte, 1, MSG_PEEK);
}

static int yield(void)
{
    return bine_sleep(0);
}

/* A beat comes a millisecond after the one before. One whose time has come is not kept for long,
 * however few the calls are. The first streak is as long as any. */
static void check_slow(int (*call)(void), unsigned others)
{
    bine_greenlet *all[5];
    beats = 0;
    all[0] = bine_spawn(beat, NULL);
    for (unsigned i = 0; i < others; i++)
        all[1 + i] = bine_spawn(call_slowly, &call);
    CHECK_OK(bine_joinall(all, 1 + others, BINE_FOREVER));
    CHECK_EQ(beats, BEATS);
    CHECK_LT(calls, 300);
}

TEST(hazard_53_calls_that_take_long_do_not_hold_timers_up, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    check_slow(receive, 1);
    check_slow(receive, 3);
    check_slow(yield, 1);
    check_slow(yield, 3);
    close(pair[0]);
    close(pair[1]);
    CHECK_OK(bine_unpatch_all());
}

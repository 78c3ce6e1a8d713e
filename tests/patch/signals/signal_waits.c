/* See signal_waits.h. */
#include "signal_waits.h"

#include <bine.h>
#include <signal.h>
#include <unistd.h>

#include "core/hub/hub.h"
#include "harness.h"

/* When the signal comes. */
enum moment {
    WHILE_PARKED,
    WHEN_ITS_PAUSE_IS_OVER, /* but the hub has not looked */
    WHILE_READY,
    MOMENTS
};

static const char *const moments[] = {"while it is parked", "when its pause is over",
                                      "while it is ready"};

static pthread_t caller;
static volatile sig_atomic_t handled;
static atomic_bool raised;

void signal_waits_handle(int number)
{
    (void)number;
    handled++;
}

static void *signal_and_complete(void *arg)
{
    const struct waiting *waiting = arg;
    usleep(20000);
    pthread_kill(caller, SIGUSR1);
    usleep(80000);
    waiting->complete();
    return NULL;
}

static void *complete_later(void *arg)
{
    const struct waiting *waiting = arg;
    while (!atomic_load(&raised))
        usleep(2000);
    usleep(80000);
    waiting->complete();
    return NULL;
}

static void compute(int64_t duration)
{
    for (int64_t until = harness_now() + duration; harness_now() < until;)
        continue;
}

static void *raise_at(void *arg)
{
    struct bine_greenlet *root = bine_hub_here()->root;
    enum moment moment = (enum moment)(intptr_t)arg;
    CHECK_OK(bine_sleep(5 * BINE_MS));
    if (moment == WHEN_ITS_PAUSE_IS_OVER)
        compute(60 * BINE_MS);
    /* Calls that park once are never ready before they have something. */
    for (int64_t until = harness_now() + 100 * BINE_MS;
         moment == WHILE_READY && root->state != BINE_READY && harness_now() < until;)
        CHECK_OK(bine_sleep(0));
    CHECK_EQ(raise(SIGUSR1), 0);
    atomic_store(&raised, true);
    return NULL;
}

static int outcome(const struct waiting *waiting)
{
    return waiting->call() < 0 ? errno : 0;
}

static int by_libc(const struct waiting *waiting)
{
    pthread_t thread;
    waiting->begin();
    caller = pthread_self();
    handled = 0;
    CHECK_EQ(pthread_create(&thread, NULL, signal_and_complete, (void *)waiting), 0);
    int result = outcome(waiting);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handled, 1);
    waiting->end();
    return result;
}

static int patched(const struct waiting *waiting, enum moment moment)
{
    pthread_t thread;
    CHECK_OK(bine_patch_all());
    waiting->begin();
    handled = 0;
    atomic_store(&raised, false);
    bine_greenlet *g = bine_spawn(raise_at, (void *)(intptr_t)moment);
    CHECK_EQ(pthread_create(&thread, NULL, complete_later, (void *)waiting), 0);
    int result = outcome(waiting);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handled, 1);
    waiting->end();
    CHECK_OK(bine_unpatch_all());
    return result;
}

void signal_waits_compare(const struct waiting *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int restart = 0; restart < 2; restart++) {
            struct sigaction action = {.sa_handler = signal_waits_handle,
                                       .sa_flags = restart ? SA_RESTART : 0};
            sigemptyset(&action.sa_mask);
            CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
            int expected = by_libc(&all[i]);
            for (enum moment moment = WHILE_PARKED; moment < MOMENTS; moment++) {
                int got = patched(&all[i], moment);
                if (got != expected)
                    FAIL("%s, a signal%s %s: libc %s, patched %s", all[i].name,
                         restart ? " with SA_RESTART" : "", moments[moment],
                         expected ? strerror(expected) : "goes on",
                         got ? strerror(got) : "goes on");
            }
        }
}

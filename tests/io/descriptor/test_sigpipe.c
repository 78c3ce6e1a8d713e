/* The first servers of a process start on several threads at once: each of them may rely on what
 * SIGPIPE does. */
#include <bine.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "harness.h"
#include "io/descriptor/sigpipe.h"

static int slow_action(const struct sigaction *action, struct sigaction *old)
{
    if (action)
        usleep(100 * 1000);
    return sigaction(SIGPIPE, action, old);
}

static void *survive(void *arg)
{
    struct sigaction now;
    bine_sigpipe_survive();
    CHECK_OK(sigaction(SIGPIPE, NULL, &now));
    CHECK(now.sa_handler != SIG_DFL);
    return arg;
}

TEST(the_second_of_two_first_servers_waits_for_the_first)
{
    pthread_t first, second;
    CHECK_EQ((long)signal(SIGPIPE, SIG_DFL), (long)SIG_DFL);
    bine_sigpipe_action = slow_action;
    CHECK_EQ(pthread_create(&first, NULL, survive, NULL), 0);
    usleep(20 * 1000); /* it is in the middle */
    CHECK_EQ(pthread_create(&second, NULL, survive, NULL), 0);
    CHECK_EQ(pthread_join(first, NULL), 0);
    CHECK_EQ(pthread_join(second, NULL), 0);
    bine_sigpipe_action = NULL;
}

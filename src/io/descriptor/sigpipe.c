/* What SIGPIPE does to a process that serves. See sigpipe.h. */
#include "sigpipe.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "libc/libc.h"

int (*bine_sigpipe_action)(const struct sigaction *action, struct sigaction *old);

static int action_of_process(const struct sigaction *action, struct sigaction *old)
{
    return bine_sigpipe_action ? bine_sigpipe_action(action, old) : bine_libc.sigaction(SIGPIPE, action, old);
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

void bine_sigpipe_survive(void)
{
    static atomic_flag done = ATOMIC_FLAG_INIT;
    struct sigaction now, survive = {.sa_handler = do_nothing, .sa_flags = SA_RESTART | SA_ONSTACK};
    int saved = errno;
    sigemptyset(&survive.sa_mask);
    if (!atomic_flag_test_and_set(&done) && action_of_process(NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == SIG_DFL)
        action_of_process(&survive, NULL);
    errno = saved;
}

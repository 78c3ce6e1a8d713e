/* What SIGPIPE does to a process that is a server. See sigpipe.h. */
#include "sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "libc/libc.h"

int (*bine_sigpipe_action)(const struct sigaction *action, struct sigaction *old);

static int action_of_process(const struct sigaction *action, struct sigaction *old)
{
    return bine_sigpipe_action ? bine_sigpipe_action(action, old)
                               : bine_libc.sigaction(SIGPIPE, action, old);
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void survive_from_now_on(void)
{
    struct sigaction now, survive = {.sa_handler = do_nothing, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&survive.sa_mask);
    if (action_of_process(NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == SIG_DFL)
        action_of_process(&survive, NULL);
}

void bine_sigpipe_survive(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int saved = errno;
    bine_libc.pthread_once(&once, survive_from_now_on); /* a second caller waits until it is done */
    errno = saved;
}

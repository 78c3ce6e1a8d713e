/* The signal that interrupts system calls of pool threads. See offload.h. */
#include <signal.h>

#include "libc/libc.h"
#include "offload.h"

static void offload_signal_nothing(int signal)
{
    (void)signal;
}

/* A signal whose handler does nothing ends a system call with EINTR. Unlike pthread_cancel it loses
 * nothing when the call succeeds in the same moment. This takes one that nothing uses: a real-time
 * signal from near the end. It does not take the last two, which qemu-user keeps for itself and
 * never delivers, nor the one before, which is the Python package's. */
int bine_offload_choose_signal(void)
{
    for (int signal = SIGRTMAX - 3; signal > SIGRTMIN; signal--) {
        struct sigaction action;
        if (bine_libc.sigaction(signal, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
            continue;
        action = (struct sigaction){.sa_handler = offload_signal_nothing}; /* without SA_RESTART */
        sigemptyset(&action.sa_mask);
        return bine_libc.sigaction(signal, &action, NULL) == 0 ? signal : 0;
    }
    return 0;
}

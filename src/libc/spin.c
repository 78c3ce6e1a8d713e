/* How a thread waits for a spin lock. See spin.h. */
#include "spin.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "libc.h"

enum {
    ROUNDS_OF_SPINNING = 64,
    ROUNDS_OF_YIELDING = 64,
    NANOSECONDS_OF_SLEEP = 50 * 1000,
};

void bine_spin_pause(unsigned *rounds)
{
    if (*rounds < ROUNDS_OF_SPINNING) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    } else if (*rounds < ROUNDS_OF_SPINNING + ROUNDS_OF_YIELDING) {
        bine_libc.syscall(SYS_sched_yield);
    } else {
        int saved = errno;
        struct timespec pause = {.tv_nsec = NANOSECONDS_OF_SLEEP};
        bine_libc.syscall(SYS_nanosleep, &pause, NULL);
        errno = saved;
    }
    ++*rounds;
}

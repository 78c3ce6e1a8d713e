/*
 * The driver of a hub whose greenlets have not waited for any descriptor. It knows time, messages
 * and signals, by one futex. A program that only sleeps and computes never opens a ring or an epoll
 * descriptor.
 */
#include "driver_futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libc/container_of.h"
#include "libc/libc.h"

static struct bine_hub *hub_of(struct bine_driver *driver)
{
    return BINE_CONTAINER_OF(driver, struct bine_hub, futex_driver);
}

static int futex_driver_turn(struct bine_driver *driver, int64_t deadline)
{
    struct bine_hub *hub = hub_of(driver);
    if (deadline == 0)
        return 0;
    struct timespec until = {deadline / BINE_SECOND, deadline % BINE_SECOND};
    /* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, to the nanosecond (futex(2)). */
    long rc =
        bine_libc.syscall(SYS_futex, &hub->futex_woken, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0,
                          deadline == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    int error = rc < 0 ? errno : 0;
    atomic_store(&hub->futex_woken, 0);
    if (error == EINTR) {
        errno = EINTR;
        return -1;
    }
    return 0;
}

static void wake(struct bine_driver *driver)
{
    struct bine_hub *hub = hub_of(driver);
    int saved_errno = errno;
    atomic_store(&hub->futex_woken, 1);
    bine_libc.syscall(SYS_futex, &hub->futex_woken, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    errno = saved_errno;
}

static size_t pending(struct bine_driver *driver)
{
    (void)driver;
    return 0;
}

static void futex_driver_nothing(struct bine_driver *driver)
{
    (void)driver;
}

void bine_futex_driver_init(struct bine_hub *hub)
{
    hub->futex_driver = (struct bine_driver){.name = "none",
                                             .turn = futex_driver_turn,
                                             .wake = wake,
                                             .pending = pending,
                                             .forked = futex_driver_nothing,
                                             .close = futex_driver_nothing};
    hub->driver = &hub->futex_driver;
}

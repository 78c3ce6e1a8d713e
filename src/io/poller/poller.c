/* Which poller a hub gets, and why. See poller.h. */
#include "poller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/offload/confine.h"
#include "libc/valgrind.h"
#include "poller_common.h"
#include "poller_sim.h"

/* Why io_uring was not chosen when it was looked at last. Only ever points at constants. */
static _Atomic(const char *) why = "";

const char *bine_poller_why(void)
{
    return atomic_load(&why);
}

static const char *reason(int error)
{
    switch (error) {
    case ENOSYS:
        return "io_uring: ENOSYS: the kernel has no io_uring, or one older than 5.11, or a seccomp "
               "filter hides it";
    case EPERM:
    case EACCES:
        return "io_uring: EPERM: a seccomp filter or kernel.io_uring_disabled forbids it";
    case ENOMEM:
        return "io_uring: ENOMEM: no memory, or RLIMIT_MEMLOCK is too low for this kernel";
    case EMFILE:
    case ENFILE:
        return "io_uring: EMFILE: too many open files";
    case EINVAL:
        return "io_uring: EINVAL: the kernel does not know even the plainest ring";
    default:
        return "io_uring fails";
    }
}

static struct bine_poller *open_uring(struct bine_hub *hub)
{
    struct bine_poller *poller = bine_poller_uring.open(hub);
    atomic_store(&why, poller ? "" : reason(errno));
    return poller;
}

/* What bine_simulate chose for hubs to come. */
static _Atomic(uint64_t) simulated_seed;
static atomic_bool simulated;

static bool simulation(uint64_t *seed)
{
    *seed = atomic_load(&simulated_seed);
    return atomic_load(&simulated);
}

void bine_simulate(uint64_t seed)
{
    atomic_store(&simulated_seed, seed);
    atomic_store(&simulated, true);
}

static struct bine_poller *open_chosen(struct bine_hub *hub)
{
    uint64_t seed;
    if (simulation(&seed)) {
        atomic_store(&why, "bine_simulate");
        return bine_poller_sim_open(hub, seed);
    }
    const char *choice = secure_getenv("BINE_POLLER");
    if (choice && strcmp(choice, "epoll") == 0) {
        atomic_store(&why, "BINE_POLLER=epoll");
        return bine_poller_epoll.open(hub);
    }
    if (bine_under_valgrind()) {
        /* It does not know what the kernel writes, and dies when a process with a ring forks. */
        atomic_store(&why, "valgrind does not follow io_uring");
        return bine_poller_epoll.open(hub);
    }
    /* "uring", too, gives way: the program is to run where it is refused. bine_poller_name()
     * tells. */
    struct bine_poller *poller = open_uring(hub);
    return poller ? poller : bine_poller_epoll.open(hub);
}

struct bine_poller *bine_poller_open(struct bine_hub *hub)
{
    int saved_errno = errno;
    bine_confine_look();
    struct bine_poller *poller = open_chosen(hub);
    if (!poller)
        return NULL;
    bine_hub_set_driver(hub, &poller->driver);
    errno = saved_errno;
    return poller;
}

struct bine_poller *bine_poller_simulate(struct bine_hub *hub, uint64_t seed)
{
    struct bine_poller *poller = bine_poller_sim_open(hub, seed);
    if (poller)
        bine_hub_set_driver(hub, &poller->driver);
    return poller;
}

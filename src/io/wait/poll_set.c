/* How greenlets wait for several descriptors at once. See poll_set.h. */
#include "poll_set.h"

#include <bine/base.h>
#include <stdlib.h>
#include <string.h>

#include "wait.h"

/* So many on the stack; more are allocated. */
enum {
    FEW = 12
};

struct many {
    struct bine_greenlet *greenlet;
    size_t pending;
    bool fired;
};

struct one {
    struct bine_operation operation;
    struct many *many;
    size_t index;
    unsigned generation;
};

static void poll_set_ended(struct bine_operation *operation)
{
    struct many *many = ((struct one *)operation)->many;
    many->pending--;
    many->fired = true;
    bine_unpark(many->greenlet);
}

static uint32_t poll_set_events_of(short asked)
{
    uint32_t events = (uint32_t)asked & (POLLIN | POLLOUT | POLLPRI | POLLRDHUP);
    if (asked & (POLLRDNORM | POLLRDBAND))
        events |= POLLIN;
    if (asked & (POLLWRNORM | POLLWRBAND))
        events |= POLLOUT;
    return events;
}

static unsigned generation_of(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    return record ? atomic_load_explicit(&record->generation, memory_order_acquire) : 0;
}

/* Begin to wait for one. False: do not park, ask again (or *error says why not). */
static bool poll_set_begin(struct bine_hub *hub, struct bine_poller *poller, struct one *one,
                           const struct pollfd *fd, int *error)
{
    uint32_t events = poll_set_events_of(fd->events);
    struct bine_descriptor *record = bine_descriptor_of(fd->fd);
    if (record)
        bine_descriptor_used_by(record, hub);
    /* poll(2) has just said that it is not ready: what the poller remembers is out of date. */
    bine_wait_drained(hub, fd->fd, events, true);
    one->generation = generation_of(fd->fd);
    one->operation.kind = BINE_OP_POLL;
    one->operation.fd = fd->fd;
    one->operation.events = events;
    one->operation.done = poll_set_ended;
    one->operation.waiter = hub->current;
    one->many->pending++;
    int refused = poller->class->start(poller, &one->operation);
    if (!refused)
        return true;
    one->many->pending--;
    one->operation.ended = true;
    /* EPERM: a file that cannot be polled is ready for reading and writing, and never for anything
     * else. EBADF: closed. */
    if (refused == EPERM)
        return true;
    if (refused == ENOMEM)
        *error = ENOMEM;
    return false;
}

/* Wait by the clock: readiness was reported several times and poll(2) found none. */
static int by_the_clock(struct bine_hub *hub, const char *verb, int64_t deadline, unsigned rounds)
{
    unsigned doublings = rounds < 16 ? rounds - 8 : 8;
    int64_t until = bine_hub_deadline(hub, (50 * BINE_US) << doublings);
    int error = bine_park(hub, verb, 0, until < deadline ? until : deadline, BINE_PARK_SIGNALS);
    return error == ETIME && until < deadline ? 0 : error;
}

int bine_poll_set_wait(struct bine_hub *hub, const struct bine_poll_verbs *verbs,
                       const struct pollfd *fds, size_t count, int64_t deadline, unsigned *rounds,
                       bine_signal_mark signals, void (*closed)(void *arg, size_t index), void *arg)
{
    const char *verb = verbs->several;
    if (bine_signals_since(hub, signals, BINE_PARK_SIGNALS))
        return EINTR;
    if ((*rounds)++ >= 8)
        return by_the_clock(hub, verb, deadline, *rounds);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += fds[i].fd >= 0;
    if (!used)
        return bine_park(hub, verb, 0, deadline, BINE_PARK_SIGNALS);

    int error = bine_cancelled_for_good(hub);
    if (error)
        return error;
    struct bine_poller *poller = bine_poller_of(hub);
    if (!poller)
        return errno;
    struct one few[FEW], *all = few;
    if (used > FEW && !(all = malloc(used * sizeof *all)))
        return ENOMEM;
    memset(all, 0, used * sizeof *all);

    struct many many = {.greenlet = hub->current};
    size_t begun = 0;
    bool park = true;
    error = 0;
    for (size_t i = 0; i < count && park && !many.fired; i++) {
        if (fds[i].fd < 0)
            continue;
        struct one *one = all + begun++;
        one->many = &many;
        one->index = i;
        park = poll_set_begin(hub, poller, one, fds + i, &error);
    }
    int64_t since = *rounds > 4 ? bine_hub_now(hub) : INT64_MAX;
    if (park && !many.fired)
        error = used == 1 ? bine_park(hub, verbs->one, (uintptr_t)all->operation.fd, deadline,
                                      BINE_PARK_SIGNALS)
                          : bine_park(hub, verb, used, deadline, BINE_PARK_SIGNALS);
    /* The records lie here: none may be left behind (hazard 24). */
    for (size_t i = 0; i < begun; i++)
        if (!all[i].operation.ended)
            poller->class->cancel(poller, &all[i].operation);
    while (many.pending)
        bine_park(hub, verb, 0, INT64_MAX, BINE_PARK_FIRM);
    for (size_t i = 0; i < begun; i++)
        if (generation_of(all[i].operation.fd) != all[i].generation)
            closed(arg, all[i].index);
    if (all != few)
        free(all);
    /* It did wait: others may just have been faster. */
    if (since != INT64_MAX && bine_hub_now(hub) - since >= BINE_MS)
        *rounds = 0;
    return many.fired && error == ETIME ? 0 : error;
}

void bine_mask_begin(struct bine_mask *mask, const sigset_t *wanted)
{
    mask->changed = wanted && bine_libc.pthread_sigmask(SIG_SETMASK, wanted, &mask->before) == 0;
}

void bine_mask_end(struct bine_mask *mask)
{
    if (mask->changed)
        bine_libc.pthread_sigmask(SIG_SETMASK, &mask->before, NULL);
}

int64_t bine_timespec_deadline(struct bine_hub *hub, const struct timespec *time)
{
    if (!time || time->tv_sec >= BINE_FOREVER / BINE_SECOND - 1)
        return INT64_MAX;
    return bine_hub_deadline(hub, time->tv_sec * BINE_SECOND + time->tv_nsec);
}

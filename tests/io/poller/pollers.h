/* What the tests of the pollers share. Everything is real: operations are run by greenlets on the
 * hub's poller. */
#ifndef BINE_TESTS_POLLERS_H
#define BINE_TESTS_POLLERS_H

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bine.h>

#include "core/schedule/park.h"
#include "harness.h"
#include "io/descriptor/descriptor.h"
#include "io/poller/poller.h"
#include "libc/libc.h"

static inline struct bine_poller *poller(void)
{
    struct bine_poller *p = bine_poller_of(bine_hub_get());
    CHECK(p != NULL);
    return p;
}

static inline bool is(const char *name)
{
    return strcmp(poller()->class->name, name) == 0;
}

static inline int64_t wait_until(int fd, uint32_t events, int64_t deadline)
{
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = fd, .events = events};
    return bine_operation_run(bine_hub_get(), &operation, "poll fd", deadline, 0);
}

static inline int64_t wait_for(int fd, uint32_t events)
{
    return wait_until(fd, events, INT64_MAX);
}

/* A greenlet that waits: for readiness, or to receive if `buffer` is set. */
struct waiter {
    int fd;
    uint32_t events;
    char *buffer;
    size_t size;
    int64_t result;
    bool ended;
};

static inline void *run_waiter(void *argument)
{
    struct waiter *waiter = argument;
    struct bine_operation operation = {
        .kind = BINE_OP_POLL, .fd = waiter->fd, .events = waiter->events};
    if (waiter->buffer) {
        operation.kind = BINE_OP_RECV;
        operation.buffer = waiter->buffer;
        operation.size = waiter->size;
    }
    waiter->result = bine_operation_run(bine_hub_get(), &operation, "test fd", INT64_MAX, 0);
    waiter->ended = true;
    return NULL;
}

static inline bine_greenlet *spawn(struct waiter *waiter)
{
    bine_greenlet *g = bine_spawn(run_waiter, waiter);
    CHECK(g != NULL);
    return g;
}

/* Let others run until so many operations have been begun (under simulation nobody says who runs
 * first). */
static inline void until_pending(size_t count)
{
    while (poller()->pending < count)
        CHECK_OK(bine_sleep(0));
}

static inline void put(int fd, const void *data, size_t size)
{
    CHECK_EQ(bine_libc.write(fd, data, size), (ssize_t)size);
}

static inline void make_pair(int pair[2])
{
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_descriptor_fresh(pair[0], BINE_FD_SOCKET, 0);
    bine_descriptor_fresh(pair[1], BINE_FD_SOCKET, 0);
}

/* What a hooked close does. */
static inline void shut(int fd)
{
    poller()->class->forget(poller(), fd);
    bine_descriptor_fresh(fd, BINE_FD_UNKNOWN, 0);
    bine_libc.close(fd);
}

static inline void *write_later(void *fd)
{
    CHECK_OK(bine_sleep(2 * BINE_MS));
    put((int)(intptr_t)fd, "y", 1);
    return NULL;
}

#endif

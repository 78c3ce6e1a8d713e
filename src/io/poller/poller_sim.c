/*
 * The simulated poller, for tests. It has real descriptors, but a virtual clock, and a seed chooses
 * everything that the kernel leaves open. Events come late and in any order, transfers come up
 * short, cancelled operations succeed after all, ready greenlets run in any order. The same seed
 * gives the same run, as long as both ends of every connection are in this process. Even seeds know
 * only BINE_OP_POLL, as epoll does. The others transfer data too, as io_uring does.
 *
 * The clock stands still while anything can happen and then jumps to the next deadline, so a wait
 * of hours takes no time. It begins at the real time. Each turn looks at every operation, so it is
 * made for thousands of them and not for a million.
 */
#include "poller_sim.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/schedule/schedule.h"
#include "libc/libc.h"
#include "poller_common.h"

struct sim_poller {
    struct bine_poller base;
    uint64_t state; /* of the generator */
    int64_t now;
    bool woken;
    struct pollfd *fds; /* one for each operation in the order of the list, the eventfd last */
    size_t room;
};

/* poller_state: its delay has been drawn; it is to end in this turn; the delay, in looks. */
enum {
    DRAWN = BINE_OPERATION_FLAG,
    DUE = DRAWN << 1,
    DELAY = DUE << 1,
    DELAY_MASK = 3 * DELAY
};

/* While other threads could bring events, let real time pass before the clock jumps, but not more
 * than this at once. */
#define COURTESY (10 * BINE_MS)

static struct sim_poller *sim_of(struct bine_poller *poller)
{
    return (struct sim_poller *)poller;
}

/* splitmix64 (Steele, Lea, Flood 2014): every seed is good. */
static uint32_t draw(struct sim_poller *sim)
{
    uint64_t z = sim->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

static uint32_t draw_below(struct sim_poller *sim, uint32_t limit)
{
    return (uint32_t)((uint64_t)draw(sim) * limit >> 32);
}

static int sim_start(struct bine_poller *poller, struct bine_operation *operation)
{
    if (!bine_poller_supports(poller, operation->kind))
        return ENOTSUP;
    if (operation->fd < 0)
        return EBADF;
    struct bine_poller_slot *slot = bine_poller_slot_make(poller, operation->fd);
    if (!slot)
        return ENOMEM;
    bine_poller_begin(poller, operation, slot);
    return 0;
}

static void sim_retract(struct bine_poller *poller, struct bine_operation *operation,
                        int64_t verdict)
{
    if (operation->ended)
        return;
    operation->result = verdict;
    if (operation->cancelled)
        return;
    operation->cancelled = true;
    operation->poller_state &= (uint8_t) ~(DRAWN | DELAY_MASK); /* it ends late, too */
}

static void sim_cancel(struct bine_poller *poller, struct bine_operation *operation)
{
    sim_retract(poller, operation, -ECANCELED);
}

static void sim_forget(struct bine_poller *poller, int fd)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    /* Late as well, but not a turn later: the number may be another file's by then. */
    while (slot && slot->first)
        bine_poller_end(poller, slot->first, -EBADF);
}

static int sim_hint(struct bine_poller *poller, int fd, uint32_t events)
{
    return -1;
}

/* ---- transfers ------------------------------------------------------------------------------- */

/* May a transfer on fd be cut short without breaking a message in two? */
static bool is_stream(int fd)
{
    struct stat status;
    int type;
    socklen_t size = sizeof type;
    if (fstat(fd, &status) < 0)
        return false;
    if (S_ISSOCK(status.st_mode))
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
    return S_ISFIFO(status.st_mode);
}

static size_t shorten(struct sim_poller *sim, int fd, size_t size)
{
    if (size < 2 || draw(sim) & 1 || !is_stream(fd))
        return size;
    return 1 + draw_below(sim, size > UINT32_MAX ? UINT32_MAX : (uint32_t)size - 1);
}

static ssize_t read_now(struct sim_poller *sim, const struct bine_operation *operation)
{
    int fd = operation->fd;
    if (operation->offset >= 0)
        return bine_libc.syscall(SYS_pread64, fd, operation->buffer, operation->size,
                                 operation->offset);
    struct iovec part = {operation->buffer, shorten(sim, fd, operation->size)};
    ssize_t got = bine_libc.syscall(SYS_preadv2, fd, &part, 1, -1L, -1L, RWF_NOWAIT);
    if (got >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM))
        return got;
    struct pollfd look = {.fd = fd, .events = POLLIN};
    if (bine_libc.poll(&look, 1, 0) <= 0) {
        errno = EAGAIN;
        return -1;
    }
    return bine_libc.read(fd, part.iov_base, part.iov_len);
}

static int64_t sim_transfer(struct sim_poller *sim, const struct bine_operation *operation)
{
    int fd = operation->fd, flags = operation->flags | MSG_DONTWAIT;
    size_t size = operation->size;
    ssize_t done;
    switch (operation->kind) {
    case BINE_OP_READ:
        done = read_now(sim, operation);
        break;
    case BINE_OP_RECV:
        if (!(flags & (MSG_WAITALL | MSG_PEEK | MSG_TRUNC | MSG_OOB)))
            size = shorten(sim, fd, size);
        done = bine_libc.recv(fd, operation->buffer, size, flags);
        break;
    case BINE_OP_SEND:
        if (!(flags & (MSG_WAITALL | MSG_OOB | MSG_EOR)))
            size = shorten(sim, fd, size);
        done = bine_libc.send(fd, operation->buffer, size, flags);
        break;
    case BINE_OP_RECVMSG:
        done = bine_libc.recvmsg(fd, operation->buffer, flags);
        break;
    case BINE_OP_SENDMSG:
        done = bine_libc.sendmsg(fd, operation->buffer, flags);
        break;
    default:
        return -ENOTSUP;
    }
    return done < 0 ? -errno : done;
}

/* ---- turning --------------------------------------------------------------------------------- */

static uint32_t sim_events_of(const struct bine_operation *operation)
{
    if (operation->kind == BINE_OP_POLL)
        return operation->events;
    return operation->kind == BINE_OP_SEND || operation->kind == BINE_OP_SENDMSG ? POLLOUT : POLLIN;
}

/* Ask the kernel about all operations. Returns how many, or -1: EINTR, ENOMEM. */
static ssize_t sim_ask(struct sim_poller *sim, int milliseconds)
{
    size_t count = sim->base.pending;
    if (count + 1 > sim->room) {
        struct pollfd *fds = realloc(sim->fds, 2 * (count + 1) * sizeof *fds);
        if (!fds)
            return -1;
        sim->fds = fds;
        sim->room = 2 * (count + 1);
    }
    size_t i = 0;
    for (struct bine_operation *operation = sim->base.oldest; operation;
         operation = operation->next)
        sim->fds[i++] =
            (struct pollfd){.fd = operation->fd, .events = (short)sim_events_of(operation)};
    sim->fds[i] = (struct pollfd){.fd = atomic_load(&sim->base.wake.fd), .events = POLLIN};
    if (bine_libc.poll(sim->fds, i + 1, milliseconds) < 0)
        return -1;
    if (sim->fds[i].revents) {
        uint64_t wakes;
        ssize_t got = bine_libc.read(sim->fds[i].fd, &wakes, sizeof wakes);
        (void)got;
        sim->woken = true;
    }
    return (ssize_t)i;
}

static bool delayed(struct sim_poller *sim, struct bine_operation *operation)
{
    if (!(operation->poller_state & DRAWN)) {
        uint32_t delay = draw(sim) & 1 ? 0 : draw_below(sim, 4);
        operation->poller_state |= (uint8_t)(DRAWN | delay * DELAY);
    }
    if (!(operation->poller_state & DELAY_MASK))
        return false;
    operation->poller_state -= DELAY;
    return true;
}

/* Mark what may end now and bring it to the front of the list, in random order. *later: more will
 * follow. */
static size_t sim_choose(struct sim_poller *sim, size_t count, bool *later)
{
    struct bine_operation *operation = sim->base.oldest, *next;
    size_t due = 0;
    for (size_t i = 0; i < count; i++, operation = next) {
        next = operation->next;
        unsigned revents = (unsigned short)sim->fds[i].revents;
        if (!revents && !operation->cancelled)
            continue;
        if (!(revents & POLLNVAL) && delayed(sim, operation)) {
            *later = true;
            continue;
        }
        if (revents & POLLNVAL)
            operation->result = -EBADF;
        else if (operation->kind == BINE_OP_POLL && revents &&
                 (!operation->cancelled || draw(sim) & 1))
            operation->result = revents & (operation->events | POLLERR | POLLHUP);
        operation->poller_state |= DUE;
        due++;
        bine_poller_move_first(&sim->base, operation);
        /* Each takes a random place among those before it. */
        for (uint32_t back = draw_below(sim, (uint32_t)due); back-- > 0;)
            bine_poller_move_first(&sim->base, operation->next);
    }
    return due;
}

/* End what is due; part of it at least. */
static int end_due(struct sim_poller *sim, size_t due)
{
    struct bine_poller *poller = &sim->base;
    size_t quota = 1 + draw_below(sim, (uint32_t)due);
    int found = 0;
    struct bine_operation *operation;
    while ((operation = poller->oldest) && operation->poller_state & DUE) {
        operation->poller_state &= (uint8_t) ~(DUE | DRAWN);
        bine_poller_move_last(poller, operation);
        if (quota == 0) {
            if (operation->kind == BINE_OP_POLL && !operation->cancelled)
                operation->result = -ECANCELED;
            continue;
        }
        quota--;
        int64_t result = operation->result;
        if (operation->kind != BINE_OP_POLL && result != -EBADF) {
            if (operation->cancelled && draw(sim) & 1) {
                int64_t late = sim_transfer(sim, operation); /* the cancel came too late */
                if (late >= 0)
                    result = late;
            } else if (!operation->cancelled && draw_below(sim, 16) == 0) {
                result = -EAGAIN; /* as if a re-check had found it stale */
            } else if (!operation->cancelled) {
                result = sim_transfer(sim, operation);
                if (result == -EAGAIN)
                    continue; /* another thread was faster */
            }
        }
        bine_poller_end(poller, operation, result);
        found++;
    }
    return found;
}

/* glibc has it from 2.32 on. Without it every process may have another thread. */
extern char __libc_single_threaded __attribute__((weak));

/* Nothing is ready and there is a deadline: how long could another thread need to change that?
 * Milliseconds. A look in passing (bine_schedule_look) is no wait. */
static int courtesy(const struct sim_poller *sim, int64_t deadline)
{
    int64_t left = deadline - sim->now;
    if ((&__libc_single_threaded && __libc_single_threaded) || left <= BINE_SIMULATED_LOOK)
        return 0;
    return (int)(((left < COURTESY ? left : COURTESY) + BINE_MS - 1) / BINE_MS);
}

static int sim_turn(struct bine_driver *driver, int64_t deadline)
{
    struct sim_poller *sim = (struct sim_poller *)driver;
    int milliseconds = 0;
    if (!bine_own_still(&sim->base.wake))
        bine_poller_verify_wake(&sim->base);
    for (int round = 0; round < 256; round++) {
        ssize_t count = sim_ask(sim, milliseconds);
        if (count < 0)
            return errno == EINTR ? -1 : 0;
        bool later = false, waited = milliseconds != 0;
        size_t due = sim_choose(sim, (size_t)count, &later);
        if (due) {
            int found = end_due(sim, due);
            if (found)
                return found;
        }
        if (sim->woken || deadline <= sim->now) {
            sim->woken = false;
            return 0;
        }
        milliseconds = 0;
        if (due || later) {
            /* The clock advances a little while they are late, so that deadlines race with them. */
            int64_t step = draw_below(sim, 200 * BINE_US);
            sim->now = deadline - sim->now < step ? deadline : sim->now + step;
        } else if (deadline == INT64_MAX) {
            if (waited)
                return 0; /* let the hub look around */
            milliseconds = 1000;
        } else if (waited || (milliseconds = courtesy(sim, deadline)) == 0) {
            sim->now = deadline;
            return 0;
        }
    }
    return 0;
}

static int64_t now(struct bine_driver *driver)
{
    return ((struct sim_poller *)driver)->now;
}

static uint32_t random_number(struct bine_driver *driver)
{
    return draw((struct sim_poller *)driver);
}

static void sim_close_poller(struct bine_driver *driver)
{
    struct sim_poller *sim = (struct sim_poller *)driver;
    sim->base.closing = true;
    free(sim->fds);
    sim->fds = NULL;
    bine_poller_free(&sim->base);
}

struct bine_poller *bine_poller_sim_open(struct bine_hub *hub, uint64_t seed)
{
    struct bine_poller *poller = bine_poller_new(&bine_poller_sim, hub, sizeof(struct sim_poller));
    if (!poller)
        return NULL;
    struct sim_poller *sim = sim_of(poller);
    sim->state = seed;
    if (seed & 1)
        poller->supported |= 1u << BINE_OP_READ | 1u << BINE_OP_RECV | 1u << BINE_OP_SEND |
                             1u << BINE_OP_RECVMSG | 1u << BINE_OP_SENDMSG;
    sim->now = bine_hub_now(hub);
    poller->driver.turn = sim_turn;
    poller->driver.close = sim_close_poller;
    poller->driver.now = now;
    poller->driver.random = random_number;
    return poller;
}

const struct bine_poller_class bine_poller_sim = {
    .name = "sim",
    .start = sim_start,
    .cancel = sim_cancel,
    .retract = sim_retract,
    .forget = sim_forget,
    .replaced = sim_forget,
    .hint = sim_hint,
    .verify = bine_poller_verify_wake,
};

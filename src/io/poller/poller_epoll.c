/*
 * The epoll poller, for machines and containers that refuse io_uring. It knows only readiness. The
 * io layer then makes the call itself.
 *
 * A descriptor is registered once, edge-triggered for everything, and stays registered, so a wait
 * costs no epoll_ctl. What an edge announced is remembered in the descriptor's slot until the io
 * layer says that a call found nothing more (drained), because the kernel will not say it again.
 * The generation of a descriptor's record shows when another file has taken over the number.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>

#include "io/descriptor/descriptor.h"
#include "libc/kernel.h"
#include "libc/libc.h"
#include "libc/valgrind.h"
#include "poller_common.h"

enum {
    EVENTS = 256
};

struct epoll_poller {
    struct bine_poller base;
    struct bine_own set;
    bool milliseconds; /* the kernel is older than epoll_pwait2 (5.11), or a filter forbids it */
    struct epoll_event events[EVENTS];
};

#define WAKE UINT64_MAX
enum {
    EVERYTHING = POLLIN | POLLOUT | POLLPRI | POLLRDHUP
};

/* epoll's bits are poll's: epoll_ctl(2) does not promise it, Linux's ABI does. */
_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP,
               "bits of epoll and poll differ");

static struct epoll_poller *epoll_of(struct bine_poller *poller)
{
    return (struct epoll_poller *)poller;
}

static int set_of(const struct epoll_poller *poller)
{
    return atomic_load_explicit(&poller->set.fd, memory_order_relaxed);
}

/* Do the bits that are remembered for a file answer a wait for `events`? */
static bool answers(uint32_t ready, uint32_t events)
{
    if (ready & (events | POLLERR | POLLHUP))
        return true;
    return (ready & POLLRDHUP) && (events & POLLIN); /* the end of a stream can be read */
}

static int enter(struct bine_poller *poller, int fd, struct bine_poller_slot *slot,
                 uint32_t generation)
{
    int set = set_of(epoll_of(poller));
    struct epoll_event event = {
        .events = (uint32_t)EVERYTHING | EPOLLET,
        .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd,
    };
    slot->ready = 0;
    slot->registered = false;
    /* Both report at once what is ready now, so nothing is missed between here and the next
     * turn. */
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 &&
        (errno != EEXIST || epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) < 0))
        return errno == ENOSPC ? ENOMEM : errno; /* EPERM: always ready; EBADF; ENOMEM */
    slot->generation = generation;
    slot->registered = true;
    return 0;
}

static int epoll_start(struct bine_poller *poller, struct bine_operation *operation)
{
    int fd = operation->fd;
    if (operation->kind != BINE_OP_POLL)
        return ENOTSUP;
    struct bine_descriptor *descriptor = bine_descriptor_of(fd);
    if (!descriptor)
        return EBADF;
    struct bine_poller_slot *slot = bine_poller_slot_make(poller, fd);
    if (!slot)
        return ENOMEM;
    uint32_t generation = atomic_load_explicit(&descriptor->generation, memory_order_acquire);
    if (!slot->registered || slot->generation != generation) {
        while (slot->first) /* they wait for a file that is gone */
            bine_poller_end(poller, slot->first, -EBADF);
        int error = enter(poller, fd, slot, generation);
        if (error)
            return error;
    } else if (answers(slot->ready, operation->events)) {
        /* An edge announced it earlier, and no caller has said that it was used up. So this asks
         * for the present state: a wait must neither miss what is there nor report what is not. */
        struct pollfd look = {.fd = fd, .events = EVERYTHING};
        int count = bine_libc.poll(&look, 1, 0);
        if (count >= 0)
            slot->ready = count ? (uint16_t)look.revents & (EVERYTHING | POLLERR | POLLHUP) : 0;
        if (look.revents & POLLNVAL) {
            slot->registered = false;
            return EBADF;
        }
        uint32_t result = slot->ready & (operation->events | POLLERR | POLLHUP);
        if (result) {
            bine_poller_begin(poller, operation, slot);
            bine_poller_end(poller, operation, result);
            return 0;
        }
    }
    bine_poller_begin(poller, operation, slot);
    return 0;
}

static void epoll_cancel(struct bine_poller *poller, struct bine_operation *operation)
{
    if (operation->ended)
        return;
    operation->cancelled = true;
    bine_poller_end(poller, operation, -ECANCELED);
}

static void epoll_retract(struct bine_poller *poller, struct bine_operation *operation,
                          int64_t verdict)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, operation->fd);
    struct bine_descriptor *descriptor = bine_descriptor_of(operation->fd);
    /* The number names a file that epoll knows nothing of. Others may be waiting on it too:
     * register what is there now. */
    if (verdict != -EBADF &&
        enter(poller, operation->fd, slot, atomic_load(&descriptor->generation)) == EBADF)
        verdict = -EBADF;
    bine_poller_end(poller, operation, verdict);
}

static void epoll_forget(struct bine_poller *poller, int fd)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    if (!slot)
        return;
    /* The kernel by itself drops a file that is closed for good. A file that stays open under
     * another number or in another process would still be reported here, and later it could not
     * even be named any more. */
    struct bine_descriptor *descriptor = bine_descriptor_of(fd);
    if (slot->registered && descriptor &&
        atomic_load_explicit(&descriptor->shared, memory_order_relaxed)) {
        struct epoll_event unused = {0};
        epoll_ctl(set_of(epoll_of(poller)), EPOLL_CTL_DEL, fd, &unused);
    }
    slot->registered = false;
    slot->ready = 0;
    while (slot->first)
        bine_poller_end(poller, slot->first, -EBADF);
}

static int epoll_hint(struct bine_poller *poller, int fd, uint32_t events)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    if (!slot || !slot->registered)
        return -1;
    struct bine_descriptor *descriptor = bine_descriptor_of(fd);
    if (!descriptor ||
        slot->generation != atomic_load_explicit(&descriptor->generation, memory_order_relaxed))
        return -1;
    return answers(slot->ready, events);
}

static void drained(struct bine_poller *poller, int fd, uint32_t events, bool dry)
{
    struct bine_poller_slot *slot = bine_poller_slot(poller, fd);
    if (!slot)
        return;
    uint32_t gone = events;
    if (dry) /* it would have failed, or reported the end, instead of EAGAIN */
        gone |= POLLERR | POLLHUP | (events & POLLIN ? POLLRDHUP : 0);
    else if (slot->ready & POLLPRI)
        /* a read stops short at the mark of urgent data, with more behind it */
        gone &= ~(uint32_t)POLLIN;
    slot->ready &= (uint16_t)~gone;
}

/* ---- turning --------------------------------------------------------------------------------- */

static int wait_for_events(struct epoll_poller *poller, int64_t wait)
{
    int set = set_of(poller);
    if (!poller->milliseconds) {
        struct timespec time = {wait / BINE_SECOND, wait % BINE_SECOND};
        int count = (int)bine_libc.syscall(SYS_epoll_pwait2, set, poller->events, EVENTS,
                                           wait == INT64_MAX ? NULL : &time, NULL, 0);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        poller->milliseconds = true;
    }
    int milliseconds = -1;
    if (wait != INT64_MAX) {
        int64_t up = wait / BINE_MS + (wait % BINE_MS != 0); /* up: never early (hazard 27) */
        milliseconds = up > INT_MAX ? INT_MAX : (int)up;
    }
    return bine_libc.epoll_pwait(set, poller->events, EVENTS, milliseconds, NULL);
}

static int epoll_deliver(struct bine_poller *poller, const struct epoll_event *event)
{
    if (event->data.u64 == WAKE)
        return 0; /* edge-triggered: never read */
    int count = 0;
    struct bine_poller_slot *slot = bine_poller_slot(poller, (int)(uint32_t)event->data.u64);
    if (!slot || !slot->registered || slot->generation != (uint32_t)(event->data.u64 >> 32))
        return 0; /* of a file that had this number before */
    uint32_t ready = event->events;
    slot->ready |= (uint16_t)ready;
    struct bine_operation *operation = slot->first;
    while (operation) {
        poller->cursor = operation->same_next;
        uint32_t result = ready & (operation->events | POLLERR | POLLHUP);
        if (result) {
            bine_poller_end(poller, operation, result);
            count++;
        }
        operation = poller->cursor;
    }
    return count;
}

/* The first operation that waits for the descriptor of event i, or NULL. */
static struct bine_operation *first_of(struct epoll_poller *poller, int i)
{
    struct bine_poller_slot *slot =
        bine_poller_slot(&poller->base, (int)(uint32_t)poller->events[i].data.u64);
    return slot ? slot->first : NULL;
}

static int epoll_turn(struct bine_driver *driver, int64_t deadline)
{
    struct epoll_poller *poller = (struct epoll_poller *)driver;
    size_t found = 0;
    int64_t wait = bine_poller_patience(&poller->base, deadline, &found);
    int count = wait_for_events(poller, wait);
    if (count < 0 && (errno == EBADF || errno == EINVAL)) {
        poller->base.verify_at = 0; /* the number is free, or names another file */
        return (int)found;
    }
    if (count < 0)
        return found ? (int)found : -1;
    for (int i = 0; i < count; i++) {
        if (i + BINE_POLLER_OPERATION_AHEAD < count)
            bine_poller_fetch_operation(first_of(poller, i + BINE_POLLER_OPERATION_AHEAD));
        if (i + BINE_POLLER_GREENLET_AHEAD < count)
            bine_poller_fetch_greenlet(first_of(poller, i + BINE_POLLER_GREENLET_AHEAD));
        found += (size_t)epoll_deliver(&poller->base, &poller->events[i]);
    }
    return (int)found;
}

static void epoll_close_poller(struct bine_driver *driver)
{
    struct epoll_poller *poller = (struct epoll_poller *)driver;
    poller->base.closing = true;
    bine_own_close(&poller->set);
    bine_poller_free(&poller->base);
}

/* The eventfd in the set: EPOLL_CTL_ADD, or EPOLL_CTL_MOD to see whether both still are what they
 * were. */
static int watch_wake(struct epoll_poller *poller, int how)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE};
    return epoll_ctl(set_of(poller), how, atomic_load(&poller->base.wake.fd), &event);
}

/* A set that knows the eventfd only. */
static int make_set(struct epoll_poller *poller)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return -1;
    struct bine_own before = poller->set;
    bine_own_note(&poller->set, fd);
    if (watch_wake(poller, EPOLL_CTL_ADD) == 0)
        return 0;
    int error = errno;
    bine_own_close(&poller->set);
    poller->set = before;
    errno = error;
    return -1;
}

/* Into the new set with what operations wait for. */
static void enter_all(struct bine_poller *poller)
{
    for (size_t i = 0; i < poller->chunk_count; i++)
        for (int j = 0; poller->chunks[i] && j < BINE_POLLER_CHUNK; j++) {
            struct bine_poller_slot *slot = &poller->chunks[i]->slots[j];
            int fd = (int)i * BINE_POLLER_CHUNK + j;
            slot->registered = false;
            slot->ready = 0;
            int error = slot->first ? enter(poller, fd, slot, slot->generation) : 0;
            while (error && slot->first)
                bine_poller_end(poller, slot->first, -EBADF);
        }
}

static bool epoll_verify(struct bine_poller *base)
{
    struct epoll_poller *poller = epoll_of(base);
    if (watch_wake(poller, EPOLL_CTL_MOD) == 0) {
        bine_own_verify(&poller->set);
        bine_own_verify(&base->wake);
        return false;
    }
    /* One of the two is gone. The number of the set may name the program's own by now: nothing is
     * entered there, nor is it closed. */
    bine_poller_verify_wake(base);
    if (make_set(poller) < 0)
        return false; /* perhaps at the next look */
    enter_all(base);
    return true;
}

static bool epoll_due(struct bine_driver *driver)
{
    struct pollfd look = {.fd = set_of((struct epoll_poller *)driver), .events = POLLIN};
    return bine_libc.poll(&look, 1, 0) > 0;
}

static struct bine_poller *open_poller(struct bine_hub *hub)
{
    struct bine_poller *poller =
        bine_poller_new(&bine_poller_epoll, hub, sizeof(struct epoll_poller));
    if (!poller)
        return NULL;
    poller->driver.turn = epoll_turn;
    poller->driver.due = epoll_due;
    /* Valgrind does not know epoll_pwait2. */
    epoll_of(poller)->milliseconds = bine_under_valgrind();
    if (make_set(epoll_of(poller)) == 0) {
        poller->driver.close = epoll_close_poller;
        return poller;
    }
    int error = errno;
    bine_poller_free(poller);
    errno = error;
    return NULL;
}

const struct bine_poller_class bine_poller_epoll = {
    .name = "epoll",
    .open = open_poller,
    .start = epoll_start,
    .cancel = epoll_cancel,
    .retract = epoll_retract,
    .forget = epoll_forget,
    .replaced = epoll_forget,
    .hint = epoll_hint,
    .drained = drained,
    .verify = epoll_verify,
};

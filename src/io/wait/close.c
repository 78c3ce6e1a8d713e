/*
 * close. The waiters for the descriptor are told before the number can mean another file. Other
 * greenlets run while a socket lingers. See bine/io.h.
 */
#include "close.h"

#include <assert.h>
#include <bine/io.h>
#include <stdlib.h>

#include "core/schedule/schedule.h"
#include "io/offload/offload.h"
#include "wait.h"

/* The message to another hub, whose greenlets may wait for a descriptor that was closed here. */
struct farewell {
    struct bine_message message;
    struct bine_hub *hub;
    int fd;
};

static void close_forget(struct bine_hub *hub, int fd)
{
    if (hub->driver == &hub->futex_driver)
        return; /* it has never waited for a descriptor */
    struct bine_poller *poller = (struct bine_poller *)hub->driver;
    poller->class->forget(poller, fd);
}

/* The number may be in use again by now. A waiter for the new file is woken without reason, sees
 * that the generation is its own, and waits again. A waiter for the old file sees that it is
 * not. */
static void deliver_farewell(struct bine_message *message)
{
    struct farewell *farewell = (struct farewell *)message;
    struct bine_hub *hub = farewell->hub;
    int fd = farewell->fd;
    free(farewell);
    close_forget(hub, fd);
}

static void drop_farewell(struct bine_message *message)
{
    free(message);
}

static void send_farewell(struct bine_hub *hub, void *arg)
{
    int fd = *(int *)arg;
    if (hub == bine_hub_here())
        return;
    struct farewell *farewell = malloc(sizeof *farewell);
    if (!farewell)
        return; /* the poller's slow re-check finds it */
    farewell->message = (struct bine_message){NULL, deliver_farewell, drop_farewell};
    farewell->hub = hub;
    farewell->fd = fd;
    if (bine_hub_send(hub, &farewell->message) != 0)
        free(farewell);
}

/* ---- data that came before the close ---- */

enum {
    WAITERS = 16, /* so many are let run */
    ROUNDS = 64
};

static bool any_ready(struct bine_greenlet *const *waiters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (waiters[i]->state == BINE_READY)
            return true;
    return false;
}

/*
 * Bytes that have arrived, and the end of a stream that was shut down, belong to the waiters at the
 * time when they came: threads in the kernel would have them by now. So these waits end, and the
 * greenlets run and fetch the data, before the number becomes invalid. Meanwhile it is closed for
 * all other greenlets (`closing`). Returns false if another call has given the number another file.
 */
static bool let_waiters_have_it(struct bine_hub *hub, int fd, struct bine_descriptor *record)
{
    struct bine_greenlet *waiters[WAITERS];
    if (hub->no_park || hub->driver == &hub->futex_driver)
        return true;
    struct bine_poller *poller = (struct bine_poller *)hub->driver;
    size_t count = bine_poller_recheck_descriptor(poller, fd, waiters, WAITERS);
    if (!count)
        return true;
    unsigned generation = atomic_load_explicit(&record->generation, memory_order_acquire);
    atomic_store(&record->closing, true);
    for (unsigned rounds = 0;
         rounds < ROUNDS && (bine_poller_ending(poller, fd) || any_ready(waiters, count));
         rounds++) {
        bine_schedule_look(hub, bine_hub_now(hub));
        bine_yield(hub);
    }
    atomic_store(&record->closing, false);
    return atomic_load_explicit(&record->generation, memory_order_acquire) == generation;
}

bool bine_descriptor_closing(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record)
        return true;
    int saved = errno;
    struct bine_hub *here = bine_hub_here();
    struct bine_hub *first_user = atomic_load_explicit(&record->hub, memory_order_acquire);
    if (bine_descriptor_foreign(record))
        return true;
    if (first_user && here && !let_waiters_have_it(here, fd, record)) {
        errno = saved;
        return false;
    }
    struct bine_hub *user = atomic_load_explicit(&record->hub, memory_order_acquire);
    bool many = atomic_load_explicit(&record->many_hubs, memory_order_acquire);
    bool shared = atomic_load_explicit(&record->shared, memory_order_relaxed);
    if (user) {
        /* The generation first: a waiter that wakes compares it. But a poller must see that the
         * file was shared, to drop it. */
        bine_descriptor_gone(fd);
        atomic_store_explicit(&record->shared, shared, memory_order_relaxed);
        if (here && (user == here || many))
            close_forget(here, fd);
        if (many)
            bine_hub_each(send_farewell, &fd);
        else if (user != here)
            send_farewell(user, &fd);
        atomic_store_explicit(&record->shared, true, memory_order_relaxed);
    } else {
        bine_descriptor_gone(fd);
    }
    errno = saved;
    return true;
}

void bine_descriptor_replaced(int fd, struct bine_descriptor *record)
{
    int saved = errno;
    struct bine_hub *here = bine_hub_here();
    struct bine_hub *user = atomic_load_explicit(&record->hub, memory_order_acquire);
    bool many = atomic_load_explicit(&record->many_hubs, memory_order_acquire);
    if (here && (user == here || many) && here->driver != &here->futex_driver) {
        struct bine_poller *poller = (struct bine_poller *)here->driver;
        poller->class->replaced(poller, fd);
    }
    if (many)
        bine_hub_each(send_farewell, &fd);
    else if (user != here)
        send_farewell(user, &fd);
    errno = saved;
}

struct closing {
    struct bine_offload_job job; /* first */
    int fd, result;
    bool closed;
};

static void run_closing(struct bine_offload_job *job)
{
    struct closing *closing = (struct closing *)job;
    closing->result = bine_libc.close(closing->fd);
    closing->closed = true;
}

/* A socket with SO_LINGER: the kernel holds its last close until all that was sent has been
 * acknowledged, or the time set for it is up. A kill does not keep it from being closed, as with
 * libc, so this waits to the end. Only a signal and the end of the hub end the wait early, as a
 * signal does in the kernel. The descriptor is gone all the same, and the kernel completes the
 * close by itself. */
static int close_lingering(struct bine_hub *hub, int fd)
{
    struct closing closing = {.job = {.run = run_closing,
                                      .lingers = true,
                                      .interruptible = true,
                                      .park_flags = BINE_PARK_SIGNALS},
                              .fd = fd};
    closing.job.error = errno;
    bine_shield_begin();
    int error = bine_offload_firm(hub, &closing.job, "close fd", (uintptr_t)fd);
    assert(!error || error == EINTR);
    if (!closing.closed) { /* a signal came before a thread began with it */
        closing.job.park_flags = 0;
        error = bine_offload_firm(hub, &closing.job, "close fd", (uintptr_t)fd);
        assert(!error);
    }
    bine_shield_end();
    (void)error;
    errno = closing.job.error;
    return closing.result;
}

int bine_close(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (record && atomic_load_explicit(&record->closing, memory_order_relaxed))
        return (int)bine_io_fail(
            /* another greenlet has closed it, and lets the waiters have the data that came
             * before */
            EBADF);
    bool lingers = bine_descriptor_lingers(fd, record);
    if (!bine_descriptor_closing(fd))
        return 0;
    struct bine_hub *hub = lingers ? bine_offload_hub() : NULL;
    return hub ? close_lingering(hub, fd) : bine_libc.close(fd);
}

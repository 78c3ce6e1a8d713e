/*
 * Watches: descriptors that are watched without a greenlet. See watch.h.
 *
 * Event loops stop a watcher and start it again at once, over and over. An operation that is begun
 * and cancelled costs far more than both. So an operation whose watch has ended stays armed until
 * the hub's next turn, which cancels it. A watch of the same file and events that begins before
 * takes it over. An operation may have ended before it was taken over, because of data that has
 * been read since. Then the file is asked again.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/hub/message.h"
#include "io/descriptor/descriptor.h"
#include "libc/carrier.h"
#include "libc/libc.h"
#include "poller.h"

struct bine_watch {
    struct bine_operation operation; /* first */
    struct bine_hub *hub;
    bine_watch_ready *ready; /* NULL: the watch has ended */
    void *arg;
    struct bine_watch *next, *previous; /* of those that were given up */
    unsigned generation;                /* of the descriptor */
    bool given_up;                      /* armed, in that list */
    bool taken_over;
};

/* The thread's that were given up. */
static BINE_CARRIED struct {
    struct bine_watch *first;
    struct bine_message turn; /* to the own hub */
    bool sent;
} given_up_;
#define given_up_here BINE_OF_CARRIER(given_up_)

static void strike(struct bine_watch *watch)
{
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        given_up_here.first = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    watch->given_up = false;
}

static int64_t ask_again(const struct bine_operation *operation)
{
    struct pollfd look = {.fd = operation->fd, .events = (short)operation->events};
    int saved_errno = errno;
    int count = bine_libc.poll(&look, 1, 0);
    errno = saved_errno;
    return count == 1 && !(look.revents & POLLNVAL) ? look.revents : 0;
}

static void watch_ended(struct bine_operation *operation)
{
    struct bine_watch *watch = (struct bine_watch *)operation;
    bine_watch_ready *ready = watch->ready;
    void *arg = watch->arg;
    int64_t result = operation->result == -EAGAIN ? 0 : operation->result;
    if (result == BINE_OPERATION_ORPHANED)
        ready = NULL;
    else if (ready && watch->taken_over && result > 0)
        result = ask_again(operation);
    if (watch->given_up)
        strike(watch);
    watch->hub->background_operations--;
    free(watch);
    if (ready)
        ready(arg, result);
}

/* One that was given up and does the same. */
static struct bine_watch *find_armed(struct bine_poller *poller, int fd, uint32_t events,
                                     unsigned generation)
{
    for (struct bine_operation *operation = bine_poller_first_on(poller, fd); operation;
         operation = operation->same_next) {
        struct bine_watch *watch = (struct bine_watch *)operation;
        if (operation->done == watch_ended && watch->given_up && !operation->cancelled &&
            operation->events == events && watch->generation == generation)
            return watch;
    }
    return NULL;
}

static unsigned generation_of(const struct bine_descriptor *record)
{
    return record ? atomic_load_explicit(&record->generation, memory_order_acquire) : 0;
}

int bine_watch(struct bine_hub *hub, int fd, uint32_t events, bine_watch_ready *ready, void *arg,
               struct bine_watch **watch)
{
    struct bine_poller *poller = bine_poller_of(hub);
    if (!poller)
        return errno;
    struct bine_descriptor *record = bine_descriptor_of(fd);
    struct bine_watch *new =
        given_up_here.first ? find_armed(poller, fd, events, generation_of(record)) : NULL;
    if (new) {
        strike(new);
        new->taken_over = true;
        new->ready = ready;
        new->arg = arg;
        *watch = new;
        return 0;
    }
    new = calloc(1, sizeof *new);
    if (!new)
        return ENOMEM;
    new->operation.kind = BINE_OP_POLL;
    new->operation.fd = fd;
    new->operation.events = events;
    new->operation.done = watch_ended;
    new->hub = hub;
    new->ready = ready;
    new->arg = arg;
    new->generation = generation_of(record);
    if (record)
        bine_descriptor_used_by(record, hub);
    *watch = new;
    hub->background_operations++;
    int error = poller->class->start(poller, &new->operation);
    if (error) {
        hub->background_operations--;
        *watch = NULL;
        free(new);
    }
    return error;
}

static void watch_cancel(struct bine_watch *watch)
{
    struct bine_poller *poller = bine_poller_of(watch->hub);
    if (poller)
        poller->class->cancel(poller, &watch->operation);
}

/* In the next turn, or when the thread ends. */
static void cancel_given_up(struct bine_message *message)
{
    (void)message;
    given_up_here.sent = false;
    for (struct bine_watch *watch; (watch = given_up_here.first);) {
        strike(watch);
        watch_cancel(watch);
    }
}

/* The child has no operations. */
static void watch_forked(struct bine_hub *hub)
{
    (void)hub;
    given_up_here.sent = false;
    for (struct bine_watch *watch; (watch = given_up_here.first);) {
        strike(watch);
        free(watch);
    }
}

__attribute__((constructor)) static void watch_set_up(void)
{
    bine_hub_on_fork(watch_forked);
}

static bool have_a_turn(struct bine_hub *hub)
{
    if (given_up_here.sent)
        return true;
    given_up_here.turn =
        (struct bine_message){.deliver = cancel_given_up, .dropped = cancel_given_up};
    return given_up_here.sent = bine_hub_send(hub, &given_up_here.turn) == 0;
}

void bine_unwatch(struct bine_watch *watch)
{
    watch->ready = NULL;
    /* closing the descriptor cancels it, too */
    if (watch->operation.cancelled || !have_a_turn(watch->hub)) {
        watch_cancel(watch);
        return;
    }
    watch->given_up = true;
    watch->previous = NULL;
    watch->next = given_up_here.first;
    if (given_up_here.first)
        given_up_here.first->previous = watch;
    given_up_here.first = watch;
}

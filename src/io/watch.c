/* Watching a descriptor without a greenlet. See watch.h. */
#include "watch.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "descriptor.h"
#include "poller.h"

struct bine_watch {
    struct bine_operation operation; /* first */
    struct bine_hub *hub;
    bine_watch_ready *ready; /* NULL: nobody wants to know any more */
    void *arg;
};

static void ended(struct bine_operation *operation)
{
    struct bine_watch *watch = (struct bine_watch *)operation;
    bine_watch_ready *ready = watch->ready;
    void *arg = watch->arg;
    int64_t result = operation->result;
    watch->hub->background_operations--;
    free(watch);
    if (ready)
        ready(arg, result == -EAGAIN ? 0 : result);
}

int bine_watch(struct bine_hub *hub, int fd, uint32_t events, bine_watch_ready *ready, void *arg,
               struct bine_watch **watch)
{
    struct bine_poller *poller = bine_poller_of(hub);
    if (!poller)
        return errno;
    struct bine_watch *new = calloc(1, sizeof *new);
    if (!new)
        return ENOMEM;
    new->operation.kind = BINE_OP_POLL;
    new->operation.fd = fd;
    new->operation.events = events;
    new->operation.done = ended;
    new->hub = hub;
    new->ready = ready;
    new->arg = arg;
    struct bine_descriptor *record = bine_descriptor_of(fd);
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

void bine_unwatch(struct bine_watch *watch)
{
    watch->ready = NULL;
    struct bine_poller *poller = bine_poller_of(watch->hub);
    if (poller)
        poller->class->cancel(poller, &watch->operation);
}

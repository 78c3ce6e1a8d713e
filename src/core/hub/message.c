/* The sending side of messages between threads. See message.h; the hub's turn empties the inbox. */
#include "message.h"

#include <errno.h>
#include <stdlib.h>

#include "hub.h"

int bine_hub_send(struct bine_hub *hub, struct bine_message *message)
{
    struct bine_message *first = atomic_load_explicit(&hub->inbox.first, memory_order_relaxed);
    do {
        if (first == BINE_INBOX_CLOSED)
            return ESRCH;
        message->next = first;
    } while (!atomic_compare_exchange_weak(&hub->inbox.first, &first, message));
    /* Sequentially consistent with the hub, which sets `waiting` and then looks at `first`: one of
     * us sees the other. Only the first sender after the hub fell asleep pays for the wake. */
    if (atomic_load(&hub->inbox.waiting) && atomic_exchange(&hub->inbox.waiting, false)) {
        struct bine_driver *driver = __atomic_load_n(&hub->driver, __ATOMIC_ACQUIRE);
        driver->wake(driver);
    }
    return 0;
}

void bine_inbox_close(struct bine_inbox *inbox)
{
    struct bine_message *message = atomic_exchange(&inbox->first, BINE_INBOX_CLOSED);
    if (message == BINE_INBOX_CLOSED)
        return;
    while (message) {
        struct bine_message *next = message->next;
        if (message->dropped)
            message->dropped(message);
        message = next;
    }
}

/* ---- functions as messages ------------------------------------------------------------------- */

struct posted {
    struct bine_message message;
    void (*function)(void *arg);
    void *arg;
};

static void drop_posted(struct bine_message *message)
{
    free(message);
}

static void run_posted(struct bine_message *message)
{
    struct posted posted = *(struct posted *)message;
    free(message);
    posted.function(posted.arg);
}

int bine_post(bine_hub *hub, void (*function)(void *arg), void *arg)
{
    if (!hub || !function) {
        errno = EINVAL;
        return -1;
    }
    struct posted *posted = malloc(sizeof *posted);
    if (!posted)
        return -1;
    *posted = (struct posted){{NULL, run_posted, drop_posted}, function, arg};
    int error = bine_hub_send(hub, &posted->message);
    if (error) {
        free(posted);
        errno = error;
        return -1;
    }
    return 0;
}

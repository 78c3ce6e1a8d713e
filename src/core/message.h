/*
 * Messages between threads: the only way in which another thread touches a hub. A lock-free stack that the hub
 * empties in one exchange and reverses, so that messages of one sender arrive in order.
 */
#ifndef BINE_CORE_MESSAGE_H
#define BINE_CORE_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>

struct bine_hub;

struct bine_message {
    struct bine_message *next;
    /* Called on the hub's thread between two greenlets; may unpark and spawn, may not park. It may free the message. */
    void (*deliver)(struct bine_message *message);
};

struct bine_inbox {
    _Atomic(struct bine_message *) first;
    atomic_bool waiting; /* the hub is (about to be) inside a turn that waits */
    atomic_bool closed;
};

/* Send; any thread; async-signal-safe. The message stays the sender's memory until it is delivered.
 * 0, or ESRCH when the hub has ended. Hub records are never freed, so a stale pointer is safe to ask. */
int bine_hub_send(struct bine_hub *hub, struct bine_message *message);

#endif

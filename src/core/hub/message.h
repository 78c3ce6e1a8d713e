/*
 * Messages between threads: the only way in which another thread touches a hub. A lock-free stack that the hub
 * empties in one exchange and reverses, so that messages of one sender arrive in order.
 */
#ifndef BINE_CORE_HUB_MESSAGE_H
#define BINE_CORE_HUB_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>

struct bine_hub;

/* A store that no later load passes: half of "I say that I wait, then look once more". A sequentially consistent store would do, and is the
 * same instruction on x86-64; but under qemu-user loads pass those (measured: one time in ten). */
#define BINE_STORE_THEN_LOOK(object, value) ((void)atomic_exchange(object, value))

struct bine_message {
    struct bine_message *next;
    /* Called on the hub's thread between two greenlets; may unpark and spawn, may not park. It may free the message. */
    void (*deliver)(struct bine_message *message);
    /* Called instead, on the same thread, when that ends without having looked. It only cleans up. May be NULL. */
    void (*dropped)(struct bine_message *message);
};

struct bine_inbox {
    _Atomic(struct bine_message *) first;
    atomic_bool waiting; /* the hub is (about to be) inside a turn that waits */
};

/* `first` of an inbox that takes no messages any more. In the same word as the messages, so that none slips in behind the
 * last look. */
#define BINE_INBOX_CLOSED ((struct bine_message *)1)

static inline bool bine_inbox_closed(const struct bine_inbox *inbox)
{
    return atomic_load_explicit(&inbox->first, memory_order_relaxed) == BINE_INBOX_CLOSED;
}

/* Close it; what is left in it is dropped. On the hub's thread. */
void bine_inbox_close(struct bine_inbox *inbox);

/* Send; any thread; async-signal-safe. The message stays the sender's memory until it is delivered
 * or dropped. 0, or ESRCH when the hub has ended. Hub records are never freed, so a stale pointer is safe to ask. */
int bine_hub_send(struct bine_hub *hub, struct bine_message *message);

#endif

/*
 * Messages between threads: the only way in which another thread touches a hub. The inbox is a
 * lock-free stack. The hub empties it in one exchange and reverses it, so that messages of one
 * sender arrive in order.
 */
#ifndef BINE_CORE_HUB_MESSAGE_H
#define BINE_CORE_HUB_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>

struct bine_hub;

/* A store that no later load passes. It is half of "note that I wait, then look once more". On
 * x86-64 a sequentially consistent store would do and is the same instruction. But under qemu-user
 * loads pass that one (bench/NOTES.md). */
#define BINE_STORE_THEN_LOOK(object, value) ((void)atomic_exchange(object, value))

struct bine_message {
    struct bine_message *next;
    /* Called on the hub's thread between two greenlets. It may unpark and spawn, and may not park.
     * It may free the message. */
    void (*deliver)(struct bine_message *message);
    /* Called instead on the same thread, if that thread ends without having looked. It only cleans
     * up. May be NULL. */
    void (*dropped)(struct bine_message *message);
};

struct bine_inbox {
    _Atomic(struct bine_message *) first;
    atomic_bool waiting; /* the hub is inside a turn that waits, or about to be */
};

/* The value of `first` in an inbox that takes no messages any more. It is kept in the same word as
 * the messages, so that no message slips in behind the last look. */
#define BINE_INBOX_CLOSED ((struct bine_message *)1)

static inline bool bine_inbox_closed(const struct bine_inbox *inbox)
{
    return atomic_load_explicit(&inbox->first, memory_order_relaxed) == BINE_INBOX_CLOSED;
}

/* Closes the inbox and drops the messages that are left in it. Only the hub's thread may call
 * this. */
void bine_inbox_close(struct bine_inbox *inbox);

/* Sends a message. Any thread, async-signal-safe. The message stays the sender's memory until it is
 * delivered or dropped. Returns 0, or ESRCH when the hub has ended. Records of hubs are never
 * freed, so a stale pointer is safe to use here. */
int bine_hub_send(struct bine_hub *hub, struct bine_message *message);

#endif

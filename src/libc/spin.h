/*
 * The runtime's spin lock. A thread holds it for a few instructions and never across a switch. The
 * holder never takes another spin lock that it could have to wait for. A pthread mutex would not
 * do: pthread mutexes may be patched.
 *
 * A thread that finds the lock taken spins a little, then gives its processor away, and at last
 * sleeps. A waiter of a real-time class that only yielded would keep the processor from a holder of
 * a lower class for ever.
 *
 * Any thread. Keeps errno. Calls nothing that is patched.
 */
#ifndef BINE_LIBC_SPIN_H
#define BINE_LIBC_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>

struct bine_spin {
    atomic_bool held; /* zeroed: the lock is free */
};

/* Waits between two tries. `rounds` counts the tries and begins at 0. Loops that wait for something
 * else than a lock may use it, too. */
void bine_spin_pause(unsigned *rounds);

static inline bool bine_spin_try(struct bine_spin *lock)
{
    return !atomic_exchange_explicit(&lock->held, true, memory_order_acquire);
}

static inline void bine_spin_lock(struct bine_spin *lock)
{
    for (unsigned rounds = 0; __builtin_expect(!bine_spin_try(lock), 0);)
        bine_spin_pause(&rounds);
}

/* Also unlocks in the child of a fork, where the thread that held the lock does not exist. */
static inline void bine_spin_unlock(struct bine_spin *lock)
{
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

#endif

/*
 * The runtime's spin lock. It is held for a few instructions, never across a switch, and never while another one is taken
 * that its holder could wait for. No pthread mutex would do: those may be patched.
 *
 * A thread that finds the lock taken spins a little, then gives its processor away, and at last sleeps: a waiter of a
 * real-time class that only yielded would keep the processor from a holder of a lower one for ever.
 *
 * Any thread. Keeps errno. Calls nothing that is patched.
 */
#ifndef BINE_LIBC_SPIN_H
#define BINE_LIBC_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>

struct bine_spin {
    atomic_bool held; /* zeroed: free */
};

/* The wait between two tries; `rounds` counts them and begins at 0. For loops that wait for something else than a lock, too. */
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

/* Also in the child of a fork, where the thread that held it does not exist. */
static inline void bine_spin_unlock(struct bine_spin *lock)
{
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

#endif

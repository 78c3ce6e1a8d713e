/*
 * How Bine learns of releases that do not pass the parking lot: by other processes, and by code
 * that is not patched. Such a release wakes a futex of the object. One thread of the runtime waits
 * for the futexes of all watched objects at once (futex_waitv, Linux 5.16) and then balances the
 * object's queue.
 *
 * Only long waits are watched. The thread exists while there are some, and for a second after.
 */
#ifndef BINE_LOCKS_FUTEX_WATCH_H
#define BINE_LOCKS_FUTEX_WATCH_H

#include <stdbool.h>

/* Watches the object at this address until bine_futex_unwatch, which must be called as often. The
 * queue's waiters bring the futex (bine_lot_waiter.arm). Returns false if this kernel cannot, or
 * too much is watched already. Any thread. */
bool bine_futex_watch(const void *address);
void bine_futex_unwatch(const void *address);

/* Called around a fork: see parking_lot.c. */
void bine_futex_before_fork(void);
void bine_futex_after_fork(bool child);

#endif

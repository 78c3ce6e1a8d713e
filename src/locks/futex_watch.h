/*
 * Hearing of releases by those who do not tell the parking lot: other processes, and code that is not patched.
 * They wake a futex of the object; one thread of the runtime waits for the futexes of all watched objects at once
 * (futex_waitv, Linux 5.16) and then balances the object's queue.
 *
 * Only the long waits come here: the thread exists while there are some, and for a second after.
 */
#ifndef BINE_LOCKS_FUTEX_WATCH_H
#define BINE_LOCKS_FUTEX_WATCH_H

#include <stdbool.h>

/* Watch the object at this address until bine_futex_unwatch, which must be called as often. The queue's waiters
 * bring the futex (bine_lot_waiter.arm). False: this kernel cannot, or too much is watched already. Any thread. */
bool bine_futex_watch(const void *address);
void bine_futex_unwatch(const void *address);

/* Around fork: see parking_lot.c. */
void bine_futex_before_fork(void);
void bine_futex_after_fork(bool child);

#endif

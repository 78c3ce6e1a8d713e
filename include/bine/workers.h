/*
 * Workers: several cores. Each worker is an OS thread with a hub of its own; greenlets do not move between
 * them. What they share goes through mailboxes and shared objects, and servers listen in each worker on the
 * same port (SO_REUSEPORT).
 */
#ifndef BINE_WORKERS_H
#define BINE_WORKERS_H

#include "greenlet.h"
#include "hub.h"
#include "object.h"

BINE_BEGIN

typedef struct bine_workers bine_workers;

/* Start n threads (0: one for each processor this process may use) that each run run(arg) as their root
 * greenlet, and end with it: once run has returned, or has called bine_exit, the greenlets that are left on that hub are
 * killed, and the worker ends when they have. One that goes on in spite of its kill keeps the worker; what
 * their cleanup spawns is killed as well, up to 16 generations of it. Returns NULL: EINVAL (run NULL, n over 4096), ENOMEM, EAGAIN (threads or hubs
 * could not be made; none runs then). Blocks the thread until all are up. Switches: no. */
BINE_API bine_workers *bine_workers_start(unsigned n, bine_run *run, void *arg);

/* How many they are; 0 for NULL. */
BINE_API unsigned bine_workers_count(const bine_workers *workers);
/* The number of the calling worker, 0 ... count - 1; -1 in other threads. */
BINE_API int bine_worker(void);
/* The hub of worker i, for bine_post, bine_call and bine_spawn_on. NULL: EINVAL. Any thread. */
BINE_API bine_hub *bine_workers_hub(bine_workers *workers, unsigned i);
/* What worker i's run returned; NULL until the worker has ended. Any thread. */
BINE_API void *bine_workers_value(const bine_workers *workers, unsigned i);

/* Wait until all have ended, and free them. Only the thread that started them, or any once that has ended.
 * Returns 0, or -1 and nothing is freed: EINVAL, EPERM, ETIMEDOUT, ECANCELED. Switches: when it has to wait. */
BINE_API int bine_workers_join(bine_workers *workers, int64_t timeout);

/* Start n workers, wait for their end: a program's main in one line. Returns 0 or -1 as the two above. If the
 * wait is cut short the workers run on. */
BINE_API int bine_workers_run(unsigned n, bine_run *run, void *arg);

BINE_END

#endif

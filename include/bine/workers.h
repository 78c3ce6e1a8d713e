/*
 * Workers: for several cores. Each worker is an OS thread with a hub of its own. Greenlets do not
 * move between workers. Workers share data through mailboxes and shared objects. Servers listen in
 * each worker on the same port (SO_REUSEPORT).
 */
#ifndef BINE_WORKERS_H
#define BINE_WORKERS_H

#include "greenlet.h"
#include "hub.h"
#include "object.h"

BINE_BEGIN

typedef struct bine_workers bine_workers;

/*
 * Start n threads that each run run(arg) as their root greenlet. With n 0 there is one for each
 * processor that this process may use. Once run has returned, or has called bine_exit, the
 * greenlets that are left on that hub are killed, and the worker ends when they have ended. A
 * greenlet that does not end in spite of its kill keeps the worker alive. Greenlets that are
 * spawned while others clean up are killed as well, up to 16 generations of them.
 *
 * Returns the workers. Fails with EINVAL (run is NULL, or n is over 4096), ENOMEM, or EAGAIN
 * (threads or hubs could not be made); no worker runs then. It blocks the thread until all workers
 * are up. Switches: no.
 */
BINE_API bine_workers *bine_workers_start(unsigned n, bine_run *run, void *arg);

/* Returns how many workers there are, 0 for NULL. Any thread may call it. Switches: no. */
BINE_API unsigned bine_workers_count(const bine_workers *workers);
/* Returns the number of the calling worker, 0 ... count - 1, or -1 in other threads.
 * Switches: no. */
BINE_API int bine_worker(void);
/* Returns the hub of worker i, for bine_post, bine_call and bine_spawn_on. Fails with EINVAL. Any
 * thread may call it. Switches: no. */
BINE_API bine_hub *bine_workers_hub(bine_workers *workers, unsigned i);
/* Returns what worker i's run returned, or NULL until the worker has ended. Returns NULL also if
 * there is no worker i. Any thread may call it. Switches: no. */
BINE_API void *bine_workers_value(const bine_workers *workers, unsigned i);

/* Wait until all workers have ended, and free them. The thread that started them may call it, and
 * any thread once that one has ended. Returns 0. Otherwise returns -1 with EINVAL, EPERM, ETIMEDOUT
 * or ECANCELED, and nothing is freed. Switches: when it has to wait. */
BINE_API int bine_workers_join(bine_workers *workers, int64_t timeout);

/* Start n workers and wait for their end: this is a program's main in one line. Returns 0, or -1
 * as the two calls above. If the wait is cut short, the workers run on. Switches: when it has to
 * wait. */
BINE_API int bine_workers_run(unsigned n, bine_run *run, void *arg);

BINE_END

#endif

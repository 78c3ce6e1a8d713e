/*
 * The offload pool as the runtime uses it: jobs that run on real threads and report back to the hub
 * that sent them.
 *
 * A job is a record inside the caller's own structure. It must stay until it was withdrawn or one
 * of its callbacks has been called.
 */
#ifndef BINE_IO_OFFLOAD_OFFLOAD_H
#define BINE_IO_OFFLOAD_OFFLOAD_H

#include <bine/offload.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/hub/hub.h"

struct bine_crew;

struct bine_offload_job {
    /*
     * The caller fills in these.
     *
     * - `run` runs on a thread of the pool, which has no hub.
     * - `done` runs on the hub's thread between two greenlets. It may unpark and free the job, and
     *   may not park.
     * - `orphaned` runs instead of `done` when the hub has ended meanwhile, on any thread. It frees
     *   what the job owns. If it is NULL, the job lies on a stack of that hub, and the end of the
     *   hub waits for the job.
     */
    void (*run)(struct bine_offload_job *job);
    void (*done)(struct bine_offload_job *job);
    void (*orphaned)(struct bine_offload_job *job);

    /* The call may wait for ever for something outside (a peer, a child). Such a job does not count
     * towards the bound of the pool. Otherwise these jobs might fill the pool, and the calls that
     * end their waits could not run. */
    bool lingers;
    /* The job uses only descriptors, memory and children: no path, no name, no identifier of a
     * namespace. So it may run on a thread that is confined in another way than the caller
     * (confine.h). */
    bool any_rights;
    /* The job asks the name service. Strangers may choose what it asks, and how often. So all these
     * jobs together take at most half of the threads, and only a limited number of them waits
     * (bine_offload_takes_names). */
    bool name;
    /* run is a system call that a signal ends with EINTR. It may be repeated unless `interrupted`
     * is set. When the caller of bine_offload_firm is killed, the call is interrupted, and the
     * caller is told when the call has ended. */
    bool interruptible;
    atomic_bool interrupted;
    /* run may hold locks of libc's that the child of a fork would find held for ever (the
     * resolver's). So a fork waits for its end, within a limit. */
    bool locks;
    uint8_t park_flags; /* further BINE_PARK_* of the wait, or 0 */

    int error; /* the errno that run leaves; the caller sets it to its own before submitting */

    /* These belong to the pool. */
    struct bine_message message;
    struct bine_hub *hub;
    struct bine_crew *crew;
    struct bine_offload_job *next, *previous;
    struct bine_greenlet *waiter;
    bool queued;
};

/* Returns the hub of this thread if one of its greenlets may park now and the pool may act for it
 * (confine.h). Else returns NULL, and the caller calls libc directly. Also returns NULL inside the
 * loader (a constructor): a job that loads a library, as look-ups do, would wait for the
 * loader's lock, which the waiting greenlet holds. */
struct bine_hub *bine_offload_hub(void);

/* Hands a job to the pool. It never fails: if no thread can be made the job runs here and now.
 * Greenlets that wait for it park with BINE_PARK_EXTERNAL. */
void bine_offload_submit(struct bine_hub *hub, struct bine_offload_job *job);

/* Is there room for one more job that asks the name service? If not the look-up fails with EAGAIN,
 * EAI_AGAIN or TRY_AGAIN. */
bool bine_offload_takes_names(void);

/* Takes back a job that no thread has begun. If it returns true the job is the caller's again, and
 * no callback will be called. */
bool bine_offload_withdraw(struct bine_offload_job *job);

/* Does what bine_offload does, for a function of libc's that takes locks: see `locks`. */
int bine_offload_locking(void *(*function)(void *), void *arg, void **value);

/* Ends the system call of an interruptible job that runs, by a signal. A signal that comes just
 * before the system call is lost. So the caller repeats it until the job ends. */
void bine_offload_interrupt(struct bine_offload_job *job);

/*
 * Runs a job whose memory is on the caller's stack. Once the job has begun, always waits for its
 * end. `verb` and `object` are as for bine_park. Returns 0 with job->error set. Returns an error
 * number (ECANCELED, ETIMEDOUT, ...) when the job was cancelled before it began. An interruptible
 * job may be cancelled at any time: the caller then looks at what the job has done nevertheless.
 * This call sets the callbacks done and orphaned.
 */
int bine_offload_firm(struct bine_hub *hub, struct bine_offload_job *job, const char *verb,
                      uintptr_t object);

/*
 * Runs a job that owns all memory that it uses, so that a kill or timeout ends the wait at once.
 * Returns 0 if run has ended and the job is the caller's again. Else returns an error number as
 * bine_park does: the job is gone, and `discard` was or will be called with it, possibly on another
 * thread. Also returns EAGAIN if the job asks the name service and too many do.
 */
int bine_offload_detached(struct bine_hub *hub, struct bine_offload_job *job,
                          void (*discard)(struct bine_offload_job *job), const char *verb,
                          uintptr_t object, int64_t deadline);

/* offload.c: returns the number of a signal that nothing uses, with a handler that does nothing.
 * Returns 0 if there is none. */
int bine_offload_choose_signal(void);

/* The pool's figures, and how long idle threads stay (ns). For tests. */
size_t bine_offload_queued(void);
void bine_offload_set_idle(int64_t nanoseconds);

#endif

/*
 * The offload pool as the runtime uses it: jobs that run on real threads and report back to the hub that sent them.
 *
 * A job is a record inside the caller's own structure. It must stay until it was withdrawn or one of its callbacks
 * has been called.
 */
#ifndef BINE_IO_OFFLOAD_OFFLOAD_H
#define BINE_IO_OFFLOAD_OFFLOAD_H

#include <bine/offload.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/hub/hub.h"

struct bine_crew;

struct bine_offload_job {
    /* The caller fills in these. run: on a thread of the pool, which has no hub. done: on the hub's thread between two
     * greenlets; may unpark and free the job, may not park. orphaned: instead of done when the hub has ended meanwhile;
     * any thread; frees what the job owns. NULL: the job lies on a stack of that hub, whose end waits for it. */
    void (*run)(struct bine_offload_job *job);
    void (*done)(struct bine_offload_job *job);
    void (*orphaned)(struct bine_offload_job *job);

    /* The call may wait for ever for something outside (a peer, a child): it does not count towards the bound, or
     * those who would bring it about might find the pool full. */
    bool lingers;
    /* The job uses nothing but descriptors, memory and children: no path, no name, no identifier of a namespace. So it may run on a thread
     * that is confined in another way than the caller (confine.h). */
    bool any_rights;
    /* The job asks the name service. Strangers may choose what for, and how often: all these together take at most half of the
     * threads, and so many wait at most (bine_offload_takes_names). */
    bool name;
    /* run is a system call that a signal ends with EINTR; it may be repeated unless `interrupted` is set. Before the
     * caller of bine_offload_firm is told that it was killed, so is the call: it has always ended then, one way or
     * the other. */
    bool interruptible;
    atomic_bool interrupted;
    /* run may hold locks of libc's that the child of a fork would find held for ever (the resolver's): fork lets it end, within
     * a limit. */
    bool locks;
    uint8_t park_flags; /* further BINE_PARK_* of the wait, 0 */

    int error; /* the errno that run leaves; set it to the caller's before submitting */

    /* The pool's own. */
    struct bine_message message;
    struct bine_hub *hub;
    struct bine_crew *crew;
    struct bine_offload_job *next, *previous;
    struct bine_greenlet *waiter;
    bool queued;
};

/* The hub of this thread if a greenlet of it may park now and the pool may act for it (confine.h), else NULL: then call libc
 * directly. Also NULL inside the loader (a constructor): a job that loads a library, as look-ups do, would wait for the very greenlet
 * that waits for it. */
struct bine_hub *bine_offload_hub(void);

/* Hand a job to the pool; never fails (if no thread can be made it runs here and now). Greenlets that wait for it park
 * with BINE_PARK_EXTERNAL. */
void bine_offload_submit(struct bine_hub *hub, struct bine_offload_job *job);

/* Is there room for one more job that asks the name service? If not the look-up fails: EAGAIN, EAI_AGAIN, TRY_AGAIN. */
bool bine_offload_takes_names(void);

/* Take back a job that no thread has begun: true, and it is the caller's again; no callback will be called. */
bool bine_offload_withdraw(struct bine_offload_job *job);

/* bine_offload of a function of libc's that takes locks: see `locks`. */
int bine_offload_locking(void *(*function)(void *), void *arg, void **value);

/* End the system call of an interruptible job that runs, by a signal. One that comes just before the system call is lost: the caller, who wants
 * the job to end, repeats it. */
void bine_offload_interrupt(struct bine_offload_job *job);

/*
 * Run a job whose memory is on the caller's stack; wait for its end whatever happens once it has begun. `verb` and
 * `object` as for bine_park. Returns 0 with job->error set, or an error number (ECANCELED, ETIMEDOUT, ...) when it
 * was cancelled before it began, or if it is interruptible at any time: then look at what it has done all the same. The
 * callbacks done and orphaned are set by this call.
 */
int bine_offload_firm(struct bine_hub *hub, struct bine_offload_job *job, const char *verb, uintptr_t object);

/*
 * Run a job that owns all memory it uses, so that a kill or timeout ends the wait at once. Returns 0: run has ended and
 * the job is the caller's again. Or an error number as bine_park: the job is gone, `discard` was or will be called
 * with it, possibly on another thread. EAGAIN also if it asks the name service and too many do.
 */
int bine_offload_detached(struct bine_hub *hub, struct bine_offload_job *job,
                          void (*discard)(struct bine_offload_job *job), const char *verb, uintptr_t object,
                          int64_t deadline);

/* offload.c: the number of a signal that nobody uses, with a handler that does nothing; 0: there is none. */
int bine_offload_choose_signal(void);

/* The pool's figures, and how long idle threads stay (ns): for tests. */
size_t bine_offload_queued(void);
void bine_offload_set_idle(int64_t nanoseconds);

#endif

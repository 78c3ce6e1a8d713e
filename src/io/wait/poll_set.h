/*
 * Waiting for several descriptors at once: poll and select are made of it. The real poll(2) or
 * select(2) always tells the readiness itself, so that every bit is the kernel's. These functions
 * only wait until asking again is worth while.
 */
#ifndef BINE_IO_WAIT_POLL_SET_H
#define BINE_IO_WAIT_POLL_SET_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/schedule/signalled.h"

struct bine_poll_verbs {
    const char *one, *several;
};

/*
 * Parks until one of the descriptors may have become ready, or until `deadline` (absolute ns,
 * INT64_MAX: none). The array is as for poll(2); descriptors below zero are left out. *rounds
 * counts the calls of one wait, so that a file that is reported ready in vain does not make the
 * wait spin. It starts at 0. A signal that came since `signals` ends the wait. closed(i) is called
 * for each entry whose descriptor was closed meanwhile. Those who look at the greenlet see
 * verbs->one and the descriptor, or verbs->several and how many there are.
 *
 * Returns 0 if the caller shall ask again; or an error number: ETIME (the deadline), EINTR,
 * ECANCELED, ETIMEDOUT, EDEADLK, ENOMEM.
 */
int bine_poll_set_wait(struct bine_hub *hub, const struct bine_poll_verbs *verbs,
                       const struct pollfd *fds, size_t count, int64_t deadline, unsigned *rounds,
                       bine_signal_mark signals, void (*closed)(void *arg, size_t index),
                       void *arg);

/* The caller's signal mask while it waits, for ppoll, pselect and epoll_pwait. If `mask` is NULL
 * nothing is changed. */
struct bine_mask {
    sigset_t before;
    bool changed;
};
void bine_mask_begin(struct bine_mask *mask, const sigset_t *wanted);
void bine_mask_end(struct bine_mask *mask);

/* Is it a duration that the kernel takes? */
static inline bool bine_timespec_valid(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

/* Returns the absolute deadline of a wait of this length from now. NULL: none. `time` must be
 * valid. */
int64_t bine_timespec_deadline(struct bine_hub *hub, const struct timespec *time);

#endif

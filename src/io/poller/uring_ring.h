/*
 * The ring of an io_uring poller: opened with the best that this kernel has, restricted to the operations that the poller uses, and known by
 * more than its descriptor's number, which the program may close.
 */
#ifndef BINE_IO_POLLER_URING_RING_H
#define BINE_IO_POLLER_URING_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/descriptor/own.h"

struct bine_uring {
    struct io_uring ring;
    struct bine_own file; /* its descriptor */
    bool cancel_any;      /* 5.19: IORING_ASYNC_CANCEL_ANY */
    bool skip_success;    /* 5.17 */
    bool wake_multishot;  /* 5.13 */
    bool batches;         /* 6.12 */
};

/* *supported: a bit for each kind of operation that this kernel does. 0, or an error number. */
int bine_uring_open(struct bine_uring *uring, uint32_t *supported);

/* Unmap it and close the descriptor, if that is still the ring's. Nothing may be in flight, or the kernel gives it up in its own time. */
void bine_uring_close(struct bine_uring *uring);

/* In the child of a fork: the ring is the parent's, and its memory was not copied; only the descriptor goes. */
void bine_uring_abandon(struct bine_uring *uring);

/* Can it still be entered, or has the program closed its descriptor where the kernel knows it by nothing else? */
bool bine_uring_usable(struct bine_uring *uring);

#endif

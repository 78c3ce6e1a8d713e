/*
 * The ring of an io_uring poller. It is opened with the best flags that this kernel knows, and
 * restricted to the operations that the poller uses. The program may close its descriptor, so the
 * poller knows it by more than the number.
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

/* Stores a bit for each kind of operation that this kernel does in *supported. Returns 0, or an
 * error number. */
int bine_uring_open(struct bine_uring *uring, uint32_t *supported);

/* Unmaps the ring and closes the descriptor, if that is still the ring's. Nothing may be in flight,
 * or the kernel gives it up in its own time. */
void bine_uring_close(struct bine_uring *uring);

/* In the child of a fork the ring is the parent's, and its memory was not copied. Only the
 * descriptor is closed. */
void bine_uring_abandon(struct bine_uring *uring);

/* Can the ring still be entered? It cannot if the program has closed its descriptor and the kernel
 * knows it by nothing else. */
bool bine_uring_usable(struct bine_uring *uring);

#endif

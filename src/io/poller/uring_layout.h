/*
 * What the io_uring poller does with the inner fields of liburing's structures, and the look whether they still mean what it takes them for.
 * liburing keeps their places within one soname, not their meaning: from 2.6 on `sq.array` is NULL where the kernel can do without it.
 */
#ifndef BINE_IO_POLLER_URING_LAYOUT_H
#define BINE_IO_POLLER_URING_LAYOUT_H

#include <liburing.h>
#include <stdbool.h>

/* Do the fields of `ring` that are read to look for completions, and for what has been prepared, lead where the kernel says it has put them? `params`: as the ring's setup
 * has left them. */
bool bine_uring_completions_known(const struct io_uring *ring, const struct io_uring_params *params);

/* Can bine_uring_wait_for_batch be called for this ring? The kernel must know such a wait (Linux 6.12), and the ring be understood. */
bool bine_uring_batches(const struct io_uring *ring, const struct io_uring_params *params);

/* io_uring_submit_and_wait_timeout, but for `count` completions at first, and for one after `microseconds`. A `time` that is shorter would be
 * lengthened. Returns what the system call returns, or -errno. */
int bine_uring_wait_for_batch(struct io_uring *ring, unsigned count, unsigned microseconds,
                              struct __kernel_timespec *time);

#endif

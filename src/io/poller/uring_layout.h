/*
 * What the io_uring poller does with the inner fields of liburing's structures, and the check that
 * these still mean what the poller takes them for. Within one soname liburing keeps their places,
 * but not their meaning: from 2.6 on `sq.array` is NULL where the kernel can do without it.
 */
#ifndef BINE_IO_POLLER_URING_LAYOUT_H
#define BINE_IO_POLLER_URING_LAYOUT_H

#include <liburing.h>
#include <stdbool.h>

/* The poller reads fields of `ring` to look for completions, and for what has been prepared. Do
 * they lead where the kernel says it has put these? `params` is as the ring's setup has left it. */
bool bine_uring_completions_known(const struct io_uring *ring,
                                  const struct io_uring_params *params);

/* Can bine_uring_wait_for_batch be called for this ring? The kernel must know such a wait (Linux
 * 6.12), and the ring's fields must mean what the poller takes them for. */
bool bine_uring_batches(const struct io_uring *ring, const struct io_uring_params *params);

/* Does what io_uring_submit_and_wait_timeout does, but waits for `count` completions at first, and
 * after `microseconds` for one. A `time` that is shorter would be lengthened. Returns what the
 * system call returns, or -errno. */
int bine_uring_wait_for_batch(struct io_uring *ring, unsigned count, unsigned microseconds,
                              struct __kernel_timespec *time);

#endif

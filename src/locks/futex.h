/*
 * futex(2) for greenlets. It serves code that makes its own locks and reaches the kernel by libc's
 * syscall() (std::future, std::atomic::wait, Rust's Mutex).
 *
 * A greenlet that would wait parks in the parking lot. Threads without a hub wait in the kernel. A
 * wake goes to the greenlets of the word first, and to the kernel for the rest of its count.
 * Neither a kill nor a timeout ends a wait: callers end the process at an error that the kernel
 * does not know. A wake may come without reason, as futex(2) says.
 */
#ifndef BINE_LOCKS_FUTEX_H
#define BINE_LOCKS_FUTEX_H

#include <stdint.h>

/*
 * syscall(SYS_futex, word, operation, value, timeout, word2, value3), with the kernel's results and
 * errors. Returns -1 with errno EAGAIN, ETIMEDOUT, EINTR (only the root: a signal handler ran),
 * EINVAL, EFAULT ... EDEADLK means that the root waits and nothing can wake it. `timeout` is a
 * struct timespec or, in some operations, a number. Any thread. Wakes are async-signal-safe.
 * Switches: maybe.
 */
long bine_futex(uint32_t *word, int operation, uint32_t value, uintptr_t timeout, uint32_t *word2,
                uint32_t value3);

#endif

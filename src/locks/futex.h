/*
 * futex(2) for greenlets: what code waits with that makes its locks itself and reaches the kernel by libc's syscall() (std::future,
 * std::atomic::wait, Rust's Mutex).
 *
 * A greenlet that would wait parks in the parking lot. Threads without a hub wait in the kernel. A wake goes to the greenlets of
 * the word first and to the kernel for what is left of it. Neither a kill nor a timeout ends a wait: callers take an error that
 * the kernel does not know for the end of the world. A wake may come for nothing, as futex(2) says.
 */
#ifndef BINE_LOCKS_FUTEX_H
#define BINE_LOCKS_FUTEX_H

#include <stdint.h>

/*
 * syscall(SYS_futex, word, operation, value, timeout, word2, value3), with the kernel's results and errors: -1 with errno EAGAIN,
 * ETIMEDOUT, EINTR (of the root: a signal handler ran), EINVAL, EFAULT ... EDEADLK: the root waits and nothing can wake it.
 * `timeout` is a struct timespec or, in some operations, a number. Any thread. Wakes are async-signal-safe. Switches: maybe.
 */
long bine_futex(uint32_t *word, int operation, uint32_t value, uintptr_t timeout, uint32_t *word2, uint32_t value3);

#endif

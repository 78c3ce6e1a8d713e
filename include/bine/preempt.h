/*
 * Taking the processor from threads that compute. It is for programs whose threads are greenlets
 * with threads of their own (bine_patch_own_threads), and that were not written to let others run:
 * a thread that computes, or that spins until another one has changed a variable.
 *
 * A timer looks at the thread. A greenlet that has run for so long without a switch yields, between
 * two of its instructions, if
 *
 *  - it has a thread of its own, or is the root
 *  - the interrupted instruction lies in the text of the program itself, and not in a library. So
 *    the greenlet is inside no call of libc, and holds none of libc's locks.
 *  - no handler of a signal and no callback of Bine's runs
 *
 * Otherwise the timer looks again. Code that calls libraries all the time is interrupted later than
 * asked for. Code that never leaves a library, or that was made at run time, is not interrupted.
 */
#ifndef BINE_PREEMPT_H
#define BINE_PREEMPT_H

#include "base.h"

BINE_BEGIN

/* Have greenlets of the main thread yield that have run for `duration` nanoseconds of processor
 * time, at the earliest. The kernel looks at such clocks once in its tick, which is some
 * milliseconds long. SIGSTKFLT is used for it, and cannot be blocked by patched calls from then on;
 * the program's own action for that signal is kept for signals from elsewhere. A second start
 * changes the duration. The child of a fork goes on as its parent does.
 *
 * Returns 0, or -1 with:
 *
 *  - EINVAL: the duration is less than a millisecond
 *  - ENOTSUP: it is not the main thread, it has no own threads (bine_own_thread_refusal), the
 *    processor has no XSAVE, or the program's text has an allocator of its own or libbine itself
 *  - EAGAIN or ENOMEM: there is no timer for it
 *
 * Only the main thread may call it. Switches: no. */
BINE_API int bine_preempt_start(int64_t duration);

/* End that. Without a start it does nothing. Only the main thread may call it. Switches: no. */
BINE_API void bine_preempt_stop(void);

BINE_END

#endif

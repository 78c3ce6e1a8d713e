/*
 * What every Bine header shares: visibility, C linkage, and how durations are written.
 *
 * Conventions of the whole interface, said once:
 *
 *  - Durations are int64_t nanoseconds, relative to now. BINE_FOREVER means no limit; 0 means do not
 *    wait; a negative duration is EINVAL. Waits end at the deadline or later, never earlier.
 *  - Failure is -1 or NULL with errno set, as in libc. Success never touches errno.
 *  - "Switches: yes" means that other greenlets of this thread may run before the call returns.
 *  - Any call that switches may fail with ECANCELED (the caller was killed, see bine_kill), with
 *    ETIMEDOUT (a timeout scope around the caller expired, see bine_timeout_begin), or, in the thread's
 *    root greenlet, with EDEADLK (nothing is left that could wake any greenlet of this thread).
 *  - Unless a call says "any thread", objects belong to the thread that made them.
 */
#ifndef BINE_BASE_H
#define BINE_BASE_H

#include <stddef.h>
#include <stdint.h>

#define BINE_API __attribute__((visibility("default")))
/* Not [[noreturn]], which clang++ before 21 refuses after another attribute, nor _Noreturn, which C++ does not know. */
#define BINE_NORETURN __attribute__((__noreturn__))
/* What is returned has to be taken care of: a compiler warns of a caller that drops it. */
#define BINE_MUST_USE __attribute__((__warn_unused_result__))

#ifdef __cplusplus
#define BINE_BEGIN extern "C" {
#define BINE_END }
#else
#define BINE_BEGIN
#define BINE_END
#endif

#define BINE_NS ((int64_t)1)
#define BINE_US ((int64_t)1000)
#define BINE_MS ((int64_t)1000000)
#define BINE_SECOND ((int64_t)1000000000)
#define BINE_FOREVER INT64_MAX

#endif

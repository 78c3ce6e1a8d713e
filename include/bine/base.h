/*
 * This header has what all others share: visibility, C linkage, and how durations are written.
 *
 * These conventions hold for the whole interface:
 *
 *  - Durations are int64_t nanoseconds, relative to now. BINE_FOREVER sets no limit. 0 does not
 *    wait. A negative duration fails with EINVAL. A wait ends at its deadline or later, never
 *    earlier.
 *  - A call that fails returns -1 or NULL and sets errno, as libc's calls do. "Fails with ENOMEM"
 *    means this. A call that succeeds leaves errno as it was.
 *  - "Switches: yes" means that other greenlets of this thread may run before the call returns.
 *  - Any call that switches may fail with ECANCELED: the caller was killed (see bine_kill). It may
 *    fail with ETIMEDOUT: a timeout scope around the caller expired (see bine_timeout_begin). In
 *    the thread's root greenlet it may fail with EDEADLK: nothing is left that could wake any
 *    greenlet of this thread.
 *  - An object belongs to the thread that made it, unless the comment of a call says that any
 *    thread may call it.
 *  - Structs of options are filled in by the caller, best by a literal that names fields. A field
 *    that is left out is 0, which means its default. Later releases may add fields in the place of
 *    `reserved`, which keeps the size of the struct. It has to be 0. A call fails with EINVAL if a
 *    program asks, by a field of a later release, for what this release does not know.
 *  - Structs that Bine fills in or hands to callbacks may get more fields at their end, or in the
 *    place of `reserved`. bine_choice stands in arrays and gets none.
 */
#ifndef BINE_BASE_H
#define BINE_BASE_H

#include <stddef.h>
#include <stdint.h>

#define BINE_API __attribute__((visibility("default")))
/* clang++ before 21 refuses [[noreturn]] after another attribute, and C++ does not know
 * _Noreturn. */
#define BINE_NORETURN __attribute__((__noreturn__))
/* The caller has to use what the function returns. A compiler warns of a caller that drops it. */
#define BINE_MUST_USE __attribute__((__warn_unused_result__))

/* A compiler warns of a caller, and says what to call instead. */
#define BINE_DEPRECATED(instead) __attribute__((__deprecated__(instead)))

#ifdef __cplusplus
#define BINE_BEGIN extern "C" {
#define BINE_END }
#else
#define BINE_BEGIN
#define BINE_END
#endif

/* Does a struct of options ask for more than this release knows? */
#define BINE_RESERVED_USED(options)                                              \
    (((options)->reserved[0] | (options)->reserved[1] | (options)->reserved[2] | \
      (options)->reserved[3]) != 0)

#define BINE_NS ((int64_t)1)
#define BINE_US ((int64_t)1000)
#define BINE_MS ((int64_t)1000000)
#define BINE_SECOND ((int64_t)1000000000)
#define BINE_FOREVER INT64_MAX

#endif

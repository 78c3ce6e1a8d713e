/* See futex.h. */
#include "futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>

#include "libc/libc.h"
#include "parking_lot.h"
#include "posix_clock.h"

struct call {
    uint32_t *word;
    int operation;
    uint32_t value;
    uintptr_t timeout;
    uint32_t *word2;
    uint32_t value3;
};

static long ask_kernel(const struct call *call)
{
    return bine_libc.syscall(SYS_futex, call->word, (long)call->operation,
                             (unsigned long)call->value, call->timeout, call->word2,
                             (unsigned long)call->value3);
}

static uint32_t load(const void *word)
{
    return __atomic_load_n((const uint32_t *)word, __ATOMIC_SEQ_CST);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* A wake that could not be delivered at once (from a signal handler, from another process) is
 * noticed by what it was for. */
static enum bine_lot_answer has_changed(struct bine_lot_waiter *waiter)
{
    return load(waiter->address) != (uint32_t)waiter->item ? BINE_LOT_GRANTED : BINE_LOT_REFUSED;
}

static void name_word(struct bine_lot_waiter *waiter, struct bine_lot_futex *futex)
{
    *futex = (struct bine_lot_futex){
        .word = waiter->address, .value = (uint32_t)waiter->item, .shared = true};
}

/* False: the kernel would refuse the time. */
static bool futex_deadline_of(const struct call *call, struct bine_hub *hub, int64_t *deadline)
{
    const struct timespec *time = (const struct timespec *)call->timeout;
    *deadline = INT64_MAX;
    if (!time)
        return true;
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= BINE_SECOND)
        return false;
    if ((call->operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) {
        clockid_t clock = call->operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        return bine_posix_deadline(hub, clock, time, deadline) == 0;
    }
    int64_t duration;
    if (__builtin_mul_overflow((int64_t)time->tv_sec, BINE_SECOND, &duration) ||
        __builtin_add_overflow(duration, (int64_t)time->tv_nsec, &duration))
        duration = BINE_FOREVER;
    *deadline = bine_hub_deadline(hub, duration);
    return true;
}

static int park(const struct call *call, struct bine_hub *hub, uint32_t bits, int64_t deadline)
{
    struct bine_lot_waiter waiter;
    /* As in the kernel any signal ends a wait with a limit. A wait without a limit continues after
     * signals that restart calls. */
    unsigned flags = BINE_PARK_FIRM | BINE_PARK_SIGNALS | BINE_PARK_HANDLERS |
                     (call->timeout ? 0 : BINE_PARK_RESTARTS);
    bine_lot_waiter_init(&waiter, hub, call->word);
    waiter.bits = bits;
    waiter.item = call->value;
    waiter.acquire = has_changed;
    if (!(call->operation & FUTEX_PRIVATE_FLAG)) {
        waiter.arm = name_word;
        flags |= BINE_PARK_EXTERNAL | BINE_LOT_WATCH;
    }
    /* The waker changes the word, then looks for waiters; we queue up, then look at the word: one
     * of us sees the other. */
    bine_lot_enqueue(&waiter, 0);
    if (load(call->word) != call->value && bine_lot_leave(&waiter))
        return EAGAIN;
    return bine_lot_await(&waiter, "futex", deadline, flags);
}

static long wait_on(const struct call *call, uint32_t bits)
{
    struct bine_hub *hub = bine_hub_here();
    int64_t deadline;
    /* What the kernel refuses it refuses at once. */
    if (!hub || hub->no_park || !call->word || (uintptr_t)call->word % sizeof *call->word ||
        !bits || !futex_deadline_of(call, hub, &deadline))
        return ask_kernel(call);
    int saved = errno;
    int error = load(call->word) != call->value ? EAGAIN : park(call, hub, bits, deadline);
    errno = error == ETIME ? ETIMEDOUT : error ? error : saved;
    return error ? -1 : 0;
}

/* ---- waking ---------------------------------------------------------------------------------- */

static size_t wake_greenlets(const uint32_t *word, size_t count, uint32_t bits)
{
    atomic_thread_fence(memory_order_seq_cst);
    return bine_lot_waited(word) ? bine_lot_wake_bits(word, count, bits) : 0;
}

static long wake_on(struct call *call, uint32_t bits)
{
    size_t count = (int)call->value < 1 ? 1 : call->value; /* the kernel wakes one at least */
    size_t woken = wake_greenlets(call->word, count, bits);
    if (woken >= count)
        return (long)woken;
    int saved = errno;
    call->value -= (uint32_t)woken;
    long rest = ask_kernel(call);
    if (rest >= 0 || woken == 0)
        return rest < 0 ? rest : rest + (long)woken;
    errno = saved;
    return (long)woken;
}

/* Greenlets that would be moved to the other word are woken: they look at what they wait for, and
 * wait there. */
static long requeue(const struct call *call)
{
    long done = ask_kernel(call);
    if (done < 0)
        return done;
    size_t most = (size_t)call->value + (call->timeout > INT_MAX ? INT_MAX : call->timeout);
    return done + (long)(most > (size_t)done
                             ? wake_greenlets(call->word, most - (size_t)done, UINT32_MAX)
                             : 0);
}

/* The kernel has done the operation on the second word. Whether it held for a wake there is not
 * known: a wake for nothing is borne. */
static long wake_two(const struct call *call)
{
    long done = ask_kernel(call);
    if (done < 0)
        return done;
    done += (long)wake_greenlets(call->word, call->value, UINT32_MAX);
    return done + (long)wake_greenlets(call->word2, call->timeout, UINT32_MAX);
}

long bine_futex(uint32_t *word, int operation, uint32_t value, uintptr_t timeout, uint32_t *word2,
                uint32_t value3)
{
    struct call call = {word, operation, value, timeout, word2, value3};
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return wait_on(&call, UINT32_MAX);
    case FUTEX_WAIT_BITSET:
        return wait_on(&call, value3);
    case FUTEX_WAKE:
        return wake_on(&call, UINT32_MAX);
    case FUTEX_WAKE_BITSET:
        return wake_on(&call, value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return requeue(&call);
    case FUTEX_WAKE_OP:
        return wake_two(&call);
    default:
        return ask_kernel(&call); /* words whose owner is a thread's number */
    }
}

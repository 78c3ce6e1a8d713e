/* See uring_layout.h. */
#include "uring_layout.h"

#include <stdint.h>

#ifndef IORING_FEAT_MIN_TIMEOUT /* Linux 6.12 */
#define IORING_FEAT_MIN_TIMEOUT (1U << 15)
#endif
/* Linux 6.6: submissions are taken in the order in which they lie */
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

static bool lies_at(const void *field, const void *ring, uint32_t offset)
{
    return field == (const char *)ring + offset;
}

bool bine_uring_completions_known(const struct io_uring *ring, const struct io_uring_params *params)
{
    const struct io_uring_cq *queue = &ring->cq;
    return lies_at(queue->khead, queue->ring_ptr, params->cq_off.head) &&
           lies_at(queue->cqes, queue->ring_ptr, params->cq_off.cqes) &&
           lies_at(ring->sq.kflags, ring->sq.ring_ptr, params->sq_off.flags) &&
           ring->sq.ring_mask == params->sq_entries - 1 &&
           queue->ring_mask == params->cq_entries - 1;
}

#if defined(IO_URING_VERSION_MAJOR) && (IO_URING_VERSION_MAJOR > 2 || IO_URING_VERSION_MINOR >= 8)

bool bine_uring_batches(const struct io_uring *ring, const struct io_uring_params *params)
{
    (void)ring;
    return (params->features & IORING_FEAT_MIN_TIMEOUT) != 0;
}

int bine_uring_wait_for_batch(struct io_uring *ring, unsigned count, unsigned microseconds,
                              struct __kernel_timespec *time)
{
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_min_timeout(ring, &cqe, count, time, microseconds, NULL);
}

#else /* liburing has it from 2.8 on. The library that is loaded may be newer than the header. */

bool bine_uring_batches(const struct io_uring *ring, const struct io_uring_params *params)
{
    const struct io_uring_sq *queue = &ring->sq;
    bool no_array = (params->flags & IORING_SETUP_NO_SQARRAY) != 0;
    return params->features & IORING_FEAT_MIN_TIMEOUT &&
           lies_at(queue->khead, queue->ring_ptr, params->sq_off.head) &&
           lies_at(queue->ktail, queue->ring_ptr, params->sq_off.tail) &&
           (no_array ? queue->array == NULL
                     : lies_at(queue->array, queue->ring_ptr, params->sq_off.array)) &&
           queue->ring_mask == params->sq_entries - 1 && queue->sqe_head == *queue->ktail &&
           queue->sqe_tail == queue->sqe_head;
}

/* Hand over what has been prepared, as liburing's own submit does. */
static unsigned flush(struct io_uring_sq *queue)
{
    unsigned tail = *queue->ktail;
    for (; queue->sqe_head != queue->sqe_tail; queue->sqe_head++, tail++)
        if (queue->array)
            queue->array[tail & queue->ring_mask] = queue->sqe_head & queue->ring_mask;
    __atomic_store_n(queue->ktail, tail, __ATOMIC_RELEASE);
    return tail - __atomic_load_n(queue->khead, __ATOMIC_ACQUIRE);
}

int bine_uring_wait_for_batch(struct io_uring *ring, unsigned count, unsigned microseconds,
                              struct __kernel_timespec *time)
{
    struct { /* struct io_uring_getevents_arg as it is since 6.12 */
        uint64_t sigmask;
        uint32_t sigmask_size, min_wait_microseconds;
        uint64_t time;
    } argument = {.min_wait_microseconds = microseconds, .time = (uintptr_t)time};
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, submitted = flush(&ring->sq);
    if (ring->enter_ring_fd != ring->ring_fd)
        flags |= IORING_ENTER_REGISTERED_RING;
    return io_uring_enter2((unsigned)ring->enter_ring_fd, submitted, count, flags,
                           (sigset_t *)&argument, sizeof argument);
}

#endif

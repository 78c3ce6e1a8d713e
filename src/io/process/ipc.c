/* System V messages and semaphores, POSIX message queues. See bine/process.h. */
#include <bine/io.h>
#include <bine/process.h>
#include <errno.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <time.h>

#include "io/offload/offload.h"
#include "io/wait/backoff.h"
#include "io/wait/wait.h"
#include "libc/libc.h"

#define LONGEST_PAUSE (20 * BINE_MS)

/* A signal handler ends the wait whatever its flags say, as in libc (signal(7)). */
static struct bine_backoff ipc_begin(const struct bine_hub *hub, const char *verb, int object)
{
    return bine_backoff_begin(hub, verb, (uintptr_t)object, LONGEST_PAUSE, 0);
}

/* The kernel reports EINVAL for a queue or set that was removed between two attempts, as for one
 * that never was. A waiter in the kernel would be told EIDRM. */
static int removed(const struct bine_backoff *backoff)
{
    if (backoff->paused && errno == EINVAL)
        errno = EIDRM;
    return -1;
}

int bine_msgsnd(int queue, const void *message, size_t size, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    if (!hub || flags & IPC_NOWAIT)
        return bine_libc.msgsnd(queue, message, size, flags);
    for (struct bine_backoff backoff = ipc_begin(hub, "msgsnd", queue);;) {
        int result = bine_libc.msgsnd(queue, message, size, flags | IPC_NOWAIT);
        if (result == 0)
            return result;
        if (errno != EAGAIN)
            return removed(&backoff);
        error = bine_backoff_pause(hub, &backoff);
        if (error)
            return (int)bine_io_fail(error);
    }
}

ssize_t bine_msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return bine_io_fail(error);
    if (!hub || flags & (IPC_NOWAIT | MSG_COPY))
        return bine_libc.msgrcv(queue, message, size, type, flags);
    for (struct bine_backoff backoff = ipc_begin(hub, "msgrcv", queue);;) {
        ssize_t result = bine_libc.msgrcv(queue, message, size, type, flags | IPC_NOWAIT);
        if (result >= 0)
            return result;
        if (errno != ENOMSG)
            return removed(&backoff);
        error = bine_backoff_pause(hub, &backoff);
        if (error)
            return bine_io_fail(error);
    }
}

/* ---- semaphores: each operation of a set may ask not to wait ---- */

enum {
    FEW_OPERATIONS = 16
};

/* Without waiting, all operations: 0, or -1 with EAGAIN. The array is the caller's, so a copy is
 * marked. */
static int try_operations(int set, const struct sembuf *operations, size_t count)
{
    struct sembuf copy[FEW_OPERATIONS];
    for (size_t i = 0; i < count; i++) {
        copy[i] = operations[i];
        copy[i].sem_flg |= IPC_NOWAIT;
    }
    return bine_libc.semop(set, copy, count);
}

/* Where some operations wait and some do not, the first that cannot be done decides: only the
 * kernel knows which. */
static bool must_not_wait(const struct sembuf *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (operations[i].sem_flg & IPC_NOWAIT)
            return true;
    return false;
}

struct operating {
    struct bine_offload_job job; /* first */
    int set, result;
    struct sembuf *operations;
    size_t count;
    const struct timespec *timeout;
};

static void run_operating(struct bine_offload_job *job)
{
    struct operating *operating = (struct operating *)job;
    operating->result =
        (int)bine_libc.syscall(SYS_semtimedop, operating->set, operating->operations,
                               operating->count, operating->timeout);
}

/* The call itself, on a thread of the pool. */
static int operate_on_pool(struct bine_hub *hub, int set, struct sembuf *operations, size_t count,
                           const struct timespec *timeout)
{
    struct operating operating = {.job = {.run = run_operating,
                                          .lingers = true,
                                          .interruptible = true,
                                          .park_flags = BINE_PARK_SIGNALS,
                                          .error = errno},
                                  .set = set,
                                  .result = -1,
                                  .operations = operations,
                                  .count = count,
                                  .timeout = timeout};
    int error = bine_offload_firm(hub, &operating.job, "semop", (uintptr_t)set);
    /* Done in the very moment of the kill or the signal, it is done. */
    if (operating.result < 0)
        errno = error ? error : operating.job.error;
    return operating.result;
}

int bine_semtimedop(int set, struct sembuf *operations, size_t count,
                    const struct timespec *timeout)
{
    struct bine_hub *hub = bine_io_hub();
    bool odd =
        timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= BINE_SECOND);
    if (!hub || !operations || count == 0 || odd)
        return timeout ? bine_libc.semtimedop(set, operations, count, timeout)
                       : bine_libc.semop(set, operations, count);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    if (count > FEW_OPERATIONS || must_not_wait(operations, count))
        return operate_on_pool(hub, set, operations, count, timeout);
    struct bine_backoff backoff = ipc_begin(hub, "semop", set);
    backoff.deadline =
        timeout ? bine_hub_deadline(hub, timeout->tv_sec > INT32_MAX
                                             ? BINE_FOREVER
                                             : timeout->tv_sec * BINE_SECOND + timeout->tv_nsec)
                : INT64_MAX;
    for (;;) {
        int result = try_operations(set, operations, count);
        if (result == 0)
            return result;
        if (errno != EAGAIN)
            return removed(&backoff);
        error = bine_backoff_pause(hub, &backoff);
        if (error)
            return (int)bine_io_fail(error == ETIME ? EAGAIN : error);
    }
}

int bine_semop(int set, struct sembuf *operations, size_t count)
{
    return bine_semtimedop(set, operations, count, NULL);
}

/* ---- POSIX message queues -------------------------------------------------------------------- */

/* A deadline that has passed: tried once, whatever O_NONBLOCK says. */
static struct timespec long_ago; /* not const: qemu-user writes it back */

/* libc's deadline is of the wall clock. */
static int64_t ipc_deadline_of(struct bine_hub *hub, const struct timespec *deadline)
{
    if (!deadline)
        return INT64_MAX;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (deadline->tv_sec > now.tv_sec + INT32_MAX)
        return INT64_MAX;
    int64_t left = (deadline->tv_sec - now.tv_sec) * BINE_SECOND + deadline->tv_nsec - now.tv_nsec;
    return bine_hub_deadline(hub, left > 0 ? left : 0);
}

static bool valid(const struct timespec *deadline)
{
    return !deadline ||
           (deadline->tv_sec >= 0 && deadline->tv_nsec >= 0 && deadline->tv_nsec < BINE_SECOND);
}

/* 0: try again. Else an error number. */
static int await_queue(struct bine_wait *wait, uint32_t events)
{
    int error = bine_wait_ready(wait, events);
    return error == ETIME ? ETIMEDOUT : error;
}

static void begin_waiting(struct bine_wait *wait, struct bine_hub *hub, mqd_t queue,
                          const char *verb, const struct timespec *deadline)
{
    bine_wait_begin(wait, hub, (int)queue, verb);
    wait->deadline = ipc_deadline_of(hub, deadline);
    wait->timed = true;
}

int bine_mq_timedsend(mqd_t queue, const char *message, size_t size, unsigned priority,
                      const struct timespec *deadline)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || !valid(deadline))
        return deadline ? bine_libc.mq_timedsend(queue, message, size, priority, deadline)
                        : bine_libc.mq_send(queue, message, size, priority);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    struct bine_wait wait;
    begin_waiting(&wait, hub, queue, "mq_send", deadline);
    for (;;) {
        int result = bine_libc.mq_timedsend(queue, message, size, priority, &long_ago);
        if (result == 0 || errno != ETIMEDOUT)
            return result;
        error = await_queue(&wait, POLLOUT);
        if (error)
            return (int)bine_io_fail(error);
    }
}

int bine_mq_send(mqd_t queue, const char *message, size_t size, unsigned priority)
{
    return bine_mq_timedsend(queue, message, size, priority, NULL);
}

ssize_t bine_mq_timedreceive(mqd_t queue, char *message, size_t size, unsigned *priority,
                             const struct timespec *deadline)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || !valid(deadline))
        return deadline ? bine_libc.mq_timedreceive(queue, message, size, priority, deadline)
                        : bine_libc.mq_receive(queue, message, size, priority);
    int error = bine_streak(hub);
    if (error)
        return bine_io_fail(error);
    struct bine_wait wait;
    begin_waiting(&wait, hub, queue, "mq_receive", deadline);
    for (;;) {
        ssize_t result = bine_libc.mq_timedreceive(queue, message, size, priority, &long_ago);
        if (result >= 0 || errno != ETIMEDOUT)
            return result;
        error = await_queue(&wait, POLLIN);
        if (error)
            return bine_io_fail(error);
    }
}

ssize_t bine_mq_receive(mqd_t queue, char *message, size_t size, unsigned *priority)
{
    return bine_mq_timedreceive(queue, message, size, priority, NULL);
}

/* System V messages and semaphores, POSIX message queues. See bine/process.h. */
#include <bine/io.h>
#include <bine/process.h>
#include <errno.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <time.h>

#include "../core/libc.h"
#include "file.h"
#include "wait.h"

enum {
    FIRST_PAUSE_MS = 1,
    LONGEST_PAUSE_MS = 20
};

/* Between two questions to what the kernel cannot be waited for by. 0 or an error number; ETIME at the deadline. As
 * in libc a signal handler ends the wait whatever its flags say (signal(7)). */
static int pause_a_while(struct bine_hub *hub, const char *verb, int object, unsigned *milliseconds, int64_t deadline)
{
    int64_t until = bine_hub_deadline(hub, *milliseconds * BINE_MS);
    *milliseconds = *milliseconds * 2 < LONGEST_PAUSE_MS ? *milliseconds * 2 : LONGEST_PAUSE_MS;
    bool last = deadline <= until;
    int error =
        bine_park(hub, verb, (uintptr_t)object, last ? deadline : until, BINE_PARK_EXTERNAL | BINE_PARK_SIGNALS);
    return error == ETIME && !last ? 0 : error;
}

/* What the kernel says of a queue or set that was removed between two questions is what it says of one that never was
 * (EINVAL); who waits in the kernel is told EIDRM. `asked`: it was there a moment ago, and the arguments were good. */
static int removed(bool asked)
{
    if (asked && errno == EINVAL)
        errno = EIDRM;
    return -1;
}

int bine_msgsnd(int queue, const void *message, size_t size, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || flags & IPC_NOWAIT)
        return bine_libc.msgsnd(queue, message, size, flags);
    bool asked = false;
    for (unsigned pause = FIRST_PAUSE_MS;; asked = true) {
        int result = bine_libc.msgsnd(queue, message, size, flags | IPC_NOWAIT);
        if (result == 0)
            return result;
        if (errno != EAGAIN)
            return removed(asked);
        int error = pause_a_while(hub, "msgsnd", queue, &pause, INT64_MAX);
        if (error)
            return (int)bine_io_fail(error);
    }
}

ssize_t bine_msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || flags & (IPC_NOWAIT | MSG_COPY))
        return bine_libc.msgrcv(queue, message, size, type, flags);
    bool asked = false;
    for (unsigned pause = FIRST_PAUSE_MS;; asked = true) {
        ssize_t result = bine_libc.msgrcv(queue, message, size, type, flags | IPC_NOWAIT);
        if (result >= 0)
            return result;
        if (errno != ENOMSG)
            return removed(asked);
        int error = pause_a_while(hub, "msgrcv", queue, &pause, INT64_MAX);
        if (error)
            return bine_io_fail(error);
    }
}

/* ---- semaphores: each operation of a set may say for itself that it does not wait --------------------------- */

enum {
    FEW_OPERATIONS = 16
};

/* Without waiting, all operations: 0, or -1 with EAGAIN. The array is the caller's, so a copy is marked. */
static int try_operations(int set, const struct sembuf *operations, size_t count)
{
    struct sembuf copy[FEW_OPERATIONS];
    for (size_t i = 0; i < count; i++) {
        copy[i] = operations[i];
        copy[i].sem_flg |= IPC_NOWAIT;
    }
    return bine_libc.semop(set, copy, count);
}

/* Where some operations wait and some do not, the first that cannot be done decides: only the kernel knows which. */
static bool must_not_wait(const struct sembuf *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (operations[i].sem_flg & IPC_NOWAIT)
            return true;
    return false;
}

int bine_semtimedop(int set, struct sembuf *operations, size_t count, const struct timespec *timeout)
{
    struct bine_hub *hub = bine_io_hub();
    bool odd = timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= BINE_SECOND);
    if (!hub || !operations || count == 0 || odd)
        return timeout ? bine_libc.semtimedop(set, operations, count, timeout)
                       : bine_libc.semop(set, operations, count);
    if (count > FEW_OPERATIONS || must_not_wait(operations, count))
        return (int)BINE_FILE_CALL("semop", set, SYS_semtimedop, set, (long)operations, (long)count, (long)timeout);
    int64_t deadline =
        timeout ? bine_hub_deadline(hub, timeout->tv_sec > INT32_MAX ? BINE_FOREVER
                                                                     : timeout->tv_sec * BINE_SECOND + timeout->tv_nsec)
                : INT64_MAX;
    bool asked = false;
    for (unsigned pause = FIRST_PAUSE_MS;; asked = true) {
        int result = try_operations(set, operations, count);
        if (result == 0)
            return result;
        if (errno != EAGAIN)
            return removed(asked);
        int error = pause_a_while(hub, "semop", set, &pause, deadline);
        if (error)
            return (int)bine_io_fail(error == ETIME ? EAGAIN : error);
    }
}

int bine_semop(int set, struct sembuf *operations, size_t count)
{
    return bine_semtimedop(set, operations, count, NULL);
}

/* ---- POSIX message queues ------------------------------------------------------------------------------------ */

/* A deadline that has passed: tried once, whatever O_NONBLOCK says. */
static struct timespec long_ago; /* not const: qemu-user writes it back */

/* libc's deadline is of the wall clock. */
static int64_t deadline_of(struct bine_hub *hub, const struct timespec *deadline)
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
    return !deadline || (deadline->tv_sec >= 0 && deadline->tv_nsec >= 0 && deadline->tv_nsec < BINE_SECOND);
}

/* 0: try again. Else an error number. */
static int await_queue(struct bine_hub *hub, mqd_t queue, uint32_t events, const char *verb, int64_t deadline)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, (int)queue, verb);
    wait.deadline = deadline;
    wait.timed = true;
    int error = bine_wait_ready(&wait, events);
    return error == ETIME ? ETIMEDOUT : error;
}

int bine_mq_timedsend(mqd_t queue, const char *message, size_t size, unsigned priority, const struct timespec *deadline)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || !valid(deadline))
        return deadline ? bine_libc.mq_timedsend(queue, message, size, priority, deadline)
                        : bine_libc.mq_send(queue, message, size, priority);
    int64_t until = deadline_of(hub, deadline);
    for (;;) {
        int result = bine_libc.mq_timedsend(queue, message, size, priority, &long_ago);
        if (result == 0 || errno != ETIMEDOUT)
            return result;
        int error = await_queue(hub, queue, POLLOUT, "mq_send", until);
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
    int64_t until = deadline_of(hub, deadline);
    for (;;) {
        ssize_t result = bine_libc.mq_timedreceive(queue, message, size, priority, &long_ago);
        if (result >= 0 || errno != ETIMEDOUT)
            return result;
        int error = await_queue(hub, queue, POLLIN, "mq_receive", until);
        if (error)
            return bine_io_fail(error);
    }
}

ssize_t bine_mq_receive(mqd_t queue, char *message, size_t size, unsigned *priority)
{
    return bine_mq_timedreceive(queue, message, size, priority, NULL);
}

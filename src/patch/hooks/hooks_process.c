/* Hooks of the process family: waiting for children, messages and semaphores between processes.
 * src/io does the work. */
#include <bine/process.h>
#include <stdarg.h>

#include "io/descriptor/descriptor.h"
#include "io/wait/close.h"
#include "patch/table/hook.h"

/* ---- children -------------------------------------------------------------------------------- */

pid_t hook_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_wait4(pid, status, options, usage)
                                              : bine_libc.wait4(pid, status, options, usage);
}

pid_t hook_wait3(int *status, int options, struct rusage *usage)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_wait4(-1, status, options, usage)
                                              : bine_libc.wait3(status, options, usage);
}

pid_t hook_waitpid(pid_t pid, int *status, int options)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_wait4(pid, status, options, NULL)
                                              : bine_libc.waitpid(pid, status, options);
}

pid_t hook_wait(int *status)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_wait4(-1, status, 0, NULL)
                                              : bine_libc.wait(status);
}

int hook_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_waitid(type, id, info, options)
                                              : bine_libc.waitid(type, id, info, options);
}

int hook_system(const char *command)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_system(command) : bine_libc.system(command);
}

/* ---- System V -------------------------------------------------------------------------------- */

int hook_msgsnd(int queue, const void *message, size_t size, int flags)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_msgsnd(queue, message, size, flags)
                                              : bine_libc.msgsnd(queue, message, size, flags);
}

ssize_t hook_msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_msgrcv(queue, message, size, type, flags)
                                              : bine_libc.msgrcv(queue, message, size, type, flags);
}

int hook_semop(int set, struct sembuf *operations, size_t count)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_semop(set, operations, count)
                                              : bine_libc.semop(set, operations, count);
}

int hook_semtimedop(int set, struct sembuf *operations, size_t count,
                    const struct timespec *timeout)
{
    return bine_hook_here(BINE_PATCH_PROCESS)
               ? bine_semtimedop(set, operations, count, timeout)
               : bine_libc.semtimedop(set, operations, count, timeout);
}

/* ---- POSIX message queues: descriptors, whose making and closing happen inside libc ---------- */

mqd_t hook_mq_open(const char *name, int flags, ...)
{
    mode_t mode = 0;
    struct mq_attr *attributes = NULL;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        attributes = va_arg(arguments, struct mq_attr *);
        va_end(arguments);
    }
    mqd_t queue = bine_libc.mq_open(name, flags, mode, attributes);
    if (queue >= 0 && bine_hook_active(BINE_PATCH_DESCRIPTOR))
        bine_descriptor_fresh((int)queue, BINE_FD_STREAM, (flags & O_NONBLOCK) != 0);
    return queue;
}

/* The fortified form without a mode: O_CREAT in it ends the program. */
mqd_t hook___mq_open_2(const char *name, int flags)
{
    return flags & O_CREAT ? bine_libc.__mq_open_2(name, flags) : hook_mq_open(name, flags);
}

int hook_mq_close(mqd_t queue)
{
    if (bine_hook_active(BINE_PATCH_DESCRIPTOR))
        bine_descriptor_closing((int)queue);
    return bine_libc.mq_close(queue);
}

int hook_mq_send(mqd_t queue, const char *message, size_t size, unsigned priority)
{
    return bine_hook_here(BINE_PATCH_PROCESS) ? bine_mq_send(queue, message, size, priority)
                                              : bine_libc.mq_send(queue, message, size, priority);
}

int hook_mq_timedsend(mqd_t queue, const char *message, size_t size, unsigned priority,
                      const struct timespec *deadline)
{
    return bine_hook_here(BINE_PATCH_PROCESS)
               ? bine_mq_timedsend(queue, message, size, priority, deadline)
               : bine_libc.mq_timedsend(queue, message, size, priority, deadline);
}

ssize_t hook_mq_receive(mqd_t queue, char *message, size_t size, unsigned *priority)
{
    return bine_hook_here(BINE_PATCH_PROCESS)
               ? bine_mq_receive(queue, message, size, priority)
               : bine_libc.mq_receive(queue, message, size, priority);
}

ssize_t hook_mq_timedreceive(mqd_t queue, char *message, size_t size, unsigned *priority,
                             const struct timespec *deadline)
{
    return bine_hook_here(BINE_PATCH_PROCESS)
               ? bine_mq_timedreceive(queue, message, size, priority, deadline)
               : bine_libc.mq_timedreceive(queue, message, size, priority, deadline);
}

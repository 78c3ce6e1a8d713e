/*
 * Processes and System V and POSIX messages for greenlets: libc's calls with libc's signatures,
 * results and errors. The greenlet waits instead of the thread. Bine installs no handler of SIGCHLD
 * and disturbs none of the user's.
 *
 * If the caller is killed or timed out while it waits, the call fails with ECANCELED or ETIMEDOUT,
 * and has reaped, received or sent nothing. Any thread may call them. On a thread without a hub
 * these are libc's own. Switches: maybe.
 */
#ifndef BINE_PROCESS_H
#define BINE_PROCESS_H

#include <mqueue.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "base.h"

BINE_BEGIN

/* The call waits by pidfd for a child with a pid. A thread of the offload pool waits for any child,
 * or for one of a process group. */
BINE_API pid_t bine_wait4(pid_t pid, int *status, int options, struct rusage *usage);
#ifdef WEXITED /* <sys/wait.h> hides the types of waitid from strict C */
BINE_API int bine_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
#endif

/* If the caller is killed, so is the shell, as when a thread in system() is cancelled. This process
 * ignores SIGINT and SIGQUIT while any shell runs. SIGCHLD is not blocked. */
BINE_API int bine_system(const char *command);

/* System V: these calls ask the kernel again and again, with pauses of 1 to 20 ms. */
BINE_API int bine_msgsnd(int queue, const void *message, size_t size, int flags);
BINE_API ssize_t bine_msgrcv(int queue, void *message, size_t size, long type, int flags);
BINE_API int bine_semop(int set, struct sembuf *operations, size_t count);
BINE_API int bine_semtimedop(int set, struct sembuf *operations, size_t count,
                             const struct timespec *timeout);

/* POSIX message queues are descriptors that a poller can wait for. */
BINE_API int bine_mq_send(mqd_t queue, const char *message, size_t size, unsigned priority);
BINE_API int bine_mq_timedsend(mqd_t queue, const char *message, size_t size, unsigned priority,
                               const struct timespec *deadline);
BINE_API ssize_t bine_mq_receive(mqd_t queue, char *message, size_t size, unsigned *priority);
BINE_API ssize_t bine_mq_timedreceive(mqd_t queue, char *message, size_t size, unsigned *priority,
                                      const struct timespec *deadline);

BINE_END

#endif

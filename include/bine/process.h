/*
 * Processes and System V and POSIX messages for greenlets: libc's calls with libc's signatures, results and errors; the
 * greenlet waits instead of the thread. No handler of SIGCHLD is installed and none of the user's is disturbed.
 *
 * Killed or timed out while they wait, they fail with ECANCELED or ETIMEDOUT; nothing has been reaped, received or
 * sent then. On a thread without a hub these are libc's own. Any thread. Switches: maybe.
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

/* A child with a pid is waited for by pidfd; any child, or one of a process group, by a thread of the offload pool. */
BINE_API pid_t bine_wait4(pid_t pid, int *status, int options, struct rusage *usage);
#ifdef WEXITED /* <sys/wait.h> hides the types of waitid from strict C */
BINE_API int bine_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
#endif

/* When the caller is killed so is the shell, as when a thread in system() is cancelled. SIGINT and SIGQUIT are
 * ignored by this process while any shell runs; SIGCHLD is not blocked. */
BINE_API int bine_system(const char *command);

/* System V: asked for again and again, with pauses of 1 to 20 ms. */
BINE_API int bine_msgsnd(int queue, const void *message, size_t size, int flags);
BINE_API ssize_t bine_msgrcv(int queue, void *message, size_t size, long type, int flags);
BINE_API int bine_semop(int set, struct sembuf *operations, size_t count);
BINE_API int bine_semtimedop(int set, struct sembuf *operations, size_t count, const struct timespec *timeout);

/* POSIX message queues are descriptors that a poller can wait for. */
BINE_API int bine_mq_send(mqd_t queue, const char *message, size_t size, unsigned priority);
BINE_API int bine_mq_timedsend(mqd_t queue, const char *message, size_t size, unsigned priority,
                               const struct timespec *deadline);
BINE_API ssize_t bine_mq_receive(mqd_t queue, char *message, size_t size, unsigned *priority);
BINE_API ssize_t bine_mq_timedreceive(mqd_t queue, char *message, size_t size, unsigned *priority,
                                      const struct timespec *deadline);

BINE_END

#endif

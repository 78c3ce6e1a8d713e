/* Waits for what the kernel has (children, file locks, messages, semaphores), each struck at each
 * moment: see ../sync/struck.h. */
#include <bine.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "libc/libc.h"
#include "sync/struck.h"

/* ---- children -------------------------------------------------------------------------------- */

static pid_t child;

static void begin_child(void)
{
    child = fork();
    CHECK_OK(child);
    if (child == 0) {
        bine_libc.pause();
        _exit(0);
    }
}

static int64_t call_waitpid(void)
{
    return bine_wait4(child, NULL, 0, NULL);
}

static int64_t call_wait(void)
{
    return bine_wait4(-1, NULL, 0, NULL);
}

static int64_t call_waitid(void)
{
    siginfo_t info;
    return bine_waitid(P_PID, (id_t)child, &info, WEXITED);
}

static void end_of_child(void)
{
    siginfo_t info;
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK(bine_libc.waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0 || errno == ECHILD);
}

static bool reaped(void)
{
    pid_t left = bine_libc.wait4(child, NULL, WNOHANG, NULL);
    CHECK(left == child || errno == ECHILD);
    return left != child;
}

static void nothing(void)
{
}

/* ---- file locks ------------------------------------------------------------------------------ */

static char path[64];
static int held, wanted;

static void open_file(void)
{
    strcpy(path, "/tmp/bine-test-XXXXXX");
    held = mkstemp(path);
    CHECK_OK(held);
    wanted = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(wanted);
}

static void close_file(void)
{
    close(held);
    close(wanted);
    unlink(path);
}

static bool locked_by(int (*lock)(int fd, bool wait))
{
    int third = open(path, O_RDWR | O_CLOEXEC);
    bool locked = lock(third, false) < 0;
    close(third);
    return locked;
}

static int flock_it(int fd, bool wait)
{
    return wait ? bine_flock(fd, LOCK_EX) : bine_libc.flock(fd, LOCK_EX | LOCK_NB);
}

static int ofd_lock_it(int fd, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return wait ? bine_fcntl_lock(fd, F_OFD_SETLKW, &lock)
                : bine_libc.fcntl(fd, F_OFD_SETLK, &lock);
}

static void begin_flock(void)
{
    open_file();
    CHECK_OK(flock_it(held, false));
}

static int64_t call_flock(void)
{
    return flock_it(wanted, true);
}

static void complete_flock(void)
{
    CHECK_OK(bine_libc.flock(held, LOCK_UN));
}

static bool flocked(void)
{
    return locked_by(flock_it);
}

static void begin_ofd(void)
{
    open_file();
    CHECK_OK(ofd_lock_it(held, false));
}

static int64_t call_ofd(void)
{
    return ofd_lock_it(wanted, true);
}

static void complete_ofd(void)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK_OK(bine_libc.fcntl(held, F_OFD_SETLK, &lock));
}

static bool ofd_locked(void)
{
    return locked_by(ofd_lock_it);
}

/* ---- messages and semaphores of System V ----------------------------------------------------- */

static int ipc;
static struct message {
    long type;
    char bytes[4096];
} message;

static void begin_queue(void)
{
    ipc = msgget(IPC_PRIVATE, 0600);
    CHECK_OK(ipc);
}

static void end_queue(void)
{
    CHECK_OK(msgctl(ipc, IPC_RMID, NULL));
}

static int64_t call_msgrcv(void)
{
    return bine_msgrcv(ipc, &message, sizeof message.bytes, 0, 0);
}

static void complete_msgrcv(void)
{
    CHECK_OK(bine_libc.msgsnd(ipc, &(struct message){.type = 1}, 1, IPC_NOWAIT));
}

static bool received(void)
{
    return bine_libc.msgrcv(ipc, &message, sizeof message.bytes, 0, IPC_NOWAIT) < 0;
}

static void begin_full_queue(void)
{
    begin_queue();
    while (bine_libc.msgsnd(ipc, &(struct message){.type = 1}, sizeof message.bytes, IPC_NOWAIT) ==
           0)
        continue;
}

static int64_t call_msgsnd(void)
{
    return bine_msgsnd(ipc, &(struct message){.type = 2}, sizeof message.bytes, 0);
}

static void complete_msgsnd(void)
{
    CHECK_OK(bine_libc.msgrcv(ipc, &message, sizeof message.bytes, 1, 0));
}

static bool sent(void)
{
    return bine_libc.msgrcv(ipc, &message, sizeof message.bytes, 2, IPC_NOWAIT) >= 0;
}

static void begin_set(void)
{
    ipc = semget(IPC_PRIVATE, 2, 0600);
    CHECK_OK(ipc);
    CHECK_OK(semctl(ipc, 1, SETVAL, 1));
}

static void end_set(void)
{
    CHECK_OK(semctl(ipc, 0, IPC_RMID));
}

static int64_t call_semop(void)
{
    return bine_semop(ipc, &(struct sembuf){.sem_num = 0, .sem_op = -1}, 1);
}

/* The kernel makes it, on a thread of the pool. */
static int64_t call_mixed_semop(void)
{
    struct sembuf both[] = {{.sem_num = 0, .sem_op = -1},
                            {.sem_num = 1, .sem_op = -1, .sem_flg = IPC_NOWAIT}};
    return bine_semop(ipc, both, 2);
}

static void complete_semop(void)
{
    CHECK_OK(semctl(ipc, 0, SETVAL, 1));
}

static bool decremented(void)
{
    return semctl(ipc, 0, GETVAL) == 0;
}

TEST(hazard_46_a_wait_for_children_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"waitpid", begin_child, call_waitpid, end_of_child, reaped, nothing},
        {"wait", begin_child, call_wait, end_of_child, reaped, nothing},
        {"waitid", begin_child, call_waitid, end_of_child, reaped, nothing}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_wait_for_file_locks_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"flock", begin_flock, call_flock, complete_flock, flocked, close_file},
        {"F_OFD_SETLKW", begin_ofd, call_ofd, complete_ofd, ofd_locked, close_file}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_wait_for_messages_and_semaphores_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"msgrcv", begin_queue, call_msgrcv, complete_msgrcv, received, end_queue},
        {"msgsnd", begin_full_queue, call_msgsnd, complete_msgsnd, sent, end_queue},
        {"semop", begin_set, call_semop, complete_semop, decremented, end_set},
        {"semop of two kinds", begin_set, call_mixed_semop, complete_semop, decremented, end_set}};
    CHECK_WAITS(all);
}

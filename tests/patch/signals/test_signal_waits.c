/* A signal at every wait of the root for locks, other processes, children and time, compared with
 * libc (hazard 50). */
#include <bine.h>
#include <signal.h>

#include "harness.h"
#include "libc/libc.h"
#include "signal_waits.h"

static int ends[2], file = -1, held = -1, queue = -1, set = -1;
static pid_t child;
static char path[64];
static sem_t *shared;
static mqd_t messages;

/* ---- locks of files -------------------------------------------------------------------------- */

static void make_file(void)
{
    snprintf(path, sizeof path, "/tmp/bine-signal-waits-%d", (int)getpid());
    file = open(path, O_RDWR | O_CREAT, 0600);
    held = open(path, O_RDWR);
    CHECK(file >= 0 && held >= 0);
}

static void remove_file(void)
{
    close(file);
    close(held);
    unlink(path);
}

static void begin_flock(void)
{
    make_file();
    CHECK_EQ(flock(held, LOCK_EX), 0);
}

static int64_t call_flock(void)
{
    return flock(file, LOCK_EX);
}

static void complete_flock(void)
{
    flock(held, LOCK_UN);
}

static struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static void begin_ofd(void)
{
    make_file();
    CHECK_EQ(fcntl(held, F_OFD_SETLK, &whole), 0);
}

static int64_t call_ofd(void)
{
    return fcntl(file, F_OFD_SETLKW, &whole);
}

static void complete_ofd(void)
{
    struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(held, F_OFD_SETLK, &none);
}

/* A POSIX lock is the process's: another one must have it. */
static void begin_posix_lock(void)
{
    char byte;
    make_file();
    CHECK_EQ(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        if (fcntl(file, F_SETLK, &whole) != 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    CHECK_EQ(read(ends[0], &byte, 1), 1);
}

static int64_t call_setlkw(void)
{
    return fcntl(file, F_SETLKW, &whole);
}

static int64_t call_lockf(void)
{
    return lockf(file, F_LOCK, 0);
}

static void kill_child(void)
{
    kill(child, SIGKILL);
}

static void close_both(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void end_posix_lock(void)
{
    CHECK_EQ(waitpid(child, NULL, 0), child);
    close_both(ends);
    remove_file();
}

static const struct waiting file_locks[] = {
    {"flock", begin_flock, call_flock, complete_flock, remove_file},
    {"fcntl(F_SETLKW)", begin_posix_lock, call_setlkw, kill_child, end_posix_lock},
    {"lockf", begin_posix_lock, call_lockf, kill_child, end_posix_lock},
};

TEST(hazard_50_a_signal_ends_a_wait_for_a_files_lock_as_in_libc, .seconds = 60)
{
    COMPARE(file_locks);
}

static const struct waiting open_file_locks[] = {
    {"fcntl(F_OFD_SETLKW)", begin_ofd, call_ofd, complete_ofd, remove_file},
};

TEST(hazard_50_a_signal_ends_a_wait_for_an_open_files_lock_as_in_libc, .seconds = 60)
{
    harness_not_under_valgrind(
        "it takes F_OFD_SETLKW for a call that does not wait, and lets no signal in");
    COMPARE(open_file_locks);
}

/* ---- between processes ----------------------------------------------------------------------- */

struct text {
    long type;
    char bytes[1024];
};

static void begin_queue(void)
{
    queue = msgget(IPC_PRIVATE, 0600);
    CHECK_GE(queue, 0);
}

static void begin_full_queue(void)
{
    struct text text = {.type = 1};
    begin_queue();
    while (msgsnd(queue, &text, sizeof text.bytes, IPC_NOWAIT) == 0)
        continue;
}

static int64_t call_msgrcv(void)
{
    struct text text;
    return msgrcv(queue, &text, sizeof text.bytes, 0, 0);
}

static int64_t call_msgsnd(void)
{
    struct text text = {.type = 1};
    return msgsnd(queue, &text, sizeof text.bytes, 0);
}

static void complete_msgrcv(void)
{
    struct text text = {.type = 1};
    msgsnd(queue, &text, 1, 0);
}

static void complete_msgsnd(void)
{
    struct text text;
    msgrcv(queue, &text, sizeof text.bytes, 0, 0);
}

static void end_queue(void)
{
    msgctl(queue, IPC_RMID, NULL);
}

static void begin_set(void)
{
    set = semget(IPC_PRIVATE, 2, 0600);
    CHECK_GE(set, 0);
}

static int64_t call_semop(void)
{
    struct sembuf down = {.sem_op = -1};
    return semop(set, &down, 1);
}

static int64_t call_semtimedop(void)
{
    struct sembuf down = {.sem_op = -1};
    return semtimedop(set, &down, 1, &(struct timespec){.tv_sec = 10});
}

/* Some operations wait and some do not. */
static int64_t call_mixed_semop(void)
{
    struct sembuf both[] = {{.sem_op = -1}, {.sem_num = 1, .sem_flg = IPC_NOWAIT}};
    return semop(set, both, 2);
}

static void complete_semop(void)
{
    struct sembuf up = {.sem_op = 1};
    semop(set, &up, 1);
}

static void end_set(void)
{
    semctl(set, 0, IPC_RMID);
}

static void open_messages(void)
{
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    snprintf(path, sizeof path, "/bine-signal-waits-%d", (int)getpid());
    messages = mq_open(path, O_RDWR | O_CREAT, 0600, &attributes);
    CHECK(messages != (mqd_t)-1);
    mq_unlink(path);
}

static void begin_full_messages(void)
{
    open_messages();
    CHECK_EQ(mq_send(messages, "x", 1, 0), 0);
}

static int64_t call_mq_receive(void)
{
    char text[8];
    return mq_receive(messages, text, sizeof text, NULL);
}

static int64_t call_mq_send(void)
{
    return mq_send(messages, "y", 1, 0);
}

static void complete_mq_receive(void)
{
    mq_send(messages, "x", 1, 0);
}

static void complete_mq_send(void)
{
    char text[8];
    mq_receive(messages, text, sizeof text, NULL);
}

static void close_messages(void)
{
    mq_close(messages);
}

static void begin_semaphore(int of_processes)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_EQ(sem_init(shared, of_processes, 0), 0);
}

static void begin_shared(void)
{
    begin_semaphore(1);
}

static void begin_private(void)
{
    begin_semaphore(0);
}

static int64_t call_sem_wait(void)
{
    return sem_wait(shared);
}

static int64_t call_sem_timedwait(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    return sem_timedwait(shared, &until);
}

static void complete_sem(void)
{
    sem_post(shared);
}

static void end_sem(void)
{
    munmap(shared, 4096);
}

static const struct waiting processes[] = {
    {"msgrcv", begin_queue, call_msgrcv, complete_msgrcv, end_queue},
    {"msgsnd", begin_full_queue, call_msgsnd, complete_msgsnd, end_queue},
    {"semop", begin_set, call_semop, complete_semop, end_set},
    {"semtimedop", begin_set, call_semtimedop, complete_semop, end_set},
    {"semop of two kinds", begin_set, call_mixed_semop, complete_semop, end_set},
    {"mq_receive", open_messages, call_mq_receive, complete_mq_receive, close_messages},
    {"mq_send", begin_full_messages, call_mq_send, complete_mq_send, close_messages},
};

static const struct waiting semaphores[] = {
    {"sem_wait, shared", begin_shared, call_sem_wait, complete_sem, end_sem},
    {"sem_timedwait, shared", begin_shared, call_sem_timedwait, complete_sem, end_sem},
    {"sem_wait, private", begin_private, call_sem_wait, complete_sem, end_sem},
    {"sem_timedwait, private", begin_private, call_sem_timedwait, complete_sem, end_sem},
};

TEST(hazard_50_a_signal_ends_a_wait_for_another_process_as_in_libc, .seconds = 60)
{
    COMPARE(processes);
}

TEST(hazard_50_a_signal_ends_a_wait_for_a_semaphore_as_in_libc, .seconds = 60)
{
    COMPARE(semaphores);
}

/* ---- children, FIFOs, time ------------------------------------------------------------------- */

static void begin_child(void)
{
    child = fork();
    if (child == 0)
        for (;;)
            pause();
}

static int64_t call_waitpid(void)
{
    return waitpid(child, NULL, 0);
}

static int64_t call_wait(void)
{
    return wait(NULL);
}

static int64_t call_waitid(void)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)child, &info, WEXITED);
}

static void reap(void)
{
    waitpid(child, NULL, 0);
}

static void make_fifo(void)
{
    snprintf(path, sizeof path, "/tmp/bine-signal-waits-%d.fifo", (int)getpid());
    unlink(path);
    CHECK_EQ(mkfifo(path, 0600), 0);
    held = -1;
}

static int64_t call_open(void)
{
    file = open(path, O_RDONLY);
    if (file >= 0)
        close(file);
    return file;
}

static void complete_open(void)
{
    held = open(path, O_WRONLY | O_NONBLOCK);
}

static void remove_fifo(void)
{
    if (held >= 0)
        close(held);
    unlink(path);
}

static void nothing(void)
{
}

static int64_t call_nanosleep(void)
{
    return nanosleep(&(struct timespec){.tv_nsec = 300 * BINE_MS}, NULL);
}

static int64_t call_sleep_on_wall_clock(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    int error = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
    errno = error;
    return error ? -1 : 0;
}

static int64_t call_sigtimedwait(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    return sigtimedwait(&one, NULL, &(struct timespec){.tv_nsec = 300 * BINE_MS}) < 0 &&
                   errno != EAGAIN
               ? -1
               : 0;
}

static const struct waiting children[] = {
    {"waitpid", begin_child, call_waitpid, kill_child, reap},
    {"wait", begin_child, call_wait, kill_child, reap},
    {"waitid", begin_child, call_waitid, kill_child, reap},
    {"open of a FIFO", make_fifo, call_open, complete_open, remove_fifo},
};

static const struct waiting sleeps[] = {
    {"nanosleep", nothing, call_nanosleep, nothing, nothing},
    {"clock_nanosleep on CLOCK_REALTIME", nothing, call_sleep_on_wall_clock, nothing, nothing},
    {"sigtimedwait", nothing, call_sigtimedwait, nothing, nothing},
};

TEST(hazard_50_a_signal_ends_a_wait_for_a_child_as_in_libc, .seconds = 60)
{
    COMPARE(children);
}

TEST(hazard_50_a_signal_ends_a_sleep_as_in_libc, .seconds = 60)
{
    COMPARE(sleeps);
}

/* ---- while the root itself asks -------------------------------------------------------------- */

static int (*real_flock)(int fd, int operation);
static unsigned questions;

static int flock_with_a_signal(int fd, int operation)
{
    if (++questions == 3)
        CHECK_EQ(raise(SIGUSR1), 0);
    return real_flock(fd, operation);
}

TEST(hazard_50_a_signal_between_two_parks_of_a_call_ends_it)
{
    struct sigaction action = {.sa_handler = signal_waits_handle};
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_OK(bine_patch_all());
    CHECK(bine_hub_get() != NULL);
    begin_flock();
    real_flock = bine_libc.flock;
    bine_libc.flock = flock_with_a_signal;
    CHECK_ERROR(flock(file, LOCK_EX), EINTR);
    CHECK_EQ(questions, 3);
    bine_libc.flock = real_flock;
    remove_file();
    CHECK_OK(bine_unpatch_all());
}

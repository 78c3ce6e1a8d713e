/*
 * A signal at every wait of the root, compared with libc (hazard 50). Each call is made by libc first, while a thread sends the signal;
 * then patched, with the signal raised by another greenlet at the moments when it used to be lost. What the call says must be the same:
 * EINTR, or, where it goes on after the handler, what it was waiting for.
 */
#include <arpa/inet.h>
#include <bine.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/hub.h"
#include "core/libc.h"
#include "harness.h"

/* One waiting call, and what ends its wait. */
struct waiting {
    const char *name;
    void (*begin)(void);
    int64_t (*call)(void);  /* below zero: failed, with errno */
    void (*complete)(void); /* by a thread without a hub */
    void (*end)(void);
};

/* When the signal comes. */
enum moment {
    WHILE_PARKED,
    WHEN_ITS_PAUSE_IS_OVER, /* but the hub has not looked */
    WHILE_READY,
    MOMENTS
};

static const char *const moments[] = {"while it is parked", "when its pause is over", "while it is ready"};

static int ends[2], other[2], file = -1, held = -1, queue = -1, set = -1;
static pid_t child;
static pthread_t caller;
static volatile sig_atomic_t handled;
static atomic_bool raised;
static char path[64];
static sem_t *shared;
static mqd_t messages;
static struct sockaddr_storage address;
static socklen_t address_length;

static void handle(int number)
{
    handled++;
}

/* ---- one call ------------------------------------------------------------------------------------- */

static void *signal_and_complete(void *arg)
{
    const struct waiting *waiting = arg;
    usleep(20000);
    pthread_kill(caller, SIGUSR1);
    usleep(80000);
    waiting->complete();
    return NULL;
}

static void *complete_later(void *arg)
{
    const struct waiting *waiting = arg;
    while (!atomic_load(&raised))
        usleep(2000);
    usleep(80000);
    waiting->complete();
    return NULL;
}

static void compute(int64_t duration)
{
    for (int64_t until = harness_now() + duration; harness_now() < until;)
        continue;
}

static void *raise_at(void *arg)
{
    struct bine_greenlet *root = bine_hub_here()->root;
    enum moment moment = (enum moment)(intptr_t)arg;
    CHECK_OK(bine_sleep(5 * BINE_MS));
    if (moment == WHEN_ITS_PAUSE_IS_OVER)
        compute(60 * BINE_MS);
    /* Calls that park once are never ready before they have something. */
    for (int64_t until = harness_now() + 100 * BINE_MS;
         moment == WHILE_READY && root->state != BINE_READY && harness_now() < until;)
        CHECK_OK(bine_sleep(0));
    CHECK_EQ(raise(SIGUSR1), 0);
    atomic_store(&raised, true);
    return NULL;
}

static int outcome(const struct waiting *waiting)
{
    return waiting->call() < 0 ? errno : 0;
}

static int by_libc(const struct waiting *waiting)
{
    pthread_t thread;
    waiting->begin();
    caller = pthread_self();
    handled = 0;
    CHECK_EQ(pthread_create(&thread, NULL, signal_and_complete, (void *)waiting), 0);
    int result = outcome(waiting);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handled, 1);
    waiting->end();
    return result;
}

static int patched(const struct waiting *waiting, enum moment moment)
{
    pthread_t thread;
    CHECK_OK(bine_patch_all());
    waiting->begin();
    handled = 0;
    atomic_store(&raised, false);
    bine_greenlet *g = bine_spawn(raise_at, (void *)(intptr_t)moment);
    CHECK_EQ(pthread_create(&thread, NULL, complete_later, (void *)waiting), 0);
    int result = outcome(waiting);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handled, 1);
    waiting->end();
    CHECK_OK(bine_unpatch_all());
    return result;
}

static void compare(const struct waiting *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int restart = 0; restart < 2; restart++) {
            struct sigaction action = {.sa_handler = handle, .sa_flags = restart ? SA_RESTART : 0};
            sigemptyset(&action.sa_mask);
            CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
            int expected = by_libc(&all[i]);
            for (enum moment moment = WHILE_PARKED; moment < MOMENTS; moment++) {
                int got = patched(&all[i], moment);
                if (got != expected)
                    FAIL("%s, a signal%s %s: libc %s, patched %s", all[i].name, restart ? " with SA_RESTART" : "",
                         moments[moment], expected ? strerror(expected) : "goes on", got ? strerror(got) : "goes on");
            }
        }
}

#define COMPARE(all) compare(all, sizeof(all) / sizeof *(all))

/* ---- locks of files --------------------------------------------------------------------------------- */

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
    {"fcntl(F_OFD_SETLKW)", begin_ofd, call_ofd, complete_ofd, remove_file},
    {"fcntl(F_SETLKW)", begin_posix_lock, call_setlkw, kill_child, end_posix_lock},
    {"lockf", begin_posix_lock, call_lockf, kill_child, end_posix_lock},
};

TEST(hazard_50_a_signal_ends_a_wait_for_a_files_lock_as_in_libc, .seconds = 60)
{
    COMPARE(file_locks);
}

/* ---- between processes -------------------------------------------------------------------------------- */

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

/* ---- descriptors ---------------------------------------------------------------------------------------- */

static char block[65536];

static void make_pair(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void fill(int fd)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, block, sizeof block) > 0 || write(fd, block, 1) > 0)
        continue;
    fcntl(fd, F_SETFL, 0);
}

static void make_full_pair(void)
{
    make_pair();
    fill(ends[0]);
}

static void make_pipe(void)
{
    CHECK_EQ(pipe(ends), 0);
}

static void make_full_pipe(void)
{
    make_pipe();
    fill(ends[1]);
}

static void close_ends(void)
{
    close_both(ends);
}

static int64_t call_recv(void)
{
    return recv(ends[0], block, sizeof block, 0);
}

static int64_t call_recvmmsg(void)
{
    struct iovec vector = {block, sizeof block};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    return recvmmsg(ends[0], &message, 1, 0, NULL);
}

static int64_t call_read(void)
{
    return read(ends[0], block, 1);
}

static int64_t call_send(void)
{
    return send(ends[0], block, 1, 0);
}

static int64_t call_write(void)
{
    return write(ends[1], block, 1);
}

static void complete_read(void)
{
    if (write(ends[1], "x", 1) != 1)
        abort();
}

/* Room for a write: a Unix socket tells of it when a third is free. */
static void complete_write(void)
{
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read(ends[0], block, sizeof block) > 0)
        continue;
}

static void complete_send(void)
{
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (read(ends[1], block, sizeof block) > 0)
        continue;
}

static void make_listener(int type, int backlog)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    file = socket(AF_UNIX, type, 0);
    CHECK_EQ(bind(file, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    if (type == SOCK_STREAM)
        CHECK_EQ(listen(file, backlog), 0);
    address_length = sizeof address;
    CHECK_EQ(getsockname(file, (struct sockaddr *)&address, &address_length), 0);
    held = socket(AF_UNIX, type, 0);
}

static void begin_accept(void)
{
    make_listener(SOCK_STREAM, 5);
}

static int64_t call_accept(void)
{
    int made = accept(file, NULL, NULL);
    if (made >= 0)
        close(made);
    return made;
}

static void complete_accept(void)
{
    if (connect(held, (struct sockaddr *)&address, address_length) != 0)
        abort();
}

static void close_listener(void)
{
    close(file);
    close(held);
}

/* A Unix backlog is full with one more than was asked for. */
static void begin_connect(void)
{
    make_listener(SOCK_STREAM, 0);
    ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(ends[0], (struct sockaddr *)&address, address_length), 0);
}

static int64_t call_connect(void)
{
    return connect(held, (struct sockaddr *)&address, address_length);
}

static void complete_connect(void)
{
    ends[1] = accept(file, NULL, NULL);
}

static void end_connect(void)
{
    close_both(ends);
    close_listener();
}

static void begin_sendto(void)
{
    make_listener(SOCK_DGRAM, 0);
    while (sendto(held, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, address_length) == 1)
        continue;
}

static int64_t call_sendto(void)
{
    return sendto(held, "x", 1, 0, (struct sockaddr *)&address, address_length);
}

static void complete_sendto(void)
{
    while (recv(file, block, sizeof block, MSG_DONTWAIT) > 0)
        continue;
}

static void make_tcp(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&name, &length), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(ends[1], (struct sockaddr *)&name, sizeof name), 0);
    ends[0] = accept(listener, NULL, NULL);
    close(listener);
}

static int64_t call_peek_all(void)
{
    return recv(ends[0], block, 1, MSG_PEEK | MSG_WAITALL);
}

static const struct waiting descriptors[] = {
    {"recv", make_pair, call_recv, complete_read, close_ends},
    {"recv, TCP", make_tcp, call_recv, complete_read, close_ends},
    {"recv(MSG_PEEK | MSG_WAITALL)", make_tcp, call_peek_all, complete_read, close_ends},
    {"recvmmsg", make_pair, call_recvmmsg, complete_read, close_ends},
    {"read of a pipe", make_pipe, call_read, complete_read, close_ends},
    {"send", make_full_pair, call_send, complete_send, close_ends},
    {"write of a pipe", make_full_pipe, call_write, complete_write, close_ends},
};

static const struct waiting connections[] = {
    {"accept", begin_accept, call_accept, complete_accept, close_listener},
    {"connect to a full backlog", begin_connect, call_connect, complete_connect, end_connect},
    {"sendto a full queue", begin_sendto, call_sendto, complete_sendto, close_listener},
};

TEST(hazard_50_a_signal_ends_a_wait_for_bytes_as_in_libc, .seconds = 60)
{
    COMPARE(descriptors);
}

TEST(hazard_50_a_signal_ends_a_wait_for_a_connection_as_in_libc, .seconds = 60)
{
    COMPARE(connections);
}

/* ---- several at once, and copies ---------------------------------------------------------------------------- */

static int64_t call_poll(void)
{
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    return poll(&entry, 1, -1);
}

static int64_t call_ppoll(void)
{
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    return ppoll(&entry, 1, NULL, &none);
}

static int64_t call_select(void)
{
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    return select(ends[0] + 1, &readable, NULL, NULL, NULL);
}

static void begin_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    make_pipe();
    file = epoll_create1(0);
    CHECK_EQ(epoll_ctl(file, EPOLL_CTL_ADD, ends[0], &event), 0);
}

static int64_t call_epoll(void)
{
    struct epoll_event event;
    return epoll_wait(file, &event, 1, -1);
}

static void end_epoll(void)
{
    close(file);
    close_ends();
}

static void make_two_pipes(void)
{
    make_pipe();
    CHECK_EQ(pipe(other), 0);
}

static void close_two_pipes(void)
{
    close_both(ends);
    close_both(other);
}

static int64_t call_splice(void)
{
    return splice(ends[0], NULL, other[1], NULL, 1, 0);
}

static int64_t call_tee(void)
{
    return tee(ends[0], other[1], 1, 0);
}

static int64_t call_vmsplice(void)
{
    struct iovec vector = {block, 1};
    return vmsplice(ends[1], &vector, 1, 0);
}

static const struct waiting several[] = {
    {"poll", make_pipe, call_poll, complete_read, close_ends},
    {"ppoll", make_pipe, call_ppoll, complete_read, close_ends},
    {"select", make_pipe, call_select, complete_read, close_ends},
    {"epoll_wait", begin_epoll, call_epoll, complete_read, end_epoll},
};

static const struct waiting copies[] = {
    {"splice", make_two_pipes, call_splice, complete_read, close_two_pipes},
    {"tee", make_two_pipes, call_tee, complete_read, close_two_pipes},
    {"vmsplice", make_full_pipe, call_vmsplice, complete_write, close_ends},
};

TEST(hazard_50_a_signal_ends_a_wait_for_several_as_in_libc, .seconds = 60)
{
    COMPARE(several);
}

TEST(hazard_50_a_signal_ends_a_copy_that_waits_as_in_libc, .seconds = 60)
{
    COMPARE(copies);
}

/* ---- children, FIFOs, time ------------------------------------------------------------------------------------ */

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
    return sigtimedwait(&one, NULL, &(struct timespec){.tv_nsec = 300 * BINE_MS}) < 0 && errno != EAGAIN ? -1 : 0;
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

/* ---- while the root itself asks ---------------------------------------------------------------------------------- */

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
    struct sigaction action = {.sa_handler = handle};
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

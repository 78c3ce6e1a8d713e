/*
 * Loops that ask by calls which return at once (hazard 52): whatever a greenlet asks, the others
 * get on. Each patched call that can succeed or fail at once is made in a loop by one greenlet,
 * while another one's heart must beat.
 */
#include <bine.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "harness.h"
#include "loops.h"

static const struct timespec long_ago = {1, 0}, nothing = {0, 0};
static char bytes[65536];

/* ---- descriptors ----------------------------------------------------------------------------- */

static int full[2], empty[2], packets[2], event, listener, set;
static struct iovec vector = {bytes, sizeof bytes};
static struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
static struct mmsghdr messages = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
static const struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
static struct pollfd entry;

ASK(read, read(empty[0], bytes, 1))
ASK(read_of_nothing, read(-1, bytes, 1))
ASK(readv, readv(empty[0], &vector, 1))
ASK(write, write(full[0], bytes, sizeof bytes))
ASK(writev, writev(full[0], &vector, 1))
ASK(recv, recv(empty[0], bytes, 1, MSG_DONTWAIT))
ASK(recvfrom, recvfrom(empty[0], bytes, 1, MSG_DONTWAIT, NULL, NULL))
ASK(recvmsg, recvmsg(empty[0], &message, MSG_DONTWAIT))
ASK(recvmmsg, recvmmsg(empty[0], &messages, 1, MSG_DONTWAIT, NULL))
ASK(peek, recv(full[1], bytes, 1, MSG_PEEK))
ASK(send, send(full[0], bytes, sizeof bytes, MSG_DONTWAIT))
ASK(sendto, sendto(packets[0], bytes, 1, MSG_DONTWAIT, NULL, 0))
ASK(sendmsg, sendmsg(full[0], &message, MSG_DONTWAIT))
ASK(sendmmsg, sendmmsg(full[0], &messages, 1, MSG_DONTWAIT))
ASK(connect, connect(empty[1], (const struct sockaddr *)&nowhere, sizeof nowhere))
ASK(accept, accept(listener, NULL, NULL))
ASK(accept4, accept4(listener, NULL, NULL, 0))
ASK(eventfd_read, eventfd_read(event, &(eventfd_t){0}))
ASK(eventfd_write, eventfd_write(event, 0))
ASK(fcntl, fcntl(empty[0], F_GETFL))
ASK(ioctl, ioctl(empty[0], FIONREAD, &(int){0}))
ASK(socket, socket(-1, -1, -1))
ASK(dup, dup(-1))
ASK(pipe2, pipe2(packets, -1))
ASK(poll, poll(&entry, 1, 0))
ASK(ppoll, ppoll(&entry, 1, &nothing, NULL))
ASK(select, select(0, NULL, NULL, NULL, &(struct timeval){0}))
ASK(pselect, pselect(0, NULL, NULL, NULL, &nothing, NULL))
ASK(epoll_wait, epoll_wait(set, &(struct epoll_event){0}, 1, 0))
ASK(epoll_pwait, epoll_pwait(set, &(struct epoll_event){0}, 1, 0, NULL))

static const struct question descriptors[] = {
    {"read", ask_read},
    {"read of no file", ask_read_of_nothing},
    {"readv", ask_readv},
    {"write", ask_write},
    {"writev", ask_writev},
    {"recv", ask_recv},
    {"recvfrom", ask_recvfrom},
    {"recvmsg", ask_recvmsg},
    {"recvmmsg", ask_recvmmsg},
    {"recv(MSG_PEEK)", ask_peek},
    {"send", ask_send},
    {"sendto", ask_sendto},
    {"sendmsg", ask_sendmsg},
    {"sendmmsg", ask_sendmmsg},
    {"connect", ask_connect},
    {"accept", ask_accept},
    {"accept4", ask_accept4},
    {"eventfd_read", ask_eventfd_read},
    {"eventfd_write", ask_eventfd_write},
    {"fcntl", ask_fcntl},
    {"ioctl", ask_ioctl},
    {"socket", ask_socket},
    {"dup", ask_dup},
    {"pipe2", ask_pipe2},
    {"poll", ask_poll},
    {"ppoll", ask_ppoll},
    {"select", ask_select},
    {"pselect", ask_pselect},
    {"epoll_wait", ask_epoll_wait},
    {"epoll_pwait", ask_epoll_pwait},
};

TEST(hazard_52_asking_descriptors_lets_others_run, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, empty), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, full), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, packets), 0);
    while (write(full[0], bytes, sizeof bytes) > 0)
        continue;
    entry = (struct pollfd){.fd = empty[0], .events = POLLIN};
    event = eventfd(0, EFD_NONBLOCK);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    CHECK_EQ(listen(listener, 1), 0);
    set = epoll_create1(0);
    CHECK_ALL(descriptors);
    int all[] = {empty[0],   empty[1], full[0],  full[1], packets[0],
                 packets[1], event,    listener, set};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
    CHECK_OK(bine_unpatch_all());
}

/* ---- files ----------------------------------------------------------------------------------- */

static int file, locked, ends[2];
static char path[64];
static struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
static FILE *stream, *held;
static void *page;

ASK(open, open("/nowhere", O_RDONLY))
ASK(openat, openat(AT_FDCWD, "/nowhere", O_RDONLY))
ASK(pread, pread(file, bytes, 1, 0))
ASK(pwrite, pwrite(file, "x", 1, 0))
ASK(preadv, preadv(file, &vector, 1, 0))
ASK(preadv2, preadv2(file, &vector, 1, 0, 0))
ASK(flock, flock(file, LOCK_EX | LOCK_NB))
ASK(setlk, fcntl(file, F_OFD_SETLK, &whole))
ASK(lockf, lockf(file, F_TEST, 0))
ASK(stat, stat("/nowhere", &(struct stat){0}))
ASK(lstat, lstat("/nowhere", &(struct stat){0}))
ASK(fstat, fstat(file, &(struct stat){0}))
ASK(statx, statx(AT_FDCWD, "/nowhere", 0, 0, &(struct statx){0}))
ASK(access, access("/nowhere", F_OK))
ASK(readlink, readlink("/nowhere", bytes, sizeof bytes))
ASK(rename, rename("/nowhere", "/elsewhere"))
ASK(link, link("/nowhere", "/elsewhere"))
ASK(symlink, symlink("/nowhere", "/nowhere/else"))
ASK(unlink, unlink("/nowhere"))
ASK(mkdir, mkdir("/nowhere/else", 0700))
ASK(rmdir, rmdir("/nowhere"))
ASK(truncate, truncate("/nowhere", 0))
ASK(ftruncate, ftruncate(file, 1))
ASK(msync, msync(page, 1, MS_ASYNC))
ASK(splice, splice(ends[0], NULL, file, NULL, 1, SPLICE_F_NONBLOCK))
ASK(tee, tee(ends[0], ends[1], 1, SPLICE_F_NONBLOCK))
ASK(vmsplice, vmsplice(ends[0], &vector, 1, SPLICE_F_NONBLOCK))
ASK(sendfile, sendfile(full[0], file, NULL, 1))
ASK(getaddrinfo, getaddrinfo("999", "x", &(struct addrinfo){.ai_flags = AI_NUMERICHOST},
                             &(struct addrinfo *){NULL}))
ASK(getc, (clearerr(stream), getc(stream)))
ASK(fgets, (clearerr(stream), fgets(bytes, 10, stream)))
ASK(fread, (clearerr(stream), fread(bytes, 1, 1, stream)))
ASK(getline, (clearerr(stream), getline(&(char *){NULL}, &(size_t){0}, stream)))
ASK(fflush, fflush(stream))
ASK(fprintf, fprintf(held, "%d\n", 1))
ASK(fputs, fputs("x\n", held))
ASK(fopen, fopen("/nowhere", "r"))
ASK(ftrylockfile, ftrylockfile(held))

static const struct question files[] = {
    {"open", ask_open},
    {"openat", ask_openat},
    {"pread", ask_pread},
    {"pwrite", ask_pwrite},
    {"preadv", ask_preadv},
    {"preadv2", ask_preadv2},
    {"flock", ask_flock},
    {"fcntl(F_OFD_SETLK)", ask_setlk},
    {"lockf", ask_lockf},
    {"stat", ask_stat},
    {"lstat", ask_lstat},
    {"fstat", ask_fstat},
    {"statx", ask_statx},
    {"access", ask_access},
    {"readlink", ask_readlink},
    {"rename", ask_rename},
    {"link", ask_link},
    {"symlink", ask_symlink},
    {"unlink", ask_unlink},
    {"mkdir", ask_mkdir},
    {"rmdir", ask_rmdir},
    {"truncate", ask_truncate},
    {"ftruncate", ask_ftruncate},
    {"msync", ask_msync},
    {"splice", ask_splice},
    {"tee", ask_tee},
    {"vmsplice", ask_vmsplice},
    {"sendfile", ask_sendfile},
    {"getaddrinfo", ask_getaddrinfo},
};

static const struct question streams[] = {
    {"getc", ask_getc},       {"fgets", ask_fgets},   {"fread", ask_fread},
    {"getline", ask_getline}, {"fflush", ask_fflush}, {"fprintf", ask_fprintf},
    {"fputs", ask_fputs},     {"fopen", ask_fopen},
};

static const struct question locked_stream[] = {{"ftrylockfile", ask_ftrylockfile}};

TEST(hazard_52_asking_files_lets_others_run, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    snprintf(path, sizeof path, "/tmp/bine-polling-%d", (int)getpid());
    file = open(path, O_RDWR | O_CREAT, 0600);
    locked = open(path, O_RDWR);
    CHECK(file >= 0 && locked >= 0);
    CHECK_EQ(flock(locked, LOCK_EX), 0);
    CHECK_EQ(fcntl(locked, F_OFD_SETLK, &whole), 0);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, full), 0);
    while (write(full[0], bytes, sizeof bytes) > 0)
        continue;
    page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    CHECK(page != MAP_FAILED);
    CHECK_ALL(files);
    CHECK_EQ(munmap(page, 4096), 0);
    int all[] = {file, locked, ends[0], ends[1], full[0], full[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
    unlink(path);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_52_asking_streams_lets_others_run, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    stream = fopen("/dev/null", "r");
    held = fopen("/dev/null", "w");
    CHECK(stream && held);
    setlinebuf(held);
    CHECK_ALL(streams);
    flockfile(held);
    CHECK_ALL(locked_stream);
    funlockfile(held);
    CHECK_EQ(fclose(stream), 0);
    CHECK_EQ(fclose(held), 0);
    CHECK_OK(bine_unpatch_all());
}

/* ---- processes, signals, time ---------------------------------------------------------------- */

static int queue, full_queue, semaphores;
static mqd_t posix_queue;
static pid_t child;
static sigset_t one_signal;
static struct {
    long type;
    char text[1024];
} text = {1, {0}};

ASK(waitpid, waitpid(child, NULL, WNOHANG))
ASK(wait4, wait4(-1, NULL, WNOHANG, NULL))
ASK(wait3, wait3(NULL, WNOHANG, NULL))
ASK(waitid, waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOHANG))
ASK(msgrcv, msgrcv(queue, &text, sizeof text.text, 0, IPC_NOWAIT))
ASK(msgsnd, msgsnd(full_queue, &text, sizeof text.text, IPC_NOWAIT))
ASK(semop, semop(semaphores, &(struct sembuf){.sem_op = -1, .sem_flg = IPC_NOWAIT}, 1))
ASK(semtimedop, semtimedop(semaphores, &(struct sembuf){.sem_op = -1}, 1, &nothing))
ASK(mq_receive, mq_receive(posix_queue, bytes, sizeof bytes, NULL))
ASK(mq_timedreceive, mq_timedreceive(posix_queue, bytes, sizeof bytes, NULL, &long_ago))
ASK(sigtimedwait, sigtimedwait(&one_signal, NULL, &nothing))
ASK(sleep, sleep(0))
ASK(usleep, usleep(0))
ASK(nanosleep, nanosleep(&nothing, NULL))
ASK(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &long_ago, NULL))
ASK(sched_yield, sched_yield())
ASK(thrd_sleep, thrd_sleep(&nothing, NULL))

static const struct question processes[] = {
    {"waitpid", ask_waitpid},
    {"wait4", ask_wait4},
    {"wait3", ask_wait3},
    {"waitid", ask_waitid},
    {"msgrcv", ask_msgrcv},
    {"msgsnd", ask_msgsnd},
    {"semop", ask_semop},
    {"semtimedop", ask_semtimedop},
    {"mq_receive", ask_mq_receive},
    {"mq_timedreceive", ask_mq_timedreceive},
    {"sigtimedwait", ask_sigtimedwait},
    {"sleep", ask_sleep},
    {"usleep", ask_usleep},
    {"nanosleep", ask_nanosleep},
    {"clock_nanosleep", ask_clock_nanosleep},
    {"sched_yield", ask_sched_yield},
    {"thrd_sleep", ask_thrd_sleep},
};

TEST(hazard_52_asking_for_processes_and_time_lets_others_run, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    queue = msgget(IPC_PRIVATE, 0600);
    full_queue = msgget(IPC_PRIVATE, 0600);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    snprintf(path, sizeof path, "/bine-polling-%d", (int)getpid());
    posix_queue = mq_open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
    CHECK(queue >= 0 && full_queue >= 0 && semaphores >= 0 && posix_queue >= 0);
    mq_unlink(path);
    while (msgsnd(full_queue, &text, sizeof text.text, IPC_NOWAIT) == 0)
        continue;
    sigemptyset(&one_signal);
    sigaddset(&one_signal, SIGUSR2);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    CHECK_ALL(processes);
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    msgctl(queue, IPC_RMID, NULL);
    msgctl(full_queue, IPC_RMID, NULL);
    semctl(semaphores, 0, IPC_RMID);
    mq_close(posix_queue);
    CHECK_OK(bine_unpatch_all());
}

/* ---- threads --------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, own = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static mtx_t c11;
static sem_t semaphore;
static pthread_t thread;

ASK(trylock, pthread_mutex_trylock(&mutex))
ASK(timedlock, pthread_mutex_timedlock(&mutex, &long_ago))
ASK(clocklock, pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &nothing))
ASK(tryrdlock, pthread_rwlock_tryrdlock(&rwlock))
ASK(trywrlock, pthread_rwlock_trywrlock(&rwlock))
ASK(timedrdlock, pthread_rwlock_timedrdlock(&rwlock, &long_ago))
ASK(timedwrlock, pthread_rwlock_timedwrlock(&rwlock, &long_ago))
ASK(cond_timedwait, (pthread_mutex_lock(&own), pthread_cond_timedwait(&condition, &own, &long_ago),
                     pthread_mutex_unlock(&own)))
ASK(mtx_trylock, mtx_trylock(&c11))
ASK(mtx_timedlock, mtx_timedlock(&c11, &long_ago))
ASK(sem_trywait, sem_trywait(&semaphore))
ASK(sem_timedwait, sem_timedwait(&semaphore, &long_ago))
ASK(tryjoin, pthread_tryjoin_np(thread, NULL))
ASK(timedjoin, pthread_timedjoin_np(thread, NULL, &long_ago))

static const struct question locks[] = {
    {"pthread_mutex_trylock", ask_trylock},
    {"pthread_mutex_timedlock", ask_timedlock},
    {"pthread_mutex_clocklock", ask_clocklock},
    {"pthread_rwlock_tryrdlock", ask_tryrdlock},
    {"pthread_rwlock_trywrlock", ask_trywrlock},
    {"pthread_rwlock_timedrdlock", ask_timedrdlock},
    {"pthread_rwlock_timedwrlock", ask_timedwrlock},
    {"pthread_cond_timedwait", ask_cond_timedwait},
    {"mtx_trylock", ask_mtx_trylock},
    {"mtx_timedlock", ask_mtx_timedlock},
    {"sem_trywait", ask_sem_trywait},
    {"sem_timedwait", ask_sem_timedwait},
    {"pthread_tryjoin_np", ask_tryjoin},
    {"pthread_timedjoin_np", ask_timedjoin},
};

static void *live_until_told(void *arg)
{
    char byte;
    if (read(ends[0], &byte, 1) < 0)
        return arg;
    return NULL;
}

TEST(hazard_52_trying_locks_lets_others_run, .seconds = 60)
{
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(pthread_create(&thread, NULL, live_until_told, NULL), 0);
    CHECK_OK(bine_patch_all());
    CHECK(bine_hub_get() != NULL);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_EQ(mtx_init(&c11, mtx_timed), thrd_success);
    CHECK_EQ(mtx_lock(&c11), thrd_success);
    CHECK_EQ(sem_init(&semaphore, 0, 0), 0);
    CHECK_ALL(locks);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
    CHECK_EQ(mtx_unlock(&c11), thrd_success);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(bine_unpatch_all());
}

/* ---- Bine's own ------------------------------------------------------------------------------ */

static bine_event *an_event;
static bine_async_result *a_result;
static bine_semaphore *a_semaphore;
static bine_queue *an_empty_queue, *a_full_queue;
static bine_channel *a_channel;
static bine_mailbox *a_mailbox, *a_full_mailbox;
static bine_barrier *a_barrier;
static bine_rlock *an_rlock;
static bine_rwlock *an_rwlock;
static bine_pool *a_pool;
static bine_greenlet *a_greenlet;
static void *item;

ASK(event_wait, bine_event_wait(an_event, 0))
ASK(result_wait, bine_async_result_wait(a_result, 0))
ASK(result_get, bine_async_result_get(a_result, &item, 0))
ASK(acquire, bine_semaphore_acquire(a_semaphore, 0))
ASK(get, bine_queue_get(an_empty_queue, &item, 0))
ASK(peek_queue, bine_queue_peek(an_empty_queue, &item, 0))
ASK(put, bine_queue_put(a_full_queue, NULL, 0))
ASK(channel_send, bine_channel_send(a_channel, NULL, 0))
ASK(channel_receive, bine_channel_receive(a_channel, &item, 0))
ASK(mailbox_receive, bine_mailbox_receive(a_mailbox, &item, 0))
ASK(mailbox_send, bine_mailbox_send(a_full_mailbox, &item, 0))
ASK(barrier_wait, bine_barrier_wait(a_barrier, 0))
ASK(rlock, bine_rlock_acquire(an_rlock, 0))
ASK(read_lock, bine_rwlock_read_acquire(an_rwlock, 0))
ASK(write_lock, bine_rwlock_write_acquire(an_rwlock, 0))
ASK(pool_available, bine_pool_wait_available(a_pool, 0))
ASK(pool_join, bine_pool_join(a_pool, 0))
ASK(pool_add, bine_pool_spawn_at(a_pool, beat, NULL, 0, __func__))
ASK(join, bine_join(a_greenlet, NULL, 0))
ASK(joinall, bine_joinall(&a_greenlet, 1, 0))
ASK(wait, bine_wait((void *[]){an_event}, 1, NULL, 0, 0))
ASK(wait_all, bine_wait(NULL, 0, NULL, 0, 0))
ASK(choose, bine_choose(&(bine_choice){.operation = BINE_CHOOSE_READY, .object = an_event}, 1, 0))
ASK(bine_sleep, bine_sleep(0))

static const struct question objects[] = {
    {"bine_event_wait", ask_event_wait},
    {"bine_async_result_wait", ask_result_wait},
    {"bine_async_result_get", ask_result_get},
    {"bine_semaphore_acquire", ask_acquire},
    {"bine_queue_get", ask_get},
    {"bine_queue_peek", ask_peek_queue},
    {"bine_queue_put", ask_put},
    {"bine_channel_send", ask_channel_send},
    {"bine_channel_receive", ask_channel_receive},
    {"bine_mailbox_receive", ask_mailbox_receive},
    {"bine_mailbox_send", ask_mailbox_send},
    {"bine_barrier_wait", ask_barrier_wait},
    {"bine_rlock_acquire", ask_rlock},
    {"bine_rwlock_read_acquire", ask_read_lock},
    {"bine_rwlock_write_acquire", ask_write_lock},
    {"bine_pool_wait_available", ask_pool_available},
    {"bine_pool_join", ask_pool_join},
    {"bine_pool_spawn", ask_pool_add},
    {"bine_join", ask_join},
    {"bine_joinall", ask_joinall},
    {"bine_wait", ask_wait},
    {"bine_wait for all", ask_wait_all},
    {"bine_choose", ask_choose},
    {"bine_sleep", ask_bine_sleep},
};

static void *wait_for_event(void *arg)
{
    CHECK_OK(bine_event_wait(an_event, BINE_FOREVER));
    return arg;
}

TEST(hazard_52_trying_objects_lets_others_run, .seconds = 60)
{
    an_event = bine_event_new(0);
    a_result = bine_async_result_new(0);
    a_semaphore = bine_semaphore_new(0, 0);
    an_empty_queue = bine_queue_new(1, 0);
    a_full_queue = bine_queue_new(1, 0);
    CHECK_OK(bine_queue_put(a_full_queue, NULL, 0));
    a_channel = bine_channel_new(0, 0);
    a_mailbox = bine_mailbox_new(1);
    a_full_mailbox = bine_mailbox_new(1);
    while (bine_mailbox_send_nowait(a_full_mailbox, &item) == 0)
        continue;
    a_barrier = bine_barrier_new(2, 0);
    an_rlock = bine_rlock_new(0);
    CHECK_OK(bine_rlock_acquire(an_rlock, 0));
    an_rwlock = bine_rwlock_new(0);
    CHECK_OK(bine_rwlock_write_acquire(an_rwlock, 0));
    a_pool = bine_pool_new(1, 0);
    CHECK(bine_pool_spawn(a_pool, wait_for_event, NULL) != NULL);
    a_greenlet = bine_spawn(wait_for_event, NULL);
    CHECK_ALL(objects);
    CHECK_OK(bine_event_set(an_event));
    CHECK_OK(bine_join(a_greenlet, NULL, BINE_FOREVER));
    CHECK_OK(bine_pool_join(a_pool, BINE_FOREVER));
    CHECK_OK(bine_rlock_release(an_rlock));
    CHECK_OK(bine_rwlock_write_release(an_rwlock));
    CHECK_OK(bine_queue_get(a_full_queue, &item, 0));
    while (bine_mailbox_receive(a_full_mailbox, &item, 0) == 0)
        continue;
}

/*
 * What a patched call costs when it need not wait, against the same call of libc: `patched WORK
 * [COUNT]`. Both are measured in one process, in turns, the patched ones inside a greenlet.
 */
#include <bine.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../bench.h"

enum {
    TURNS = 9
};

static int ends[2];
static struct sockaddr_in address;
static FILE *stream;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

/* A work makes what it needs, then every call of a set is one round trip that never waits. */
static void unix_pair(void)
{
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
}

static void pipe_pair(void)
{
    must(pipe(ends) == 0, "pipe");
}

static void nonblocking_pair(void)
{
    must(pipe2(ends, O_NONBLOCK) == 0, "pipe2");
}

static void listening(void)
{
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(ends[0] >= 0 && bind(ends[0], (struct sockaddr *)&address, length) == 0 &&
             listen(ends[0], 1) == 0 &&
             getsockname(ends[0], (struct sockaddr *)&address, &length) == 0,
         "listen");
}

static void tcp_pair(void)
{
    int one = 1, listener;
    listening();
    listener = ends[0];
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(ends[1], (struct sockaddr *)&address, sizeof address) == 0, "connect");
    ends[0] = accept(listener, NULL, NULL);
    must(ends[0] >= 0 && setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0,
         "accept");
    close(listener);
}

static void event_counter(void)
{
    ends[0] = ends[1] = eventfd(0, 0);
    must(ends[0] >= 0, "eventfd");
}

static void cached_file(void)
{
    const char *name = "/var/tmp/bine-bench";
    char block[4096] = {0};
    ends[0] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(ends[0] >= 0 && unlink(name) == 0 && write(ends[0], block, sizeof block) == sizeof block,
         "open");
}

static void file_stream(void)
{
    cached_file();
    stream = fdopen(ends[0], "r+");
    must(stream != NULL, "fdopen");
}

static void pipe_stream(void)
{
    pipe_pair();
    stream = fdopen(ends[0], "r");
    must(stream != NULL, "fdopen");
}

static void send_recv(long count)
{
    char byte = 0;
    for (long i = 0; i < count; i++)
        must(send(ends[1], &byte, 1, 0) == 1 && recv(ends[0], &byte, 1, 0) == 1, "send, recv");
}

static void sendto_recvfrom(long count)
{
    char byte = 0;
    for (long i = 0; i < count; i++)
        must(sendto(ends[1], &byte, 1, 0, NULL, 0) == 1 &&
                 recvfrom(ends[0], &byte, 1, 0, NULL, NULL) == 1,
             "sendto, recvfrom");
}

static void sendmsg_recvmsg(long count)
{
    char byte = 0;
    struct iovec vector = {&byte, 1};
    for (long i = 0; i < count; i++) {
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        must(sendmsg(ends[1], &message, 0) == 1 && recvmsg(ends[0], &message, 0) == 1,
             "sendmsg, recvmsg");
    }
}

static void write_read(long count)
{
    char byte = 0;
    for (long i = 0; i < count; i++)
        must(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1, "write, read");
}

static void writev_readv(long count)
{
    char byte = 0;
    struct iovec vector = {&byte, 1};
    for (long i = 0; i < count; i++)
        must(writev(ends[1], &vector, 1) == 1 && readv(ends[0], &vector, 1) == 1, "writev, readv");
}

static void counter_write_read(long count)
{
    uint64_t value = 1;
    for (long i = 0; i < count; i++)
        must(write(ends[1], &value, sizeof value) == sizeof value &&
                 read(ends[0], &value, sizeof value) == sizeof value,
             "write, read");
}

static void connect_accept(long count)
{
    for (long i = 0; i < count; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0), served;
        struct linger reset = {1, 0}; /* or the ports run out */
        must(client >= 0 && setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0 &&
                 connect(client, (struct sockaddr *)&address, sizeof address) == 0 &&
                 (served = accept(ends[0], NULL, NULL)) >= 0 && close(client) == 0 &&
                 close(served) == 0,
             "connect, accept");
    }
}

static void file_read(long count)
{
    char block[4096];
    for (long i = 0; i < count; i++)
        must(lseek(ends[0], 0, SEEK_SET) == 0 && read(ends[0], block, sizeof block) == sizeof block,
             "read");
}

static void file_pread(long count)
{
    char block[4096];
    for (long i = 0; i < count; i++)
        must(pread(ends[0], block, sizeof block, 0) == sizeof block, "pread");
}

static void stdio_getc(long count)
{
    for (long i = 0; i < count; i++)
        if (fgetc(stream) == EOF)
            rewind(stream);
}

static void stdio_fgets(long count)
{
    char line[64];
    must(count < 0 || write(ends[1], "", 0) == 0, "write");
    for (long i = 0; i < count; i++)
        must(write(ends[1], "a line\n", 7) == 7 && fgets(line, sizeof line, stream) != NULL,
             "fgets");
}

static void poll_0(long count)
{
    struct pollfd set = {.fd = ends[0], .events = POLLIN};
    for (long i = 0; i < count; i++)
        must(poll(&set, 1, 0) == 0, "poll");
}

static void poll_ready(long count)
{
    struct pollfd set = {.fd = ends[0], .events = POLLOUT};
    for (long i = 0; i < count; i++)
        must(poll(&set, 1, -1) == 1, "poll");
}

static void select_ready(long count)
{
    fd_set writable;
    FD_ZERO(&writable);
    FD_SET(ends[0], &writable);
    for (long i = 0; i < count; i++)
        must(select(ends[0] + 1, NULL, &writable, NULL, NULL) == 1, "select");
}

static void dup_close(long count)
{
    for (long i = 0; i < count; i++)
        must(close(dup(ends[0])) == 0, "close");
}

static void sleep_0(long count)
{
    struct timespec zero = {0};
    for (long i = 0; i < count; i++)
        must(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &zero, NULL) == 0, "clock_nanosleep");
}

static void lock_unlock(long count)
{
    for (long i = 0; i < count; i++)
        must(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0,
             "pthread_mutex_lock");
}

static void rwlock_unlock(long count)
{
    for (long i = 0; i < count; i++)
        must(pthread_rwlock_rdlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0,
             "pthread_rwlock_rdlock");
}

static void post_wait(long count)
{
    for (long i = 0; i < count; i++)
        must(sem_post(&semaphore) == 0 && sem_wait(&semaphore) == 0, "sem_post, sem_wait");
}

static void cond_signal(long count)
{
    for (long i = 0; i < count; i++)
        must(pthread_cond_signal(&condition) == 0, "pthread_cond_signal");
}

static void mask(long count)
{
    sigset_t none;
    sigemptyset(&none);
    for (long i = 0; i < count; i++)
        must(pthread_sigmask(SIG_BLOCK, &none, NULL) == 0, "pthread_sigmask");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct comparison {
    const char *name;
    void (*set_up)(void);
    void (*calls)(long);
    long count;
};

/* Descriptors are made anew each time: Bine knows those well that it has seen being made. */
static double measure(const struct comparison *work)
{
    long count = work->count / TURNS + 1;
    ends[0] = ends[1] = -1;
    if (work->set_up)
        work->set_up();
    work->calls(count / 50 + 1); /* warms up */
    double start = bench_cpu();
    work->calls(count);
    double spent = (bench_cpu() - start) / (double)count;
    if (ends[1] >= 0 && ends[1] != ends[0])
        close(ends[1]);
    if (stream)
        fclose(stream);
    else if (ends[0] >= 0)
        close(ends[0]);
    stream = NULL;
    return spent;
}

static void *compare(void *arg)
{
    const struct comparison *work = arg;
    double plain[TURNS], patched[TURNS], difference[TURNS];
    for (int turn = -1; turn < TURNS; turn++) { /* turn -1 warms up */
        int i = turn < 0 ? 0 : turn;
        must(bine_unpatch_all() == 0, "bine_unpatch_all");
        plain[i] = measure(work);
        must(bine_patch_all() == 0, "bine_patch_all");
        patched[i] = measure(work);
        difference[i] = patched[i] - plain[i];
    }
    qsort(plain, TURNS, sizeof *plain, by_value);
    qsort(patched, TURNS, sizeof *patched, by_value);
    qsort(difference, TURNS, sizeof *difference, by_value);
    char name[64];
    snprintf(name, sizeof name, "%s_libc", work->name);
    bench_report(name, plain[TURNS / 2], "ns");
    snprintf(name, sizeof name, "%s_patched", work->name);
    bench_report(name, patched[TURNS / 2], "ns");
    snprintf(name, sizeof name, "%s_more", work->name);
    bench_report(name, difference[TURNS / 2], "ns");
    return NULL;
}

int main(int argc, char **argv)
{
    static struct comparison works[] = {
        {"send_recv", unix_pair, send_recv, 200000},
        {"sendto_recvfrom", unix_pair, sendto_recvfrom, 200000},
        {"sendmsg_recvmsg", unix_pair, sendmsg_recvmsg, 200000},
        {"write_read", unix_pair, write_read, 200000},
        {"writev_readv", unix_pair, writev_readv, 200000},
        {"tcp_write_read", tcp_pair, write_read, 100000},
        {"connect_accept", listening, connect_accept, 9000},
        {"pipe_write_read", pipe_pair, write_read, 200000},
        {"pipe_nonblocking", nonblocking_pair, write_read, 200000},
        {"eventfd_write_read", event_counter, counter_write_read, 200000},
        {"file_read", cached_file, file_read, 200000},
        {"file_pread", cached_file, file_pread, 200000},
        {"stdio_file_getc", file_stream, stdio_getc, 6000000},
        {"stdio_pipe_fgets", pipe_stream, stdio_fgets, 200000},
        {"poll_0", unix_pair, poll_0, 600000},
        {"poll_ready", unix_pair, poll_ready, 600000},
        {"select_ready", unix_pair, select_ready, 600000},
        {"dup_close", unix_pair, dup_close, 200000},
        {"sleep_0", NULL, sleep_0, 600000},
        {"lock_unlock", NULL, lock_unlock, 6000000},
        {"rwlock_unlock", NULL, rwlock_unlock, 6000000},
        {"post_wait", NULL, post_wait, 6000000},
        {"cond_signal", NULL, cond_signal, 6000000},
        {"sigmask", NULL, mask, 600000},
    };
    for (size_t i = 0; argc > 1 && i < sizeof works / sizeof *works; i++) {
        if (strcmp(works[i].name, argv[1]) != 0)
            continue;
        if (argc > 2)
            works[i].count = atol(argv[2]);
        bine_greenlet *g = bine_spawn(compare, &works[i]);
        must(bine_join(g, NULL, BINE_FOREVER) == 0, "bine_join");
        return 0;
    }
    return 77;
}

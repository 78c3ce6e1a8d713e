/* BINE_SAME_CALLS: under a filter that kills who makes other system calls than read and write. The
 * environment has it set. */
#include <bine.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

static int fds[2];

/* As sshd's filter before authentication has it: reading and writing is allowed, the calls of
 * sockets are not. */
static void forbid(void)
{
#define FORBID(number)                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        FORBID(SYS_sendto),
        FORBID(SYS_sendmsg),
        FORBID(SYS_recvfrom),
        FORBID(SYS_recvmsg),
        FORBID(SYS_preadv2),
        FORBID(SYS_pwritev2),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        SKIP("no seccomp here");
}

static void begin(int type)
{
    CHECK_OK(bine_patch_all());
    CHECK(bine_hub_get() != NULL);
    CHECK_EQ(socketpair(AF_UNIX, type, 0, fds), 0);
    forbid();
}

static void end(void)
{
    CHECK_EQ(close(fds[0]) | close(fds[1]), 0);
}

TEST(hazard_100_reads_and_writes_of_a_socket_stay_what_they_are)
{
    begin(SOCK_STREAM);
    char text[8] = "";
    CHECK_EQ(write(fds[0], "one", 3), 3);
    CHECK_EQ(read(fds[1], text, sizeof text), 3);
    struct iovec parts[2] = {{"tw", 2}, {"o", 1}}, rooms[2] = {{text, 1}, {text + 1, 7}};
    CHECK_EQ(writev(fds[0], parts, 2), 3);
    CHECK_EQ(readv(fds[1], rooms, 2), 3);
    CHECK_EQ(memcmp(text, "two", 3), 0);
    end();
}

static void *read_slowly(void *wanted)
{
    static char buffer[50000];
    for (size_t got = 0; got < (size_t)wanted;) {
        ssize_t more = read(fds[1], buffer, sizeof buffer);
        CHECK_GT(more, 0);
        got += (size_t)more;
        CHECK_OK(bine_sleep(0));
    }
    return NULL;
}

TEST(hazard_100_a_long_write_lets_its_reader_run)
{
    begin(SOCK_STREAM);
    enum {
        LONG = 1000000
    };
    static char text[LONG];
    bine_greenlet *g = bine_spawn(read_slowly, (void *)(2 * LONG));
    CHECK_EQ(write(fds[0], text, LONG), LONG);
    struct iovec parts[2] = {{text, LONG / 2}, {text + LONG / 2, LONG / 2}};
    CHECK_EQ(writev(fds[0], parts, 2), LONG);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    end();
}

static void *write_later(void *unused)
{
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(write(fds[0], "x", 1), 1);
    return unused;
}

TEST(hazard_100_a_read_waits_with_limits_and_without)
{
    begin(SOCK_STREAM);
    char byte;
    struct timeval limit = {.tv_usec = 5000};
    CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    CHECK_ERROR(read(fds[1], &byte, 1), EAGAIN);
    limit.tv_usec = 0;
    CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    bine_greenlet *g = bine_spawn(write_later, NULL);
    CHECK_EQ(read(fds[1], &byte, 1), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(close(fds[0]), 0);
    CHECK_EQ(read(fds[1], &byte, 1), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERROR(write(fds[1], "x", 1), EPIPE);
    CHECK_EQ(close(fds[1]), 0);
}

TEST(hazard_100_datagrams_stay_whole)
{
    begin(SOCK_SEQPACKET);
    static char text[20000];
    CHECK_EQ(write(fds[0], text, sizeof text), (ssize_t)sizeof text);
    CHECK_EQ(read(fds[1], text, sizeof text), (ssize_t)sizeof text);
    end();
}

TEST(hazard_100_a_non_blocking_socket_says_so)
{
    CHECK_OK(bine_patch_all());
    CHECK(bine_hub_get() != NULL);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    forbid();
    char byte;
    CHECK_ERROR(read(fds[1], &byte, 1), EAGAIN);
    static char text[10000];
    ssize_t sent;
    do
        sent = write(fds[0], text, sizeof text);
    while (sent > 0);
    CHECK_EQ(errno, EAGAIN);
    end();
}

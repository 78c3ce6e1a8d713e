/*
 * Sockets that were made non-blocking elsewhere: before patching, before a fork, by another
 * descriptor of the same file, by other calls than fcntl (hazards 56 and 97). Each call gives what
 * is there, and EAGAIN only when there is nothing; it never waits.
 */
#include <bine.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static int listener, pair[2];
static struct sockaddr_un name;
static socklen_t name_length;

static void make(int flags)
{
    name = (struct sockaddr_un){.sun_family = AF_UNIX};
    name_length = sizeof name;
    listener = socket(AF_UNIX, SOCK_STREAM | flags, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    CHECK_EQ(listen(listener, 10), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&name, &name_length), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, pair), 0);
}

static void close_all(void)
{
    close(listener);
    close(pair[0]);
    close(pair[1]);
}

static int knock(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&name, name_length), 0);
    return fd;
}

static void check_accept(int (*call)(int fd, struct sockaddr *address, socklen_t *length))
{
    CHECK_ERROR(call(listener, NULL, NULL), EAGAIN);
    int clients[] = {knock(), knock()};
    for (int i = 0; i < 2; i++) {
        int made = call(listener, NULL, NULL);
        CHECK_OK(made);
        close(made);
    }
    CHECK_ERROR(call(listener, NULL, NULL), EAGAIN);
    close(clients[0]);
    close(clients[1]);
}

static int with_flags(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept4(fd, address, length, SOCK_CLOEXEC);
}

static char byte;
static struct iovec vector = {&byte, 1};
static struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

static ssize_t by_read(int fd)
{
    return read(fd, &byte, 1);
}

static ssize_t by_readv(int fd)
{
    return readv(fd, &vector, 1);
}

static ssize_t by_recv(int fd)
{
    return recv(fd, &byte, 1, 0);
}

static ssize_t by_recvfrom(int fd)
{
    return recvfrom(fd, &byte, 1, 0, NULL, NULL);
}

static ssize_t by_recvmsg(int fd)
{
    return recvmsg(fd, &message, 0);
}

static ssize_t by_recvmmsg(int fd)
{
    struct mmsghdr one = {.msg_hdr = message};
    return recvmmsg(fd, &one, 1, 0, NULL);
}

static void check_receive(ssize_t (*call)(int fd))
{
    CHECK_ERROR(call(pair[0]), EAGAIN);
    CHECK_EQ(send(pair[1], "ab", 2, 0), 2);
    CHECK_EQ(call(pair[0]), 1);
    CHECK_EQ(call(pair[0]), 1);
    CHECK_ERROR(call(pair[0]), EAGAIN);
}

static void check_send(void)
{
    char block[4096] = {0};
    while (send(pair[0], block, sizeof block, 0) > 0)
        continue;
    CHECK_EQ(errno, EAGAIN);
    CHECK_ERROR(write(pair[0], block, sizeof block), EAGAIN);
}

static void *check_all(void *arg)
{
    ssize_t (*const calls[])(int fd) = {by_read,     by_readv,   by_recv,
                                        by_recvfrom, by_recvmsg, by_recvmmsg};
    check_accept(accept);
    check_accept(with_flags);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check_receive(calls[i]);
    check_send();
    return arg;
}

/* By the root and by another greenlet, while there are others. */
static void check(void)
{
    bine_greenlet *g = bine_spawn(check_all, NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

static void set_nonblocking(int fd)
{
    CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static void set_all(void (*set)(int fd))
{
    set(listener);
    set(pair[0]);
    set(pair[1]);
}

TEST(hazard_97_sockets_made_non_blocking_before_patching)
{
    make(0);
    set_all(set_nonblocking);
    CHECK_OK(bine_patch_all());
    check();
    close_all();
    CHECK_OK(bine_unpatch_all());
}

/* In the child its parent's knowledge is not to be believed. */
TEST(hazard_56_sockets_made_non_blocking_before_a_fork)
{
    CHECK_OK(bine_patch_all());
    for (int flags = 0; flags < 2; flags++) {
        make(flags ? SOCK_NONBLOCK : 0);
        if (!flags)
            set_all(set_nonblocking);
        pid_t child = fork();
        if (child == 0) {
            check();
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        check(); /* the parent shares them with a child now, too */
        close_all();
    }
    CHECK_OK(bine_unpatch_all());
}

static void set_by_copy(int fd)
{
    int copy = dup(fd);
    set_nonblocking(copy);
    close(copy);
}

static void set_by_ioctl(int fd)
{
    CHECK_EQ(ioctl(fd, FIONBIO, &(int){1}), 0);
}

static void set_by_ioctl_of_copy(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    set_by_ioctl(copy);
    close(copy);
}

static void set_by_another_process(int fd)
{
    pid_t child = fork();
    if (child == 0) {
        set_nonblocking(fd);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(hazard_97_sockets_made_non_blocking_by_other_ways)
{
    void (*const ways[])(int fd) = {set_by_copy, set_by_ioctl, set_by_ioctl_of_copy,
                                    set_by_another_process};
    CHECK_OK(bine_patch_all());
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        make(0);
        set_all(ways[i]);
        check();
        close_all();
    }
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_97_a_connection_that_accept4_made_non_blocking)
{
    CHECK_OK(bine_patch_all());
    make(0);
    int client = knock(), copy = dup(listener);
    close(pair[0]);
    pair[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    CHECK_OK(pair[0]);
    close(pair[1]);
    pair[1] = client;
    CHECK_ERROR(recv(pair[0], &byte, 1, 0), EAGAIN);
    check_receive(by_recv);
    close(copy);
    close_all();
    CHECK_OK(bine_unpatch_all());
}

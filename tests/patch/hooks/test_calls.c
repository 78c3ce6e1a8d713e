/*
 * Every patched name of the socket and select families steps aside when it would block: also the
 * fortified ones and glibc's other names, which programs import without anybody having written them
 * (hazard 4).
 */
#include <bine.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "libc/declarations.h"
#include "patch/common.h"

/* The function behind a name as a program finds it: patched, this is the hook. */
#define CALL(name) ((__typeof__(name) *)find(#name))

static void *find(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found)
        FAIL("this libc has no %s", name);
    CHECK_NE(found, bine_original(name));
    return found;
}

static char order[64];
static int pair[2];

static void open_pair(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(void)
{
    CHECK_EQ(close(pair[0]), 0);
    CHECK_EQ(close(pair[1]), 0);
}

struct way {
    const char *name;
    void (*call)(void);
};

/* ---- one byte arrives later ------------------------------------------------------------------ */

static char byte;

static void check_byte(ssize_t size)
{
    CHECK_EQ(size, 1);
    CHECK_EQ(byte, 'x');
}

static struct iovec one_byte(void)
{
    return (struct iovec){&byte, 1};
}

static void by_read(void)
{
    check_byte(CALL(read)(pair[0], &byte, 1));
}

static void by___read(void)
{
    check_byte(CALL(__read)(pair[0], &byte, 1));
}

static void by___read_chk(void)
{
    check_byte(CALL(__read_chk)(pair[0], &byte, 1, 1));
}

static void by_readv(void)
{
    struct iovec vector = one_byte();
    check_byte(CALL(readv)(pair[0], &vector, 1));
}

static void by_recv(void)
{
    check_byte(CALL(recv)(pair[0], &byte, 1, 0));
}

static void by___recv_chk(void)
{
    check_byte(CALL(__recv_chk)(pair[0], &byte, 1, 1, 0));
}

static void by_recvfrom(void)
{
    check_byte(CALL(recvfrom)(pair[0], &byte, 1, 0, NULL, NULL));
}

static void by___recvfrom_chk(void)
{
    check_byte(CALL(__recvfrom_chk)(pair[0], &byte, 1, 1, 0, NULL, NULL));
}

static void by_recvmsg(void)
{
    struct iovec vector = one_byte();
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    check_byte(CALL(recvmsg)(pair[0], &message, 0));
}

static void by_recvmmsg(void)
{
    struct iovec vector = one_byte();
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    CHECK_EQ(CALL(recvmmsg)(pair[0], &message, 1, 0, NULL), 1);
    check_byte(message.msg_len);
}

/* ---- waiting for the byte, and taking it then ------------------------------------------------ */

static void take_byte(void)
{
    check_byte(read(pair[0], &byte, 1));
}

static void check_poll(int ready, const struct pollfd *entry)
{
    CHECK_EQ(ready, 1);
    CHECK_EQ(entry->revents, POLLIN);
    take_byte();
}

static void by_poll(void)
{
    struct pollfd entry = {pair[0], POLLIN, 0};
    check_poll(CALL(poll)(&entry, 1, -1), &entry);
}

static void by___poll(void)
{
    struct pollfd entry = {pair[0], POLLIN, 0};
    check_poll(CALL(__poll)(&entry, 1, -1), &entry);
}

static void by___poll_chk(void)
{
    struct pollfd entry = {pair[0], POLLIN, 0};
    check_poll(CALL(__poll_chk)(&entry, 1, -1, sizeof entry), &entry);
}

static void by_ppoll(void)
{
    struct pollfd entry = {pair[0], POLLIN, 0};
    check_poll(CALL(ppoll)(&entry, 1, NULL, NULL), &entry);
}

static void by___ppoll_chk(void)
{
    struct pollfd entry = {pair[0], POLLIN, 0};
    check_poll(CALL(__ppoll_chk)(&entry, 1, NULL, NULL, sizeof entry), &entry);
}

static fd_set only_ours(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pair[0], &set);
    return set;
}

static void check_select(int ready, const fd_set *set)
{
    CHECK_EQ(ready, 1);
    CHECK(FD_ISSET(pair[0], set));
    take_byte();
}

static void by_select(void)
{
    fd_set set = only_ours();
    check_select(CALL(select)(pair[0] + 1, &set, NULL, NULL, NULL), &set);
}

static void by___select(void)
{
    fd_set set = only_ours();
    check_select(CALL(__select)(pair[0] + 1, &set, NULL, NULL, NULL), &set);
}

static void by_pselect(void)
{
    fd_set set = only_ours();
    check_select(CALL(pselect)(pair[0] + 1, &set, NULL, NULL, NULL, NULL), &set);
}

static int epoll_on_pair(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK_GE(epoll, 0);
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &(struct epoll_event){.events = EPOLLIN}), 0);
    return epoll;
}

static void by_epoll_wait(void)
{
    struct epoll_event event;
    int epoll = epoll_on_pair();
    CHECK_EQ(CALL(epoll_wait)(epoll, &event, 1, -1), 1);
    take_byte();
    close(epoll);
}

static void by_epoll_pwait(void)
{
    struct epoll_event event;
    int epoll = epoll_on_pair();
    CHECK_EQ(CALL(epoll_pwait)(epoll, &event, 1, -1, NULL), 1);
    take_byte();
    close(epoll);
}

static void by_epoll_pwait2(void)
{
    struct epoll_event event;
    int epoll = epoll_on_pair();
    if (bine_original("epoll_pwait2"))
        CHECK_EQ(CALL(epoll_pwait2)(epoll, &event, 1, NULL, NULL), 1);
    else
        CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    take_byte();
    close(epoll);
}

#define WAY(name)        \
    {                    \
#name, by_##name \
    }

static const struct way receiving[] = {
    WAY(read),         WAY(__read),   WAY(__read_chk),     WAY(readv),      WAY(recv),
    WAY(__recv_chk),   WAY(recvfrom), WAY(__recvfrom_chk), WAY(recvmsg),    WAY(recvmmsg),
    WAY(poll),         WAY(__poll),   WAY(__poll_chk),     WAY(ppoll),      WAY(__ppoll_chk),
    WAY(select),       WAY(__select), WAY(pselect),        WAY(epoll_wait), WAY(epoll_pwait),
    WAY(epoll_pwait2),
};

static void *wait_for_byte(void *arg)
{
    const struct way *way = arg;
    strcat(order, "a");
    way->call();
    strcat(order, "c");
    return NULL;
}

static void *send_byte(void *arg)
{
    strcat(order, "b");
    CHECK_EQ(send(pair[1], "x", 1, 0), 1);
    return NULL;
}

TEST(hazard_04_whatever_waits_for_a_byte_steps_aside)
{
    CHECK_OK(bine_patch_all());
    for (size_t i = 0; i < sizeof receiving / sizeof *receiving; i++) {
        order[0] = '\0';
        open_pair();
        bine_greenlet *both[] = {bine_spawn(wait_for_byte, (void *)&receiving[i]),
                                 bine_spawn(send_byte, NULL)};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
        if (strcmp(order, "abc") != 0)
            FAIL("%s: %s", receiving[i].name, order);
        close_pair();
    }
    CHECK_OK(bine_unpatch_all());
}

/* ---- a full buffer empties later ------------------------------------------------------------- */

static char block[1 << 20];

static void check_block(ssize_t size)
{
    CHECK_EQ(size, sizeof block);
}

static struct iovec whole_block(void)
{
    return (struct iovec){block, sizeof block};
}

static void by_write(void)
{
    check_block(CALL(write)(pair[0], block, sizeof block));
}

static void by___write(void)
{
    check_block(CALL(__write)(pair[0], block, sizeof block));
}

static void by_writev(void)
{
    struct iovec vector = whole_block();
    check_block(CALL(writev)(pair[0], &vector, 1));
}

static void by_send(void)
{
    check_block(CALL(send)(pair[0], block, sizeof block, 0));
}

#ifdef __x86_64__
static void by___send(void)
{
    check_block(CALL(__send)(pair[0], block, sizeof block, 0));
}
#endif

static void by_sendto(void)
{
    check_block(CALL(sendto)(pair[0], block, sizeof block, 0, NULL, 0));
}

static void by_sendmsg(void)
{
    struct iovec vector = whole_block();
    check_block(CALL(sendmsg)(pair[0], &(struct msghdr){.msg_iov = &vector, .msg_iovlen = 1}, 0));
}

static void by_sendmmsg(void)
{
    struct iovec vector = whole_block();
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    CHECK_EQ(CALL(sendmmsg)(pair[0], &message, 1, 0), 1);
    check_block(message.msg_len);
}

static const struct way sending[] = {
    WAY(write),  WAY(__write), WAY(writev), WAY(send), WAY(sendto), WAY(sendmsg), WAY(sendmmsg),
#ifdef __x86_64__ /* elsewhere it is for old programs only, and not found by dlsym */
    WAY(__send),
#endif
};

static void *drain(void *arg)
{
    strcat(order, "b");
    static char taken[1 << 20];
    for (size_t total = 0; total < sizeof block;) {
        ssize_t size = read(pair[1], taken, sizeof taken);
        CHECK_GT(size, 0);
        total += (size_t)size;
    }
    return NULL;
}

TEST(hazard_04_whatever_waits_for_room_steps_aside)
{
    CHECK_OK(bine_patch_all());
    for (size_t i = 0; i < sizeof sending / sizeof *sending; i++) {
        order[0] = '\0';
        open_pair();
        bine_greenlet *both[] = {bine_spawn(wait_for_byte, (void *)&sending[i]),
                                 bine_spawn(drain, NULL)};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
        if (strncmp(order, "ab", 2) != 0)
            FAIL("%s: %s", sending[i].name, order);
        close_pair();
    }
    CHECK_OK(bine_unpatch_all());
}

/* ---- connections ----------------------------------------------------------------------------- */

static int listener;
static struct sockaddr_in address;

static void open_listener(void)
{
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_GE(listener, 0);
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_EQ(listen(listener, 8), 0);
}

static void by_accept(void)
{
    int fd = CALL(accept)(listener, NULL, NULL);
    CHECK_GE(fd, 0);
    CHECK_EQ(CALL(__close)(fd), 0);
}

static void by_accept4(void)
{
    int fd = CALL(accept4)(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_EQ(CALL(close)(fd), 0);
}

static const struct way accepting[] = {WAY(accept), WAY(accept4)};

static void *connect_both_ways(void *arg)
{
    strcat(order, "b");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(
        (arg ? CALL(__connect) : CALL(connect))(fd, (struct sockaddr *)&address, sizeof address),
        0);
    CHECK_EQ(shutdown(fd, SHUT_RDWR), 0);
    CHECK_EQ(close(fd), 0);
    return NULL;
}

TEST(hazard_04_accept_and_connect_step_aside)
{
    CHECK_OK(bine_patch_all());
    open_listener();
    for (size_t i = 0; i < 2; i++) {
        order[0] = '\0';
        bine_greenlet *both[] = {bine_spawn(wait_for_byte, (void *)&accepting[i]),
                                 bine_spawn(connect_both_ways, (void *)i)};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
        CHECK_EQ(strncmp(order, "ab", 2), 0);
    }
    CHECK_EQ(close(listener), 0);
    CHECK_OK(bine_unpatch_all());
}

/* ---- the fortified calls still check --------------------------------------------------------- */

static void *overflow(void *arg)
{
    open_pair();
    CHECK_EQ(write(pair[1], "0123456789", 10), 10);
    CALL(__read_chk)(pair[0], block, 10, 5);
    return NULL;
}

TEST(hazard_04_a_fortified_call_still_ends_the_program, .signal = SIGABRT)
{
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    CHECK_OK(bine_patch_all());
    bine_join(bine_spawn(overflow, NULL), NULL, BINE_FOREVER);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* However a descriptor is made non-blocking, a call on it never waits; and made blocking again it
 * does. */
static void check_nonblocking(int fd)
{
    char got;
    CHECK_ERROR(read(fd, &got, 1), EAGAIN);
}

TEST(hazard_16_nonblocking_descriptors_stay_so)
{
    CHECK_OK(bine_patch_all());
    int fds[2], on = 1, off = 0;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    check_nonblocking(fds[0]);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    CHECK_EQ(CALL(pipe2)(fds, O_NONBLOCK), 0);
    check_nonblocking(fds[0]);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    int event = CALL(eventfd)(0, EFD_NONBLOCK);
    uint64_t count;
    CHECK_ERROR(read(event, &count, sizeof count), EAGAIN);
    CHECK_EQ(close(event), 0);

    open_pair();
    CHECK_EQ(CALL(fcntl64)(pair[0], F_SETFL, O_NONBLOCK), 0);
    check_nonblocking(pair[0]);
    CHECK_EQ(CALL(__fcntl)(pair[0], F_SETFL, 0), 0);
    CHECK_EQ(ioctl(pair[0], FIONBIO, &on), 0);
    check_nonblocking(pair[0]);
    int copy = CALL(dup)(pair[0]);
    check_nonblocking(copy);
    CHECK_EQ(ioctl(copy, FIONBIO, &off), 0); /* one open file behind both */
    order[0] = '\0';
    static const struct way reading = {"read", by_read};
    bine_greenlet *both[] = {bine_spawn(wait_for_byte, (void *)&reading),
                             bine_spawn(send_byte, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, "abc");
    CHECK_EQ(close(copy), 0);
    close_pair();
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_17_receive_timeouts_hold)
{
    CHECK_OK(bine_patch_all());
    open_pair();
    struct timeval timeout = {.tv_usec = 20000};
    CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    int64_t start = harness_now();
    CHECK_ERROR(recv(pair[0], &byte, 1, 0), EAGAIN);
    CHECK_GE(harness_now() - start, 20 * BINE_MS);
    close_pair();
    CHECK_OK(bine_unpatch_all());
}

/* ---- scope of threads ------------------------------------------------------------------------ */

static void *plain_thread(void *arg)
{
    char got;
    CHECK_EQ(read(pair[0], &got, 1), 1);
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(read(fds[0], &got, 1), 1);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    return NULL;
}

TEST(a_thread_without_a_hub_blocks_as_ever)
{
    CHECK_OK(bine_patch_all());
    open_pair();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, plain_thread, NULL), 0);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_pair();
    CHECK_OK(bine_unpatch_all());
}

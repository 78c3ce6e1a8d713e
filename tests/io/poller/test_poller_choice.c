/* Which poller a hub gets, why, and how little each costs: system calls that must not happen are
 * made deadly. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bine.h>

#include "core/schedule/park.h"
#include "io/descriptor/descriptor.h"
#include "io/filter.h"
#include "io/poller/poller.h"
#include "libc/libc.h"
#include "newer.h"

static struct bine_poller *open_poller(const char *choice)
{
    if (choice)
        setenv("BINE_POLLER", choice, 1);
    else
        unsetenv("BINE_POLLER");
    struct bine_poller *poller = bine_poller_of(bine_hub_get());
    CHECK(poller != NULL);
    return poller;
}

static void need_uring(void)
{
    if (strcmp(open_poller(NULL)->class->name, "uring") != 0)
        SKIP("no io_uring here: %s", bine_poller_why());
}

static int64_t wait_for(int fd, uint32_t events, int64_t duration)
{
    struct bine_hub *hub = bine_hub_get();
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = fd, .events = events};
    return bine_operation_run(hub, &operation, "poll fd", bine_hub_deadline(hub, duration), 0);
}

/* A wait that has to wait works. */
static void *write_later(void *fd)
{
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_libc.write((int)(intptr_t)fd, "x", 1), 1);
    return NULL;
}

static void check_works(void)
{
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    CHECK_OK(bine_go(write_later, (void *)(intptr_t)ends[1]));
    CHECK_EQ(wait_for(ends[0], POLLIN, BINE_FOREVER), POLLIN);
    close(ends[0]);
    close(ends[1]);
}

TEST(no_poller_is_opened_before_it_is_needed)
{
    unsetenv("BINE_POLLER");
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_STRING(bine_poller_name(), "none");
}

TEST(uring_is_the_first_choice)
{
    need_uring();
    CHECK_STRING(bine_poller_name(), "uring");
    CHECK_STRING(bine_poller_why(), "");
    check_works();
}

TEST(the_environment_chooses_epoll)
{
    open_poller("epoll");
    CHECK_STRING(bine_poller_name(), "epoll");
    CHECK_STRING(bine_poller_why(), "BINE_POLLER=epoll");
    check_works();
}

TEST(a_call_chooses_the_simulator)
{
    bine_simulate(7);
    open_poller("epoll");
    CHECK_STRING(bine_poller_name(), "sim");
    check_works();
}

TEST(hazard_86_the_environment_does_not_choose_the_simulator)
{
    need_uring();
    open_poller("sim:7");
    CHECK_STRING(bine_poller_name(), "uring");
    check_works();
}

static void check_refused(unsigned call, int error, const char *said)
{
    harness_not_under_valgrind("it does not follow io_uring, so that is not even tried");
    filter_fails(call, error);
    open_poller("uring");
    CHECK_STRING(bine_poller_name(), "epoll");
    if (!strstr(bine_poller_why(), said))
        FAIL("\"%s\" does not name %s", bine_poller_why(), said);
    check_works();
}

TEST(hazard_23_io_uring_forbidden_by_seccomp)
{
    check_refused(SYS_io_uring_setup, EPERM, "EPERM");
}

TEST(hazard_23_no_io_uring_in_the_kernel)
{
    check_refused(SYS_io_uring_setup, ENOSYS, "ENOSYS");
}

TEST(hazard_23_no_memory_for_a_ring)
{
    check_refused(SYS_io_uring_setup, ENOMEM, "ENOMEM");
}

TEST(hazard_23_only_registering_is_forbidden)
{
    /* A filter written for older programs may let io_uring_setup pass and nothing else. */
    check_refused(SYS_io_uring_register, EPERM, "EPERM");
}

static void check_rounding(int error)
{
    filter_fails(SYS_epoll_pwait2, error);
    open_poller("epoll");
    check_works();
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    for (int i = 0; i < 5; i++) {
        int64_t before = harness_now();
        CHECK_EQ(wait_for(ends[0], POLLIN, 1300 * BINE_US), BINE_OPERATION_CUT_BY(ETIME));
        CHECK_GE(harness_now() - before, 1300 * BINE_US);
    }
    close(ends[0]);
    close(ends[1]);
}

TEST(epoll_without_pwait2_rounds_up_to_milliseconds)
{
    check_rounding(ENOSYS);
}

TEST(epoll_with_pwait2_forbidden_rounds_up_to_milliseconds)
{
    check_rounding(EPERM);
}

TEST(no_descriptors_left_is_an_error_and_not_an_end)
{
    int fds[100], count = 0;
    struct rlimit limit, low;
    unsetenv("BINE_POLLER");
    CHECK(bine_hub_get() != NULL);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    low = limit;
    low.rlim_cur = 50;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
    while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    errno = 0;
    CHECK(bine_poller_of(bine_hub_get()) == NULL);
    CHECK_EQ(errno, EMFILE);
    while (count > 0)
        close(fds[--count]);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    check_works();
}

static void *use_and_end(void *argument)
{
    (void)argument;
    check_works();
    return NULL;
}

TEST(pollers_of_threads_that_ended_leave_nothing)
{
    check_works();
    size_t before = harness_descriptors();
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, use_and_end, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    CHECK_EQ(harness_descriptors(), before);
}

/* ---- what must cost nothing ---- */

static void *spin(void *rounds)
{
    for (intptr_t i = 0; i < (intptr_t)rounds; i++)
        CHECK_OK(bine_sleep(0));
    return NULL;
}

TEST(uring_looks_without_a_system_call_when_there_is_nothing)
{
    need_uring();
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    /* Something is waiting, and everything has been submitted. */
    struct bine_poller *poller = open_poller(NULL);
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = ends[0], .events = POLLIN};
    CHECK_EQ(poller->class->start(poller, &operation), 0);
    CHECK_OK(bine_sleep(BINE_MS));
    uint64_t turns = bine_hub_get()->turns;
    filter_kills(SYS_io_uring_enter);
    bine_greenlet *g = bine_spawn(spin, (void *)5000);
    spin((void *)5000);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_GT(bine_hub_get()->turns - turns, 30u);
    CHECK(!operation.ended); /* and never will be */
    close(ends[0]);
    close(ends[1]);
}

TEST(epoll_waits_again_without_epoll_ctl_or_poll)
{
    int pair[2];
    char buffer[16];
    struct bine_poller *poller = open_poller("epoll");
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    for (int i = 0; i < 200; i++) {
        if (i == 1) {
            filter_kills(SYS_epoll_ctl);
#ifdef SYS_poll
            filter_kills(SYS_poll);
#endif
            filter_kills(SYS_ppoll);
        }
        /* The order of an echo server: wait, read short, say so, answer, wait. */
        CHECK_OK(bine_go(write_later, (void *)(intptr_t)pair[1]));
        CHECK_EQ(poller->class->hint(poller, pair[0], POLLIN), i ? 0 : -1);
        CHECK_EQ(wait_for(pair[0], POLLIN, BINE_FOREVER), POLLIN);
        CHECK_EQ(poller->class->hint(poller, pair[0], POLLIN), 1);
        CHECK_EQ(bine_libc.recv(pair[0], buffer, sizeof buffer, MSG_DONTWAIT), 1);
        poller->class->drained(poller, pair[0], POLLIN, false);
    }
    close(pair[0]);
    close(pair[1]);
}

TEST(epoll_keeps_what_an_edge_said_until_it_is_told)
{
    int pair[2];
    char buffer[16];
    struct bine_poller *poller = open_poller("epoll");
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK_EQ(wait_for(pair[0], POLLIN, BINE_MS), BINE_OPERATION_CUT_BY(ETIME));
    CHECK_EQ(bine_libc.send(pair[1], "abc", 3, 0), 3);
    CHECK_OK(bine_sleep(BINE_MS)); /* the edge comes while nobody waits */
    CHECK_EQ(poller->class->hint(poller, pair[0], POLLIN), 1);
    CHECK_EQ(wait_for(pair[0], POLLIN, BINE_FOREVER), POLLIN);
    /* Some is left, and no edge will tell of it. */
    CHECK_EQ(bine_libc.recv(pair[0], buffer, 2, 0), 2);
    CHECK_EQ(wait_for(pair[0], POLLIN, BINE_FOREVER), POLLIN);
    CHECK_EQ(bine_libc.recv(pair[0], buffer, 2, 0), 1);
    /* Nobody said that this was all: a wait must not believe the old news. */
    CHECK_EQ(wait_for(pair[0], POLLIN, BINE_MS), BINE_OPERATION_CUT_BY(ETIME));
    close(pair[0]);
    close(pair[1]);
}

TEST(epoll_says_that_a_regular_file_cannot_be_waited_for)
{
    struct bine_poller *poller = open_poller("epoll");
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct bine_operation operation = {.kind = BINE_OP_POLL, .fd = fd, .events = POLLIN};
    CHECK_EQ(poller->class->start(poller, &operation), EPERM);
    operation.kind = BINE_OP_RECV;
    CHECK_EQ(poller->class->start(poller, &operation), ENOTSUP);
    CHECK_EQ(poller->pending, 0u);
    close(fd);
}

/* ---- io_uring's other operations ---- */

static int64_t run(struct bine_operation operation)
{
    return bine_operation_run(bine_hub_get(), &operation, "test fd", INT64_MAX, 0);
}

TEST(uring_does_every_kind_of_operation)
{
    need_uring();
    struct bine_poller *poller = open_poller(NULL);
    for (int kind = 0; kind < BINE_OP_KINDS; kind++)
        CHECK(bine_poller_supports(poller, (enum bine_operation_kind)kind));

    char path[] = "/tmp/bine-poller-XXXXXX", data[8] = "datadat";
    int made = mkstemp(path);
    CHECK_GE(made, 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_GE(fd, 0);
    CHECK_EQ(write(fd, "Jello", 5), 5);
    CHECK_EQ(run((struct bine_operation){.kind = BINE_OP_FSYNC, .fd = fd, .flags = 1}), 0);
    CHECK_EQ(run((struct bine_operation){
                 .kind = BINE_OP_READ, .fd = fd, .buffer = data, .size = 8, .offset = 0}),
             5);
    CHECK_MEMORY(data, "Jello", 5);
    struct iovec parts[2] = {{"ab", 2}, {"cd", 2}};
    CHECK_EQ(run((struct bine_operation){
                 .kind = BINE_OP_WRITEV, .fd = fd, .buffer = parts, .size = 2, .offset = -1}),
             4);
    struct iovec into[2] = {{data, 3}, {data + 3, 5}};
    CHECK_EQ(run((struct bine_operation){
                 .kind = BINE_OP_READV, .fd = fd, .buffer = into, .size = 2, .offset = 1}),
             8);
    CHECK_MEMORY(data, "elloabcd", 8);
    close(fd);
    close(made);
    unlink(path);

    struct sockaddr_storage address = {.ss_family = AF_INET}, peer;
    socklen_t size = sizeof address, peer_size = sizeof peer;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(bind(listener, (struct sockaddr *)&address, sizeof(struct sockaddr_in6)));
    CHECK_OK(listen(listener, 1));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &size));
    CHECK_EQ(run((struct bine_operation){
                 .kind = BINE_OP_CONNECT, .fd = client, .buffer = &address, .size = size}),
             0);
    int server = (int)run((struct bine_operation){.kind = BINE_OP_ACCEPT,
                                                  .fd = listener,
                                                  .buffer = &peer,
                                                  .address_length = &peer_size,
                                                  .flags = SOCK_CLOEXEC});
    CHECK_GE(server, 0);
    CHECK_EQ(peer.ss_family, AF_INET);
    CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(run((struct bine_operation){
                 .kind = BINE_OP_SEND, .fd = client, .buffer = "ping", .size = 4}),
             4);
    CHECK_EQ(
        run((struct bine_operation){.kind = BINE_OP_RECV, .fd = server, .buffer = data, .size = 8}),
        4);
    CHECK_MEMORY(data, "ping", 4);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    CHECK_EQ(
        run((struct bine_operation){.kind = BINE_OP_SENDMSG, .fd = server, .buffer = &message}), 4);
    message.msg_iov = into;
    CHECK_EQ(
        run((struct bine_operation){.kind = BINE_OP_RECVMSG, .fd = client, .buffer = &message}), 4);
    CHECK_MEMORY(data, "abcd", 4);
    close(server);
    CHECK_EQ(
        run((struct bine_operation){.kind = BINE_OP_RECV, .fd = client, .buffer = data, .size = 8}),
        0);
    run((struct bine_operation){
        .kind = BINE_OP_SEND, .fd = client, .buffer = "x", .size = 1, .flags = MSG_NOSIGNAL});
    CHECK_EQ(
        run((struct bine_operation){
            .kind = BINE_OP_SEND, .fd = client, .buffer = "x", .size = 1, .flags = MSG_NOSIGNAL}),
        -EPIPE);
    close(client);
    close(listener);
}

/* Stream and datagram servers. */
#include <bine.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "figures.h"
#include "harness.h"
#include "io/filter.h"
#include "libc/libc.h"

static bine_server *server;
static atomic_int handling, most, handled; /* several threads serve in one test */

static int connect_to(const char *address)
{
    int fd;
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        size_t size = strlen(address + 5);
        memcpy(to.sun_path, address + 5, size);
        if (to.sun_path[0] == '@')
            to.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK_OK(bine_connect(fd, (struct sockaddr *)&to,
                              offsetof(struct sockaddr_un, sun_path) + size));
    } else {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(atoi(strrchr(address, ':') + 1)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    }
    return fd;
}

/* The simulator sends and receives less than it is asked to. */
static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = bine_send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void receive_all(int fd, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = bine_recv(fd, data, size, 0);
        CHECK_GT(got, 0);
        data += got;
        size -= (size_t)got;
    }
}

static void echo(bine_connection *connection, void *arg)
{
    char buffer[64];
    ssize_t got;
    if (++handling > most)
        most = handling;
    while ((got = bine_recv(connection->fd, buffer, sizeof buffer, 0)) > 0 &&
           send_all(connection->fd, buffer, got))
        ;
    handling--;
    handled++;
}

static void *talk(void *address)
{
    char buffer[8];
    int fd = connect_to(address);
    for (int i = 0; i < 3; i++) {
        CHECK(send_all(fd, "hello", 5));
        receive_all(fd, buffer, 5);
        CHECK_MEMORY(buffer, "hello", 5);
    }
    bine_close(fd);
    return NULL;
}

static void talk_to_server(int clients)
{
    bine_greenlet *all[64];
    for (int i = 0; i < clients; i++)
        all[i] = bine_spawn(talk, (void *)bine_server_address(server));
    CHECK_OK(bine_joinall(all, clients, BINE_FOREVER));
}

TEST(server_serves_tcp_and_stops)
{
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, echo, NULL);
    CHECK(server != NULL);
    CHECK_GT(bine_server_port(server), 0);
    CHECK_OK(bine_server_start(server));
    CHECK_OK(bine_server_start(server));
    CHECK_ERROR(bine_server_free(server), EBUSY);
    talk_to_server(20);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_EQ(handled, 20);
    CHECK_EQ(figures_of(server).accepted, 20u);
    CHECK_ERROR(bine_server_start(server), EPERM);
    CHECK_OK(bine_server_free(server));
}

TEST(server_keeps_to_its_limit)
{
    server =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0", .limit = 3}, echo, NULL);
    CHECK_OK(bine_server_start(server));
    talk_to_server(30);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_EQ(handled, 30);
    CHECK_LE(most, 3);
    CHECK_OK(bine_server_free(server));
}

TEST(server_on_unix_sockets_replaces_a_stale_one)
{
    char address[64];
    snprintf(address, sizeof address, "unix:/tmp/bine-test-%d.sock", (int)getpid());
    /* One whose server has gone without taking it away. */
    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    snprintf(stale.sun_path, sizeof stale.sun_path, "%s", address + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(bind(fd, (struct sockaddr *)&stale, sizeof stale));
    close(fd);

    server = bine_server_new(&(bine_server_options){.address = address}, echo, NULL);
    CHECK(server != NULL);
    CHECK_STRING(bine_server_address(server), address);
    CHECK_EQ(bine_server_port(server), 0);
    /* One that is alive is not replaced. */
    CHECK_ERROR(bine_server_new(&(bine_server_options){.address = address}, echo, NULL),
                EADDRINUSE);
    CHECK_OK(bine_server_start(server));
    talk_to_server(3);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
    CHECK_EQ(access(address + 5, F_OK), -1);

    snprintf(address, sizeof address, "unix:@bine-test-%d", (int)getpid());
    server = bine_server_new(&(bine_server_options){.address = address}, echo, NULL);
    CHECK_STRING(bine_server_address(server), address);
    CHECK_OK(bine_server_start(server));
    talk_to_server(3);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}

static void wait_forever(bine_connection *connection, void *arg)
{
    char byte;
    handling++;
    CHECK_ERROR(bine_recv(connection->fd, &byte, 1, 0), ECANCELED);
    handled++;
}

TEST(server_kills_what_outlasts_the_grace)
{
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, wait_forever, NULL);
    CHECK_OK(bine_server_start(server));
    int fd = connect_to(bine_server_address(server));
    while (!handling)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_ERROR(bine_server_stop(server, BINE_MS), ETIMEDOUT);
    CHECK_EQ(handled, 1);
    char byte;
    CHECK_EQ(bine_recv(fd, &byte, 1, 0), 0);
    bine_close(fd);
    CHECK_OK(bine_server_free(server));
}

TEST(server_stopped_before_its_handlers_ran_closes_their_connections)
{
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, echo, NULL);
    CHECK_OK(bine_server_start(server));
    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = connect_to(bine_server_address(server));
    bine_server_stop(server, 0);
    for (int i = 0; i < 5; i++)
        bine_close(fds[i]);
    CHECK_OK(bine_server_free(server));
}

static void *stop_soon(void *arg)
{
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    return NULL;
}

TEST(server_serve_returns_when_stopped)
{
    server = bine_server_new(&(bine_server_options){.address = "[::1]:0"}, echo, NULL);
    if (!server)
        SKIP("no IPv6 here");
    bine_greenlet *g = bine_spawn(stop_soon, NULL);
    CHECK_OK(bine_server_serve(server));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_server_free(server));
}

static int nodelay = -1;

static void look_at_nodelay(bine_connection *connection, void *arg)
{
    socklen_t size = sizeof nodelay;
    CHECK_OK(getsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size));
}

TEST(hazard_30_servers_set_nodelay_unless_told_otherwise)
{
    for (int delay = 0; delay < 2; delay++) {
        nodelay = -1;
        server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0",
                                                        .flags = delay ? BINE_SERVER_DELAY : 0},
                                 look_at_nodelay, NULL);
        CHECK_OK(bine_server_start(server));
        int fd = connect_to(bine_server_address(server));
        char byte;
        CHECK_EQ(bine_recv(fd, &byte, 1, 0), 0);
        bine_close(fd);
        CHECK_EQ(!!nodelay, !delay);
        CHECK_OK(bine_server_stop(server, BINE_SECOND));
        CHECK_OK(bine_server_free(server));
    }
}

TEST(hazard_29_running_out_of_descriptors_pauses_accepting_and_goes_on)
{
    harness_not_under_valgrind(
        "it accepts the connection, and then closes it because of the limit");
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, echo, NULL);
    CHECK_OK(bine_server_start(server));
    talk_to_server(1); /* the poller and its descriptors are there now */
    while (figures_of(server).connections)
        CHECK_OK(bine_sleep(BINE_MS));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)bine_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fds[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0)};
    /* Not one more descriptor can be made; but an accept that io_uring has begun already goes by
     * the old limit: so two. */
    struct rlimit before, none;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    int next = dup(fds[0]);
    close(next);
    none = (struct rlimit){(rlim_t)next, before.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(bine_connect(fds[i], (struct sockaddr *)&to, sizeof to));
        CHECK(send_all(fds[i], "hello", 5));
    }
    while (figures_of(server).short_of_files < 3)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_LT(figures_of(server).accepted, 3u);
    CHECK_LT(figures_of(server).short_of_files, 30u);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    for (int i = 0; i < 2; i++) {
        char buffer[8];
        receive_all(fds[i], buffer, 5); /* served after all */
        bine_close(fds[i]);
    }
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}

/* A filter forbids accept4(2). The connection stays in the backlog, and so does the refusal. */
static int (*real_accept4)(int fd, struct sockaddr *address, socklen_t *length, int flags);
static unsigned refusals;
static bool allowed; /* a filter cannot be taken away again: another system call takes its place */

static int counted_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int client =
        allowed ? bine_libc.accept(fd, address, length) : real_accept4(fd, address, length, flags);
    if (client < 0)
        refusals += errno != EAGAIN;
    else if (flags & SOCK_NONBLOCK)
        bine_libc.fcntl(client, F_SETFL, O_NONBLOCK);
    return client;
}

TEST(hazard_90_a_policy_that_forbids_accepting_does_not_make_the_server_spin, .seconds = 60)
{
    const char *poller = getenv("BINE_POLLER");
    if (!poller || strcmp(poller, "epoll") != 0)
        SKIP("accept is not called there");
    harness_not_under_emulator("its own calls are not the program's");
    real_accept4 = bine_libc.accept4;
    bine_libc.accept4 = counted_accept4;
    const int errors[] = {EPERM, EACCES, ENOSYS, ENETDOWN};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        refusals = 0;
        allowed = false;
        filter_fails(SYS_accept4, errors[i]); /* of several filters the last one names the errno */
        server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, echo, NULL);
        CHECK_OK(bine_server_start(server));
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((in_port_t)bine_server_port(server)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
        CHECK_OK(bine_sleep(300 * BINE_MS));
        CHECK_GT(refusals, 2u);
        CHECK_LT(refusals, 60u);
        allowed = true;
        char buffer[8];
        CHECK(send_all(fd, "hello", 5));
        receive_all(fd, buffer, 5);
        bine_close(fd);
        CHECK_OK(bine_server_stop(server, BINE_SECOND));
        CHECK_OK(bine_server_free(server));
    }
    bine_libc.accept4 = real_accept4;
}

TEST(server_bad_arguments)
{
    bine_server_options none = {0};
    CHECK_ERROR(bine_server_new(NULL, echo, NULL), EINVAL);
    CHECK_ERROR(bine_server_new(&none, echo, NULL), EINVAL);
    CHECK_ERROR(bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, NULL, NULL),
                EINVAL);
    const char *bad[] = {
        "",       ":",      "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:!", "[::1:80",
        "::1:80", "a b:80", "unix:",     "[]:1",       "127.0.0.1:-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(bine_server_new(&(bine_server_options){.address = bad[i]}, echo, NULL), EINVAL);
    CHECK_ERROR(
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:no-such-service"}, echo, NULL),
        ENOENT);
    CHECK_ERROR(bine_server_start(NULL), EINVAL);
    CHECK_ERROR(bine_server_stop(NULL, 0), EINVAL);
    CHECK_ERROR(bine_server_port(NULL), EINVAL);
    CHECK_OK(bine_server_free(NULL));
    server = bine_server_new(&(bine_server_options){.address = ":0"}, echo, NULL);
    CHECK_OK(bine_server_free(server));
}

/* A listener that closes resets what waits in its backlog: the workers stay until all have been
 * answered. */
static atomic_bool talked;

static void *serve_in_worker(void *address)
{
    bine_server *own = bine_server_new(
        &(bine_server_options){.address = address, .flags = BINE_SERVER_REUSE_PORT}, echo, NULL);
    if (!own)
        return (void *)(intptr_t)errno;
    CHECK_OK(bine_server_start(own));
    while (!atomic_load(&talked))
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_server_stop(own, BINE_FOREVER));
    CHECK_OK(bine_server_free(own));
    return NULL;
}

TEST(workers_share_a_port, .seconds = 60)
{
    server = bine_server_new(
        &(bine_server_options){.address = "127.0.0.1:0", .flags = BINE_SERVER_REUSE_PORT}, echo,
        NULL);
    CHECK_OK(bine_server_start(server));
    bine_workers *workers =
        bine_workers_start(2, serve_in_worker, (void *)bine_server_address(server));
    talk_to_server(40);
    atomic_store(&talked, true);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_server_stop(server, BINE_FOREVER));
    CHECK_OK(bine_server_free(server));
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static void answer(bine_datagram *datagram, void *arg)
{
    handled++;
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_datagram_reply(datagram, datagram->data, datagram->size));
}

TEST(datagram_server_answers)
{
    bine_datagram_server *datagrams = bine_datagram_server_new(
        &(bine_server_options){.address = "127.0.0.1:0", .limit = 2}, answer, NULL);
    CHECK(datagrams != NULL);
    CHECK_ERROR(bine_datagram_server_new(
                    &(bine_server_options){.address = bine_datagram_server_address(datagrams)},
                    answer, NULL),
                EADDRINUSE);
    CHECK_OK(bine_datagram_server_start(datagrams));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)bine_datagram_server_port(datagrams)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    char buffer[64];
    for (int i = 0; i < 10; i++)
        CHECK_EQ(bine_send(fd, "0123456789", i, 0), i);
    /* Each is answered, in any order: their greenlets run as they please. */
    unsigned answered = 0;
    for (int i = 0; i < 10; i++) {
        ssize_t got = bine_recv(fd, buffer, sizeof buffer, 0);
        CHECK_GE(got, 0);
        answered |= 1u << got;
    }
    CHECK_EQ(answered, (1u << 10) - 1);
    bine_close(fd);
    CHECK_EQ(handled, 10);
    CHECK_OK(bine_datagram_server_stop(datagrams, BINE_SECOND));
    CHECK_OK(bine_datagram_server_free(datagrams));
}

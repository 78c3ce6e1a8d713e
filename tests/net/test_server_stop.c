/* Servers that are stopped in odd ways, addresses that cannot be had, clients that wait. */
#include <bine.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/hub/hub.h"
#include "figures.h"
#include "harness.h"

static bine_server *server;
static int handling, handled, stopped_with;

static int connect_to_port(int type, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type, 0);
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    return fd;
}

static int connect_to_server(void)
{
    return connect_to_port(SOCK_STREAM, bine_server_port(server));
}

static void start(bine_connection_handler *handler, size_t limit)
{
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0", .limit = limit},
                             handler, NULL);
    CHECK(server != NULL);
    CHECK_OK(bine_server_start(server));
}

static void until(const int *number, int least)
{
    while (*number < least)
        CHECK_OK(bine_sleep(100 * BINE_US));
}

static void close_and_check_end(int fd)
{
    char byte;
    ssize_t got = bine_recv(fd, &byte, 1, 0);
    CHECK(got == 0 || (got < 0 && errno == ECONNRESET));
    bine_close(fd);
}

/* ---- who stops, and when --------------------------------------------------------------------- */

static void wait_for_the_end(bine_connection *connection, void *arg)
{
    char byte;
    handling++;
    if (bine_recv(connection->fd, &byte, 1, 0) < 0)
        CHECK_EQ(errno, ECANCELED);
    handled++;
}

TEST(connections_that_end_within_the_grace_are_not_killed)
{
    start(wait_for_the_end, 0);
    int fd = connect_to_server();
    until(&handling, 1);
    shutdown(fd, SHUT_WR); /* seen while the server stops */
    CHECK_OK(bine_server_stop(server, BINE_FOREVER));
    CHECK_EQ(handled, 1);
    close_and_check_end(fd);
    CHECK_OK(bine_server_free(server));
}

static void stop_from_handler(bine_connection *connection, void *arg)
{
    CHECK_ERROR(bine_server_stop(server, BINE_FOREVER), EDEADLK);
    CHECK(bine_killed(bine_getcurrent()));
    CHECK_EQ(bine_server_fd(server), -1);
    handled++;
}

TEST(a_handler_can_stop_its_server_but_has_no_grace)
{
    start(stop_from_handler, 0);
    int fd = connect_to_server();
    until(&handled, 1);
    close_and_check_end(fd);
    CHECK_OK(bine_server_stop(server, 0));
    CHECK_OK(bine_server_free(server));
}

static void *stop_now(void *grace)
{
    CHECK_OK(bine_server_stop(server, (int64_t)grace));
    stopped_with++;
    return NULL;
}

TEST(several_can_stop_a_server_and_all_wait_for_its_end)
{
    start(wait_for_the_end, 0);
    int fd = connect_to_server();
    until(&handling, 1);
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(stop_now, (void *)BINE_FOREVER);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(stopped_with, 0);
    CHECK_ERROR(bine_server_free(server), EBUSY);
    bine_close(fd);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(stopped_with, 3);
    CHECK_OK(bine_server_free(server));
}

static void *is_killed_while_stopping(void *arg)
{
    CHECK_ERROR(bine_server_stop(server, BINE_FOREVER), ECANCELED);
    return NULL;
}

TEST(a_stop_that_is_killed_ends_the_grace)
{
    start(wait_for_the_end, 0);
    int fd = connect_to_server();
    until(&handling, 1);
    bine_greenlet *g = bine_spawn(is_killed_while_stopping, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(handled, 1);
    close_and_check_end(fd);
    CHECK_OK(bine_server_free(server));
}

static void *stop_from_thread(void *datagrams)
{
    CHECK_ERROR(bine_server_start(server), EPERM);
    CHECK_ERROR(bine_server_free(server), EPERM);
    CHECK_ERROR(bine_server_stop(server, -1), EINVAL);
    CHECK_ERROR(bine_server_stop(server, BINE_MS), ETIMEDOUT);
    CHECK_OK(bine_datagram_server_stop(datagrams, BINE_FOREVER));
    return NULL;
}

static void ignore_datagram(bine_datagram *datagram, void *arg)
{
    handled++;
}

TEST(servers_can_be_stopped_from_another_thread)
{
    start(wait_for_the_end, 0);
    bine_datagram_server *datagrams = bine_datagram_server_new(
        &(bine_server_options){.address = "127.0.0.1:0"}, ignore_datagram, NULL);
    CHECK_OK(bine_datagram_server_start(datagrams));
    int fd = connect_to_server();
    until(&handling, 1);
    CHECK_OK(bine_workers_run(1, stop_from_thread, datagrams));
    close_and_check_end(fd);
    CHECK_EQ(handled, 1);
    CHECK_OK(bine_server_free(server));
    CHECK_OK(bine_datagram_server_free(datagrams));
}

TEST(a_server_whose_accepting_greenlet_is_killed_says_so)
{
    start(wait_for_the_end, 0);
    int fd = connect_to_server();
    until(&handling, 1);
    /* As the backdoor does. */
    struct bine_hub *hub = bine_hub_get();
    for (struct bine_greenlet *g = hub->all; g; g = g->all_next)
        if (strncmp(g->site, "accept connections", 18) == 0)
            CHECK_OK(bine_kill(g));
    CHECK_ERROR(bine_server_serve(server), ECANCELED);
    CHECK_EQ(handled, 0); /* what is there goes on */
    CHECK_ERROR(bine_server_stop(server, BINE_MS), ETIMEDOUT);
    CHECK_EQ(handled, 1);
    close_and_check_end(fd);
    CHECK_OK(bine_server_free(server));
}

static void *serve(void *arg)
{
    CHECK_OK(bine_server_serve(server));
    stopped_with++;
    return NULL;
}

TEST(a_server_that_is_served_cannot_be_freed_and_one_never_started_can)
{
    server =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, wait_for_the_end, NULL);
    CHECK_OK(bine_server_free(server));
    server =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, wait_for_the_end, NULL);
    CHECK_OK(bine_server_stop(server, 0)); /* nor does it have to be started to be stopped */
    CHECK_ERROR(bine_server_start(server), EPERM);
    CHECK_OK(bine_server_free(server));
    start(wait_for_the_end, 0);
    bine_greenlet *g = bine_spawn(serve, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_ERROR(bine_server_free(server), EBUSY);
    CHECK_OK(bine_server_stop(server, 0));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(stopped_with, 1);
    CHECK_OK(bine_server_free(server));
}

/* ---- addresses, descriptors ------------------------------------------------------------------ */

TEST(addresses_that_cannot_be_had)
{
    bine_server_options twice = {.address = "127.0.0.1:0"};
    start(wait_for_the_end, 0);
    twice.address = bine_server_address(server);
    CHECK_ERROR(bine_server_new(&twice, wait_for_the_end, NULL), EADDRINUSE);
    twice.flags = BINE_SERVER_REUSE_PORT; /* both have to want it */
    CHECK_ERROR(bine_server_new(&twice, wait_for_the_end, NULL), EADDRINUSE);
    twice.flags = 1u << 20;
    CHECK_ERROR(bine_server_new(&twice, wait_for_the_end, NULL), EINVAL);
    CHECK_OK(bine_server_stop(server, 0));
    CHECK_OK(bine_server_free(server));
    CHECK_ERROR(
        bine_server_new(&(bine_server_options){.address = "192.0.2.1:0"}, wait_for_the_end, NULL),
        EADDRNOTAVAIL);
    CHECK_ERROR(bine_server_new(&(bine_server_options){.address = "127.0.0.1:0", .backlog = -1},
                                wait_for_the_end, NULL),
                EINVAL);
    CHECK_ERROR(bine_server_new(&(bine_server_options){.address = "127.0.0.1:0", .mode = 07777},
                                wait_for_the_end, NULL),
                EINVAL);
}

TEST(the_backlog_is_what_was_asked_for)
{
    harness_not_under_emulator("its TCP_INFO is empty");
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0", .backlog = 7},
                             wait_for_the_end, NULL);
    struct tcp_info info;
    socklen_t size = sizeof info;
    CHECK_OK(getsockopt(bine_server_fd(server), IPPROTO_TCP, TCP_INFO, &info, &size));
    CHECK_EQ(info.tcpi_sacked, 7u); /* of a socket that listens: its backlog (tcp_get_info) */
    CHECK_OK(bine_server_free(server));
}

TEST(an_ipv6_address_takes_ipv4_unless_told_otherwise)
{
    for (int only = 0; only < 2; only++) {
        server = bine_server_new(
            &(bine_server_options){.address = "[::]:0", .flags = only ? BINE_SERVER_IPV6_ONLY : 0},
            wait_for_the_end, NULL);
        if (!server)
            SKIP("no IPv6 here");
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((in_port_t)bine_server_port(server)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (only)
            CHECK_ERROR(bine_connect(fd, (struct sockaddr *)&to, sizeof to), ECONNREFUSED);
        else
            CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
        bine_close(fd);
        CHECK_OK(bine_server_free(server));
    }
}

static void keep_descriptor(bine_connection *connection, void *arg)
{
    *(int *)arg = connection->fd;
    connection->fd = -1;
    handled++;
}

TEST(a_descriptor_can_be_given_in_and_taken_out)
{
    int kept = -1, listening = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_OK(bind(listening, (struct sockaddr *)&any, sizeof any));
    CHECK_OK(listen(listening, 5));
    server = bine_server_new(&(bine_server_options){.fd = listening}, keep_descriptor, &kept);
    CHECK_EQ(bine_server_fd(server), listening);
    CHECK_OK(bine_server_start(server));
    int fd = connect_to_server();
    until(&handled, 1);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_EQ(bine_send(kept, "x", 1, 0), 1); /* still open */
    char byte;
    CHECK_EQ(bine_recv(fd, &byte, 1, 0), 1);
    bine_close(kept);
    bine_close(fd);
    CHECK_OK(bine_server_free(server));
}

TEST(the_handler_can_be_replaced)
{
    int kept = -1;
    start(wait_for_the_end, 0);
    CHECK_ERROR(bine_server_set_handler(server, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_server_set_handler(NULL, keep_descriptor, NULL), EINVAL);
    CHECK_OK(bine_server_set_handler(server, keep_descriptor, &kept));
    int fd = connect_to_server();
    until(&handled, 1);
    CHECK_GE(kept, 0);
    bine_close(kept);
    bine_close(fd);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}

TEST(what_cannot_be_accepted_from_ends_the_server)
{
    int pipes[2];
    CHECK_OK(pipe(pipes));
    server = bine_server_new(&(bine_server_options){.fd = pipes[0]}, wait_for_the_end, NULL);
    CHECK_ERROR(bine_server_serve(server), ENOTSOCK);
    CHECK_OK(bine_server_free(server));
    close(pipes[1]);
    server = bine_server_new(&(bine_server_options){.fd = socket(AF_INET, SOCK_STREAM, 0)},
                             wait_for_the_end, NULL);
    CHECK_ERROR(bine_server_serve(server), EINVAL); /* it does not listen */
    CHECK_OK(bine_server_free(server));
}

/* ---- clients that are connected and not accepted yet ----------------------------------------- */

enum {
    CLIENTS = 6
};

static int answered;

/* So many clients have an answer, the next one has none until it is cut off. */
static int answers = INT_MAX, handled;

static void echo_slowly(bine_connection *connection, void *arg)
{
    char buffer[16];
    if (handled++ >= answers)
        bine_sleep(BINE_FOREVER);
    ssize_t got = bine_recv(connection->fd, buffer, sizeof buffer, 0);
    if (bine_sleep(5 * BINE_MS) == 0 && got > 0)
        bine_send(connection->fd, buffer, (size_t)got, MSG_NOSIGNAL);
}

static void *ask(void *arg)
{
    char buffer[16];
    int fd = (int)(intptr_t)arg;
    if (bine_send(fd, "hello", 5, MSG_NOSIGNAL) == 5 &&
        bine_recv(fd, buffer, sizeof buffer, 0) == 5)
        answered++;
    bine_close(fd);
    return NULL;
}

static int connect_to_address(void)
{
    struct sockaddr_storage to = {0};
    socklen_t length = sizeof to;
    CHECK_OK(getsockname(bine_server_fd(server), (struct sockaddr *)&to, &length));
    int fd = socket(to.ss_family, SOCK_STREAM, 0);
    CHECK_OK(connect(fd, (struct sockaddr *)&to, length));
    return fd;
}

/* One at a time is handled, the others have connected and asked. */
static void stop_with_a_backlog(const char *where, int64_t grace)
{
    bine_greenlet *all[CLIENTS];
    server =
        bine_server_new(&(bine_server_options){.address = where, .limit = 1}, echo_slowly, NULL);
    CHECK_OK(bine_server_start(server));
    for (int i = 0; i < CLIENTS; i++)
        all[i] = bine_spawn(ask, (void *)(intptr_t)connect_to_address());
    while (figures_of(server).accepted == 0)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(figures_of(server).accepted, 1u);
    int stopped = bine_server_stop(server, grace);
    CHECK_EQ(stopped == 0 ? 0 : errno, grace == BINE_FOREVER ? 0 : ETIMEDOUT);
    CHECK_OK(bine_joinall(all, CLIENTS, BINE_FOREVER));
    CHECK_OK(bine_server_free(server));
}

TEST(hazard_80_clients_in_the_backlog_are_served_before_a_server_stops)
{
    stop_with_a_backlog("127.0.0.1:0", BINE_FOREVER);
    CHECK_EQ(answered, CLIENTS);
    char where[64];
    snprintf(where, sizeof where, "unix:@bine-stop-%d", (int)getpid());
    stop_with_a_backlog(where, BINE_FOREVER);
    CHECK_EQ(answered, 2 * CLIENTS);
}

TEST(hazard_80_the_backlog_is_served_within_the_time_of_grace)
{
    answers = 2;
    stop_with_a_backlog("127.0.0.1:0", BINE_SECOND);
    CHECK_EQ(answered, 2);
    answers = handled = answered = 0;
    stop_with_a_backlog("127.0.0.1:0", 0); /* none: nobody else is accepted */
    CHECK_EQ(answered, 0);
    CHECK_EQ(handled, 1);
}

static void *stop_slowly(void *arg)
{
    CHECK_OK(bine_server_stop(server, BINE_FOREVER));
    return arg;
}

TEST(hazard_80_new_clients_are_refused_while_the_backlog_is_served)
{
    server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0", .limit = 1},
                             echo_slowly, NULL);
    CHECK_OK(bine_server_start(server));
    int port = bine_server_port(server);
    bine_greenlet *all[] = {bine_spawn(ask, (void *)(intptr_t)connect_to_address()),
                            bine_spawn(ask, (void *)(intptr_t)connect_to_address()),
                            bine_spawn(stop_slowly, NULL)};
    until(&answered, 1);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERROR(connect(fd, (struct sockaddr *)&to, sizeof to), ECONNREFUSED);
    CHECK_OK(close(fd));
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(answered, 2);
    CHECK_OK(bine_server_free(server));
}

/* ---- names ----------------------------------------------------------------------------------- */

static char name_of_handler[256];

static void note_name(bine_connection *connection, void *arg)
{
    snprintf(name_of_handler, sizeof name_of_handler, "%s", bine_name(bine_getcurrent()));
    handled++;
}

TEST(hazard_81_a_handler_is_called_by_its_peer)
{
    start(note_name, 0);
    int fd = connect_to_server();
    struct sockaddr_in own = {0};
    socklen_t length = sizeof own;
    CHECK_OK(getsockname(fd, (struct sockaddr *)&own, &length));
    until(&handled, 1);
    char expected[128];
    snprintf(expected, sizeof expected, "connection of %s from 127.0.0.1:%d>",
             bine_server_address(server), ntohs(own.sin_port));
    if (!strstr(name_of_handler, expected))
        FAIL("%s does not end with %s", name_of_handler, expected);
    char text[4096] = "";
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(bine_dump(ends[1]));
    CHECK_GT(read(ends[0], text, sizeof text - 1), 0);
    close(ends[0]);
    close(ends[1]);
    CHECK(strstr(text, "accept connections of 127.0.0.1:") != NULL);
    CHECK(strstr(text, "server.c") == NULL);
    close(fd);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static int most;

static void answer_slowly(bine_datagram *datagram, void *arg)
{
    if (++handling > most)
        most = handling;
    CHECK_LE(datagram->size, 4u);
    bool killed = bine_sleep(BINE_MS) != 0;
    handling--;
    handled++;
    if (!killed)
        bine_datagram_reply(datagram, datagram->data, datagram->size);
}

TEST(datagram_server_keeps_to_its_limits_and_stops_gently)
{
    bine_datagram_server *datagrams = bine_datagram_server_new(
        &(bine_server_options){.address = "127.0.0.1:0", .limit = 2, .size = 4}, answer_slowly,
        NULL);
    CHECK_OK(bine_datagram_server_start(datagrams));
    int fd = connect_to_port(SOCK_DGRAM, bine_datagram_server_port(datagrams));
    for (int i = 0; i < 8; i++)
        CHECK_EQ(bine_send(fd, "0123456789", 10, 0), 10);
    for (int i = 0; i < 8; i++) {
        char buffer[16];
        CHECK_EQ(bine_recv(fd, buffer, sizeof buffer, 0), 4); /* longer ones are cut */
    }
    CHECK_EQ(most, 2);
    CHECK_EQ(bine_send(fd, "x", 1, 0), 1);
    until(&handling, 1);
    CHECK_OK(bine_datagram_server_stop(datagrams, BINE_FOREVER));
    CHECK_EQ(handled, 9);
    bine_close(fd);
    CHECK_OK(bine_datagram_server_free(datagrams));
}

TEST(datagram_server_on_a_unix_socket)
{
    char path[64], address[72];
    snprintf(path, sizeof path, "/tmp/bine-datagram-%d.sock", (int)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    bine_datagram_server *datagrams = bine_datagram_server_new(
        &(bine_server_options){.address = address, .mode = 0600}, answer_slowly, NULL);
    CHECK(datagrams != NULL);
    CHECK_EQ(bine_datagram_server_port(datagrams), 0);
    CHECK_OK(bine_datagram_server_start(datagrams));
    struct sockaddr_un own = {.sun_family = AF_UNIX}, to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    /* Any abstract name: unix(7), autobind. */
    CHECK_OK(bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)));
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    CHECK_EQ(bine_send(fd, "abc", 3, 0), 3);
    char buffer[16];
    CHECK_EQ(bine_recv(fd, buffer, sizeof buffer, 0), 3);
    bine_close(fd);
    CHECK_OK(bine_datagram_server_stop(datagrams, 0));
    CHECK_OK(bine_datagram_server_free(datagrams));
    CHECK_ERROR(access(path, F_OK), ENOENT);
}

TEST(datagram_server_bad_arguments)
{
    CHECK_ERROR(bine_datagram_server_new(NULL, answer_slowly, NULL), EINVAL);
    CHECK_ERROR(
        bine_datagram_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, NULL, NULL),
        EINVAL);
    CHECK_ERROR(bine_datagram_server_start(NULL), EINVAL);
    CHECK_ERROR(bine_datagram_server_serve(NULL), EINVAL);
    CHECK_ERROR(bine_datagram_server_stop(NULL, 0), EINVAL);
    CHECK_ERROR(bine_datagram_server_port(NULL), EINVAL);
    CHECK_ERROR(bine_datagram_reply(NULL, NULL, 0), EINVAL);
    CHECK_OK(bine_datagram_server_free(NULL));
}

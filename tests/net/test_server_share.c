/* Servers that share a place: workers on one port, on one Unix socket; and datagrams that a server
 * sends by itself. */
#include <arpa/inet.h>
#include <bine.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

enum {
    WORKERS = 3,
    CLIENTS = 90
};

static bine_server *first;
static bine_datagram_server *first_datagrams;
static atomic_int handled[WORKERS + 1]; /* by worker; the last: the first server's own thread */
static atomic_int ready;
static bine_event *over; /* shared */

static void tell_worker(bine_connection *connection, void *arg)
{
    CHECK_STRING(arg, "argument");
    handled[bine_worker() < 0 ? WORKERS : bine_worker()]++;
    CHECK_OK(bine_send_all(connection->fd, "done\n", 5));
}

static void *work(void *arg)
{
    bine_server *own = bine_server_share(first);
    CHECK(own != NULL);
    CHECK_STRING(bine_server_address(own), bine_server_address(first));
    CHECK_EQ(bine_server_port(own), bine_server_port(first));
    CHECK_NE(bine_server_fd(own), bine_server_fd(first));
    CHECK_OK(bine_server_start(own));
    ready++;
    CHECK_OK(bine_event_wait(over, BINE_FOREVER));
    CHECK_OK(bine_server_stop(own, BINE_FOREVER));
    CHECK_OK(bine_server_free(own));
    return arg;
}

static void *talk(void *arg)
{
    char *line;
    int fd = bine_dial(bine_server_address(first), BINE_FOREVER);
    CHECK_OK(fd);
    bine_reader *reader = bine_reader_new(fd, 0);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 1);
    CHECK_STRING(line, "done");
    CHECK_OK(bine_reader_free(reader));
    CHECK_OK(bine_close(fd));
    return arg;
}

/* Returns how many connections were handled by workers. */
static int serve_by_workers(const bine_server_options *options)
{
    bine_greenlet *all[CLIENTS];
    over = bine_event_new(BINE_SHARED);
    first = bine_server_new(options, tell_worker, "argument");
    CHECK(first != NULL);
    CHECK_OK(bine_server_start(first));
    bine_workers *workers = bine_workers_start(WORKERS, work, NULL);
    CHECK(workers != NULL);
    while (ready < WORKERS)
        CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < CLIENTS; i++)
        CHECK((all[i] = bine_spawn(talk, NULL)) != NULL);
    CHECK_OK(bine_joinall(all, CLIENTS, BINE_FOREVER));
    CHECK_OK(bine_event_set(over));
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    int others = handled[0] + handled[1] + handled[2];
    CHECK_EQ(others + handled[WORKERS], CLIENTS);
    /* It serves on when the others have gone. */
    talk(NULL);
    CHECK_OK(bine_server_stop(first, BINE_FOREVER));
    CHECK_OK(bine_server_free(first));
    CHECK_OK(bine_event_free(over));
    return others;
}

TEST(workers_listen_on_the_port_that_the_kernel_chose, .seconds = 60)
{
    int others = serve_by_workers(&(bine_server_options){
        .address = "127.0.0.1:0", .flags = BINE_SERVER_REUSE_PORT, .limit = 50});
    CHECK_GT(others, 0); /* each connection goes to one of four sockets, by its hash */
    for (int i = 0; i < WORKERS; i++)
        CHECK_GT(handled[i], 0);
}

TEST(workers_take_from_one_backlog_where_a_port_cannot_be_shared, .seconds = 60)
{
    serve_by_workers(&(bine_server_options){.address = "127.0.0.1:0"});
}

TEST(workers_share_a_unix_socket, .seconds = 60)
{
    harness_not_under_thread_sanitizer("it takes the child that binds for a fork, and sees no more "
                                       "of what this thread waits for");
    char address[64];
    snprintf(address, sizeof address, "unix:/tmp/bine-test-share-%d", (int)getpid());
    serve_by_workers(&(bine_server_options){.address = address, .mode = 0600});
    CHECK_ERROR(access(address + 5, F_OK), ENOENT);
}

TEST(sharing_fails_as_making_a_server_does)
{
    struct rlimit limit;
    CHECK_ERROR(bine_server_share(NULL), EINVAL);
    CHECK_ERROR(bine_datagram_server_share(NULL), EINVAL);
    first = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, tell_worker, NULL);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    int lowest = dup(0);
    CHECK_OK(close(lowest));
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)lowest, limit.rlim_max}));
    CHECK_ERROR(bine_server_share(first), EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_OK(bine_server_stop(first, 0));
    CHECK_ERROR(bine_server_share(first), EBADF);
    CHECK_OK(bine_server_free(first));
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static int datagram_client(char *address, size_t size)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_OK(bind(fd, (struct sockaddr *)&own, length));
    CHECK_OK(getsockname(fd, (struct sockaddr *)&own, &length));
    CHECK_GE(size, length);
    memcpy(address, &own, length);
    return fd;
}

static void send_back(bine_datagram *datagram, void *arg)
{
    CHECK_OK(bine_datagram_reply(datagram, datagram->data, datagram->size));
}

static void *send_elsewhere(void *to)
{
    CHECK_ERROR(bine_datagram_send(first_datagrams, to, sizeof(struct sockaddr_in), "x", 1), EPERM);
    return NULL;
}

TEST(a_datagram_server_sends_by_itself)
{
    struct sockaddr_in to, from;
    socklen_t length = sizeof from;
    char buffer[16];
    const struct sockaddr *peer = (struct sockaddr *)&to;
    int fd = datagram_client((char *)&to, sizeof to);
    first_datagrams =
        bine_datagram_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, send_back, NULL);
    CHECK_GE(bine_datagram_server_fd(first_datagrams), 0);
    CHECK_EQ(bine_datagram_server_fd(NULL), -1);
    /* Before it starts, too. */
    CHECK_OK(bine_datagram_send(first_datagrams, peer, sizeof to, "hello", 5));
    CHECK_EQ(bine_recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length), 5);
    CHECK_MEMORY(buffer, "hello", 5);
    CHECK_EQ(ntohs(from.sin_port), bine_datagram_server_port(first_datagrams));
    CHECK_OK(bine_datagram_server_start(first_datagrams));
    CHECK_OK(bine_datagram_send(first_datagrams, peer, sizeof to, NULL, 0));
    CHECK_EQ(bine_recv(fd, buffer, sizeof buffer, 0), 0);

    CHECK_ERROR(bine_datagram_send(NULL, peer, sizeof to, "x", 1), EINVAL);
    CHECK_ERROR(bine_datagram_send(first_datagrams, NULL, 0, "x", 1), EINVAL);
    CHECK_ERROR(bine_datagram_send(first_datagrams, peer, sizeof to, NULL, 1), EINVAL);
    static char much[70000];
    CHECK_ERROR(bine_datagram_send(first_datagrams, peer, sizeof to, much, sizeof much), EMSGSIZE);
    bine_workers *workers = bine_workers_start(1, send_elsewhere, &to);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    CHECK_OK(bine_datagram_server_stop(first_datagrams, 0));
    CHECK_EQ(bine_datagram_server_fd(first_datagrams), -1);
    CHECK_ERROR(bine_datagram_send(first_datagrams, peer, sizeof to, "x", 1), EBADF);
    CHECK_ERROR(bine_datagram_server_share(first_datagrams), EBADF);
    CHECK_OK(bine_datagram_server_free(first_datagrams));
    CHECK_OK(bine_close(fd));
}

static void *answer_in_worker(void *arg)
{
    bine_datagram_server *own = bine_datagram_server_share(first_datagrams);
    CHECK(own != NULL);
    CHECK_EQ(bine_datagram_server_port(own), bine_datagram_server_port(first_datagrams));
    CHECK_OK(bine_datagram_server_start(own));
    ready++;
    CHECK_OK(bine_event_wait(over, BINE_FOREVER));
    CHECK_OK(bine_datagram_server_stop(own, BINE_SECOND));
    CHECK_OK(bine_datagram_server_free(own));
    return arg;
}

TEST(workers_share_datagrams)
{
    for (int with_port = 0; with_port < 2; with_port++) {
        char buffer[16];
        over = bine_event_new(BINE_SHARED);
        ready = 0;
        bine_server_options options = {.address = "127.0.0.1:0",
                                       .flags = with_port ? BINE_SERVER_REUSE_PORT : 0};
        first_datagrams = bine_datagram_server_new(&options, send_back, NULL);
        CHECK_OK(bine_datagram_server_start(first_datagrams));
        bine_workers *workers = bine_workers_start(2, answer_in_worker, NULL);
        while (ready < 2)
            CHECK_OK(bine_sleep(BINE_MS));
        struct sockaddr_in own,
            to = {.sin_family = AF_INET,
                  .sin_port = htons((in_port_t)bine_datagram_server_port(first_datagrams)),
                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        for (int i = 0; i < 20; i++) { /* from many ports: the kernel chooses the socket by them */
            int fd = datagram_client((char *)&own, sizeof own);
            CHECK_EQ(bine_sendto(fd, "ping", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
            CHECK_EQ(bine_recv(fd, buffer, sizeof buffer, 0), 4);
            CHECK_OK(bine_close(fd));
        }
        CHECK_OK(bine_event_set(over));
        CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
        CHECK_OK(bine_datagram_server_stop(first_datagrams, BINE_SECOND));
        CHECK_OK(bine_datagram_server_free(first_datagrams));
        CHECK_OK(bine_event_free(over));
    }
}

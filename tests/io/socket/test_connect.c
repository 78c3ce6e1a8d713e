/* connect, accept: every way they can end. */
#include <stdlib.h>
#include <sys/resource.h>

#include "io/one_call.h"

struct connecting {
    int fd;
    const struct sockaddr *address;
    socklen_t length;
    int result, error;
    bool done;
};

static void *call_connect(void *arg)
{
    struct connecting *call = arg;
    call->result = bine_connect(call->fd, call->address, call->length);
    call->error = call->result < 0 ? errno : 0;
    call->done = true;
    return NULL;
}

static struct sockaddr_in unused_port(void)
{
    struct sockaddr_in address;
    int listener = tcp_listener(&address, 1);
    CHECK_OK(bine_close(listener));
    return address;
}

TEST(a_connection_is_made_and_accepted)
{
    struct sockaddr_in address = {0}, peer = {0};
    socklen_t length = sizeof peer;
    int listener = tcp_listener(&address, 4);
    struct one_call accepting = {.fd = listener};
    bine_greenlet *g = bine_spawn(call_accept, &accepting);
    let_run();
    CHECK(!accepting.done);
    int fd = tcp_socket();
    CHECK_EQ(bine_connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_OK(accepting.result);
    CHECK_OK(getpeername(fd, (struct sockaddr *)&peer, &length));
    CHECK_EQ(peer.sin_port, address.sin_port);
    CHECK_EQ(bine_write(fd, "x", 1), 1);
    char byte = 0;
    CHECK_EQ(bine_read((int)accepting.result, &byte, 1), 1);
    CHECK_ERROR(bine_connect(fd, (struct sockaddr *)&address, sizeof address), EISCONN);
    CHECK_OK(bine_close((int)accepting.result));
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_close(listener));
}

TEST(accept_tells_the_peer_s_address_and_takes_flags)
{
    struct sockaddr_in address, peer = {0}, own = {0};
    socklen_t length = sizeof peer, own_length = sizeof own;
    int listener = tcp_listener(&address, 4);
    int fd = tcp_socket();
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&address, sizeof address));
    int made =
        bine_accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK_OK(made);
    CHECK_OK(getsockname(fd, (struct sockaddr *)&own, &own_length));
    CHECK_EQ(length, sizeof peer);
    CHECK_EQ(peer.sin_port, own.sin_port);
    CHECK(fcntl(made, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(made, F_GETFD) & FD_CLOEXEC);
    char byte;
    CHECK_ERROR(bine_read(made, &byte, 1), EAGAIN);
    CHECK_ERROR(bine_accept4(listener, NULL, NULL, -1), EINVAL);
    CHECK_OK(bine_close(made));
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_close(listener));
}

TEST(a_refused_connection_says_so_and_the_socket_can_be_used_again)
{
    struct sockaddr_in nobody = unused_port(), address;
    int listener = tcp_listener(&address, 4), fd = tcp_socket();
    for (int i = 0; i < 2; i++)
        CHECK_ERROR(bine_connect(fd, (struct sockaddr *)&nobody, sizeof nobody), ECONNREFUSED);
    CHECK_EQ(bine_connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_close(listener));
}

TEST(a_non_blocking_connect_is_in_progress)
{
    struct sockaddr_in address;
    int listener = tcp_listener(&address, 4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_OK(fd);
    CHECK_ERROR(bine_connect(fd, (struct sockaddr *)&address, sizeof address), EINPROGRESS);
    struct pollfd connected = {.fd = fd, .events = POLLOUT};
    CHECK_EQ(bine_poll(&connected, 1, 5000), 1);
    int error = -1;
    socklen_t length = sizeof error;
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
    CHECK_EQ(error, 0);
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_close(listener));
}

/* Listeners that take no more: SYNs are dropped, so a connect hangs. */
struct full {
    struct sockaddr_in address;
    int listener, others[8];
};

static void fill_backlog(struct full *full)
{
    full->listener = tcp_listener(&full->address, 0);
    for (int i = 0; i < 8; i++) {
        full->others[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(full->others[i], (struct sockaddr *)&full->address, sizeof full->address);
    }
    let_run();
}

static void empty_backlog(struct full *full)
{
    for (int i = 0; i < 8; i++)
        CHECK_OK(close(full->others[i]));
    CHECK_OK(bine_close(full->listener));
}

TEST(a_connect_that_hangs_obeys_so_sndtimeo_kill_and_close)
{
    struct full full;
    fill_backlog(&full);
    const struct sockaddr *address = (struct sockaddr *)&full.address;
    int fd = tcp_socket();
    struct timeval timeout = {0, 30000}, after = {0};
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout));
    bine_descriptor_option_changed(fd, SOL_SOCKET, SO_SNDTIMEO);
    CHECK_ERROR(bine_connect(fd, address, sizeof full.address), EINPROGRESS);
    CHECK_ERROR(bine_connect(fd, address, sizeof full.address), EALREADY);
    socklen_t length = sizeof after;
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &after, &length));
    CHECK_GE(after.tv_usec, 30000); /* as it was set: rounded up to ticks, not lost */
    CHECK_LT(after.tv_usec, 50000);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    CHECK_OK(bine_close(fd));

    struct connecting call = {
        .fd = tcp_socket(), .address = address, .length = sizeof full.address};
    bine_greenlet *g = bine_spawn(call_connect, &call);
    let_run();
    CHECK(!call.done);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call.error, ECANCELED);
    CHECK_OK(bine_close(call.fd));

    call =
        (struct connecting){.fd = tcp_socket(), .address = address, .length = sizeof full.address};
    g = bine_spawn(call_connect, &call);
    let_run();
    CHECK(!call.done);
    CHECK_OK(bine_close(call.fd));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call.error, EBADF);
    empty_backlog(&full);
}

static struct sockaddr_un unix_address(const char *tag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "bine-test-%s-%d", tag,
             (int)getpid());
    return address;
}

TEST(a_unix_connect_waits_for_room_in_the_backlog)
{
    struct sockaddr_un address = unix_address("backlog");
    int listener = announced(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET);
    CHECK_OK(bind(listener, (struct sockaddr *)&address, sizeof address));
    CHECK_OK(listen(listener, 0));
    int first = announced(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET);
    CHECK_EQ(bine_connect(first, (struct sockaddr *)&address, sizeof address), 0);
    struct connecting call = {
        .fd = announced(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET),
        .address = (struct sockaddr *)&address,
        .length = sizeof address};
    bine_greenlet *g = bine_spawn(call_connect, &call);
    let_run();
    CHECK(!call.done);
    int made = bine_accept(listener, NULL, NULL);
    CHECK_OK(made);
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call.result, 0);
    /* Full again: one that must not wait. */
    int third = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_ERROR(bine_connect(third, (struct sockaddr *)&address, sizeof address), EAGAIN);
    CHECK_OK(bine_close(third));
    CHECK_OK(bine_close(made));
    CHECK_OK(bine_close(call.fd));
    CHECK_OK(bine_close(first));
    CHECK_OK(bine_close(listener));
    /* Nobody there any more. */
    int late = announced(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET);
    CHECK_ERROR(bine_connect(late, (struct sockaddr *)&address, sizeof address), ECONNREFUSED);
    CHECK_OK(bine_close(late));
}

TEST(datagram_sockets_connect_at_once)
{
    struct sockaddr_in address = unused_port();
    int fd = announced(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), BINE_FD_SOCKET);
    CHECK_EQ(bine_connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_ERROR(bine_accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_OK(bine_close(fd));
}

TEST(accept_refuses_what_does_not_listen)
{
    int fds[2];
    int fd = tcp_socket();
    CHECK_ERROR(bine_accept(fd, NULL, NULL), EINVAL);
    CHECK_OK(bine_close(fd));
    pipe_pair(fds);
    CHECK_ERROR(bine_accept(fds[0], NULL, NULL), ENOTSOCK);
    close_pair(fds);
}

TEST(a_non_blocking_listener_says_eagain)
{
    struct sockaddr_in address;
    int listener = tcp_listener(&address, 4);
    CHECK_OK(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK));
    bine_descriptor_set_nonblocking(listener, true);
    CHECK_ERROR(bine_accept(listener, NULL, NULL), EAGAIN);
    bine_descriptor_trust(true);
    CHECK_ERROR(bine_accept(listener, NULL, NULL), EAGAIN);
    bine_descriptor_trust(false);
    CHECK_OK(bine_close(listener));
}

TEST(so_rcvtimeo_ends_accept)
{
    struct sockaddr_in address;
    int listener = tcp_listener(&address, 4);
    struct timeval timeout = {0, 20000};
    CHECK_OK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    bine_descriptor_option_changed(listener, SOL_SOCKET, SO_RCVTIMEO);
    CHECK_ERROR(bine_accept(listener, NULL, NULL), EAGAIN);
    /* And is inherited, as TCP does. */
    int fd = tcp_socket();
    char byte;
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&address, sizeof address));
    int made = bine_accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK_OK(made);
    CHECK_ERROR(bine_read(made, &byte, 1), EAGAIN);
    CHECK_OK(bine_close(made));
    CHECK_OK(bine_close(fd));
    CHECK_OK(bine_close(listener));
}

TEST(several_greenlets_accept_on_one_listener)
{
    enum {
        COUNT = 6
    };
    struct sockaddr_in address;
    int listener = tcp_listener(&address, COUNT), clients[COUNT];
    struct one_call calls[COUNT] = {0};
    bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        calls[i].fd = listener;
        all[i] = bine_spawn(call_accept, &calls[i]);
    }
    let_run();
    for (int i = 0; i < COUNT; i++) {
        clients[i] = tcp_socket();
        CHECK_OK(bine_connect(clients[i], (struct sockaddr *)&address, sizeof address));
    }
    CHECK_OK(bine_joinall(all, COUNT, 10 * BINE_SECOND));
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(calls[i].result);
        CHECK_OK(bine_close((int)calls[i].result));
        CHECK_OK(bine_close(clients[i]));
    }
    CHECK_OK(bine_close(listener));
}

static void *close_some(void *arg)
{
    int *fds = arg;
    CHECK_OK(bine_sleep(30 * BINE_MS));
    CHECK_OK(bine_close(fds[0]));
    return NULL;
}

TEST(hazard_29_accept_without_descriptors_backs_off_and_goes_on)
{
    harness_not_under_valgrind(
        "it accepts the connection, and then closes it because of the limit");
    struct sockaddr_in address;
    int listener = tcp_listener(&address, 4);
    int client = tcp_socket(), spare[1] = {tcp_socket()};
    CHECK_OK(bine_connect(client, (struct sockaddr *)&address, sizeof address));
    CHECK(bine_getcurrent() != NULL);
    struct pollfd never = {.fd = client, .events = POLLPRI};
    CHECK_EQ(bine_poll(&never, 1, 1), 0); /* the poller has its own descriptors now */
    struct rlimit before, none;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    int probe = fcntl(0, F_DUPFD_CLOEXEC, 0); /* the lowest free number */
    CHECK_OK(probe);
    CHECK_OK(close(probe));
    none = before;
    none.rlim_cur = (rlim_t)probe;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    /* The naive loop: try again at once. Somebody closes a descriptor after 30 ms. */
    bine_greenlet *g = bine_spawn(close_some, spare);
    unsigned tries = 0;
    int made;
    while ((made = bine_accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        CHECK(errno == EMFILE);
        tries++;
        CHECK_LT(tries, 200u); /* with a pause of 1, 2, 4 ... ms that is many seconds */
    }
    CHECK_GE(tries, 1u);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    CHECK_OK(bine_close(made));
    CHECK_OK(bine_close(client));
    CHECK_OK(bine_close(listener));
}

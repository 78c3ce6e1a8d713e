/*
 * Dialling. bine_connect connects a single address. Several are raced, in the caller's own
 * greenlet. Their sockets are non-blocking until one has won, and are kept in one array, so that a
 * kill at any moment finds all of them.
 */
#include <bine/dial.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bine/greenlet.h>
#include <bine/io.h>

#include "address.h"
#include "io/descriptor/descriptor.h"
#include "libc/libc.h"

enum {
    MOST = 32,  /* addresses of a name that are tried */
    DELAY = 250 /* ms between the beginnings of two tries (RFC 8305, section 8) */
};

/* ---- one address ----------------------------------------------------------------------------- */

/* Returns the descriptor, or -1 with errno. */
static int make_socket(int family, bool nonblocking)
{
    int on = 1, fd = bine_libc.socket(
                    family, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0)
        return -1;
    bine_descriptor_fresh(fd, BINE_FD_SOCKET, nonblocking);
    bine_descriptor_no_options(fd);
    if (family != AF_UNIX)
        bine_libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int connect_one(const struct sockaddr *address, socklen_t length)
{
    int fd = make_socket(address->sa_family, false);
    if (fd < 0 || bine_connect(fd, address, length) == 0)
        return fd;
    int error = errno;
    bine_close(fd);
    errno = error;
    return -1;
}

/* ---- several --------------------------------------------------------------------------------- */

struct race {
    const struct addrinfo *all[MOST]; /* in the order in which they are tried */
    size_t count, begun;
    struct pollfd tries[MOST]; /* those under way */
    size_t under_way;
    int error; /* of the first that failed */
};

/* IPv6 and IPv4 in turn, beginning with the family that the look-up put first. */
static void interleave(struct race *race, const struct addrinfo *list)
{
    const struct addrinfo *same = list, *other = list;
    int family = list->ai_family;
    bool turn = true;
    while (race->count < MOST && (same || other)) {
        const struct addrinfo **next = (turn && same) || !other ? &same : &other;
        bool wanted = ((*next)->ai_family == family) == (next == &same);
        if (wanted)
            race->all[race->count++] = *next;
        *next = (*next)->ai_next;
        turn ^= wanted;
    }
}

static void note_error(struct race *race, int error)
{
    if (!race->error)
        race->error = error;
}

/* Close all but this one (-1: all). */
static void close_tries(struct race *race, int winner)
{
    for (size_t i = 0; i < race->under_way; i++)
        if (race->tries[i].fd != winner)
            bine_close(race->tries[i].fd);
}

static int win(struct race *race, int fd)
{
    close_tries(race, fd);
    int flags = bine_libc.fcntl(fd, F_GETFL);
    if (flags < 0 || bine_libc.fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) {
        int error = errno;
        bine_close(fd);
        errno = error;
        return -1;
    }
    bine_descriptor_set_nonblocking(fd, false);
    return fd;
}

/* Begin the next try. Returns its descriptor if it is connected already, else -1. */
static int begin_try(struct race *race)
{
    const struct addrinfo *to = race->all[race->begun++];
    int fd = make_socket(to->ai_family, true);
    if (fd < 0) {
        note_error(race, errno);
        return -1;
    }
    bool connected = bine_libc.connect(fd, to->ai_addr, to->ai_addrlen) == 0;
    if (!connected && errno != EINPROGRESS) {
        note_error(race, errno);
        bine_close(fd);
        return -1;
    }
    race->tries[race->under_way++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    return connected ? fd : -1;
}

/* Look at those that poll found. Returns the descriptor of one that is connected, else -1. */
static int look_at_tries(struct race *race)
{
    for (size_t i = 0; i < race->under_way;) {
        struct pollfd *each = &race->tries[i];
        int error = 0;
        socklen_t size = sizeof error;
        if (!each->revents) {
            i++;
            continue;
        }
        if (each->revents & POLLNVAL)
            error = EBADF; /* another greenlet has closed it */
        else if (getsockopt(each->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        if (!error)
            return each->fd;
        note_error(race, error);
        if (error != EBADF)
            bine_close(each->fd);
        race->tries[i] = race->tries[--race->under_way];
    }
    return -1;
}

static int run_race(struct race *race)
{
    bool due = true;
    for (;;) {
        int fd = -1;
        while (race->begun < race->count && fd < 0 && (due || !race->under_way)) {
            size_t before = race->under_way;
            fd = begin_try(race);
            due = race->under_way == before; /* failed: the next at once */
        }
        if (fd >= 0)
            return win(race, fd);
        if (!race->under_way) {
            errno = race->error;
            return -1;
        }
        int ready = bine_poll(race->tries, race->under_way, race->begun < race->count ? DELAY : -1);
        if (ready < 0 && errno != EINTR) {
            int error = errno;
            close_tries(race, -1);
            errno = error;
            return -1;
        }
        size_t before = race->under_way;
        if (ready > 0 && (fd = look_at_tries(race)) >= 0)
            return win(race, fd);
        due = ready == 0 || race->under_way < before;
    }
}

/* ---- dialling -------------------------------------------------------------------------------- */

static int dial_name(const struct bine_address_parts *parts)
{
    struct addrinfo *list = NULL;
    int error = bine_address_look_up(parts, SOCK_STREAM, false, &list), fd;
    if (error) {
        errno = error;
        return -1;
    }
    if (list->ai_next) {
        struct race race = {.count = 0};
        interleave(&race, list);
        fd = run_race(&race);
    } else {
        fd = connect_one(list->ai_addr, list->ai_addrlen);
    }
    error = errno;
    freeaddrinfo(list);
    errno = error;
    return fd;
}

static int dial(const struct bine_address_parts *parts)
{
    struct sockaddr_storage address;
    socklen_t length;
    /* a server's every address; a client's own machine */
    bool here = !parts->local && !parts->host[0];
    if (!here && bine_address_parse(parts, &address, &length))
        return connect_one((const struct sockaddr *)&address, length);
    return dial_name(parts);
}

int bine_dial(const char *address, int64_t timeout)
{
    struct bine_address_parts parts;
    bine_timeout scope;
    if (bine_address_split(address, &parts) != NULL || timeout < 0) {
        errno = EINVAL;
        return -1;
    }
    int saved = errno;
    if (bine_timeout_begin(&scope, timeout) != 0)
        return -1;
    int fd = dial(&parts), error = errno;
    bine_timeout_end(&scope);
    errno = fd < 0 ? error : saved;
    return fd;
}

int bine_send_all(int fd, const void *data, size_t size)
{
    const char *next = data;
    if (!data && size) {
        errno = EINVAL;
        return -1;
    }
    while (size > 0) {
        ssize_t sent = bine_send(fd, next, size, MSG_NOSIGNAL);
        if (sent < 0)
            return -1;
        next += sent;
        size -= (size_t)sent;
    }
    return 0;
}

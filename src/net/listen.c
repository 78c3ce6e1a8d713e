/* Sockets bound to addresses. See listen.h. */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include <bine/io.h>

#include "io/descriptor/descriptor.h"
#include "libc/libc.h"
#include "unix_file.h"

/* The file of a Unix socket whose server has gone stays in the file system, and connections to it
 * are refused. So it is removed. */
static int bind_unix(int fd, const struct sockaddr_un *address, socklen_t length, int type,
                     unsigned mode)
{
    int error = bine_unix_bind(fd, address, length, mode);
    if (error == EADDRINUSE && bine_unix_remove_stale(address, length, type))
        error = bine_unix_bind(fd, address, length, mode);
    return error;
}

static int bind_and_listen(int fd, const struct sockaddr_storage *address, socklen_t length,
                           int type, const bine_server_options *options)
{
    int on = 1, off = 0;
    if (address->ss_family != AF_UNIX) {
        /* A restarted server must not wait for the old connections' TIME_WAIT. Not for datagrams,
         * where it would let two servers have the same port unnoticed. */
        if (type == SOCK_STREAM)
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if ((options->flags & BINE_SERVER_REUSE_PORT) &&
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
            return errno;
    }
    if (address->ss_family == AF_INET6) {
        bool only = options->flags & BINE_SERVER_IPV6_ONLY;
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, only ? &on : &off, sizeof on);
    }
    int error = 0;
    if (address->ss_family == AF_UNIX)
        error = bind_unix(fd, (const struct sockaddr_un *)address, length, type, options->mode);
    else if (bind(fd, (const struct sockaddr *)address, length) != 0)
        error = errno;
    if (error)
        return error;
    if (type == SOCK_STREAM && listen(fd, options->backlog ? options->backlog : SOMAXCONN) != 0)
        return errno;
    return 0;
}

/* One socket listens at one address: of a name's, the first of IPv4, since everybody can reach
 * that. */
static int look_up(const struct bine_address_parts *parts, int type,
                   struct sockaddr_storage *address, socklen_t *length)
{
    struct addrinfo *list = NULL;
    int error = bine_address_look_up(parts, type, true, &list);
    if (error)
        return error;
    const struct addrinfo *chosen = list;
    while (chosen && chosen->ai_family != AF_INET)
        chosen = chosen->ai_next;
    if (!chosen)
        chosen = list;
    memset(address, 0, sizeof *address);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a look-up that succeeds has found one */
    memcpy(address, chosen->ai_addr, chosen->ai_addrlen);
    *length = chosen->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

static int find_address(const char *text, int type, struct sockaddr_storage *address,
                        socklen_t *length)
{
    struct bine_address_parts parts;
    if (bine_address_split(text, &parts) != NULL)
        return EINVAL;
    return bine_address_parse(&parts, address, length) ? 0 : look_up(&parts, type, address, length);
}

int bine_listen(const bine_server_options *options, int type, int *fd)
{
    struct sockaddr_storage address;
    socklen_t length;
    unsigned known =
        BINE_SERVER_REUSE_PORT | BINE_SERVER_IPV6_ONLY | BINE_SERVER_DELAY | BINE_SERVER_SIGPIPE;
    if ((options->flags & ~known) || options->backlog < 0 || (options->mode & ~0777u) ||
        BINE_RESERVED_USED(options))
        return EINVAL;
    if (!options->address) {
        *fd = options->fd;
        return options->fd > 0 ? 0 : EINVAL;
    }
    int error = find_address(options->address, type, &address, &length);
    if (error)
        return error;
    *fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    bine_descriptor_fresh(*fd, BINE_FD_SOCKET, 0);
    error = bind_and_listen(*fd, &address, length, type, options);
    if (error)
        bine_close(*fd);
    return error;
}

enum bine_trouble bine_listen_trouble(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return BINE_TROUBLE_SHORTAGE;
    case EPERM:
    case EACCES:
    case ENOSYS:
        return BINE_TROUBLE_POLICY;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
    case ECANCELED:
    case ETIMEDOUT:
    case EDEADLK:
        return BINE_TROUBLE_FINAL;
    default:
        /* Trouble of one connection that was lost before it was accepted: accept(2) passes network
         * errors on. */
        return BINE_TROUBLE_PASSING;
    }
}

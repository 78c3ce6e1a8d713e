/* Addresses as text, and sockets bound to them. See listen.h. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bine/io.h>

#include "../core/libc.h"
#include "../io/descriptor.h"
#include "unix_file.h"

static int parse_unix(const char *path, struct sockaddr_un *address, socklen_t *length)
{
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address->sun_path)
        return EINVAL;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size);
    if (path[0] == '@')
        address->sun_path[0] = '\0'; /* abstract (unix(7)): the name ends with the length, not with a zero */
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] != '@'));
    return 0;
}

static int parse_port(const char *text, in_port_t *port)
{
    char *end;
    if (*text < '0' || *text > '9')
        return EINVAL;
    unsigned long number = strtoul(text, &end, 10);
    if (*end || number > 65535)
        return EINVAL;
    *port = htons((in_port_t)number);
    return 0;
}

int bine_address_parse(const char *text, struct sockaddr_storage *address, socklen_t *length)
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, (struct sockaddr_un *)address, length);
    char host[INET6_ADDRSTRLEN + 1];
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    const char *begin = text + bracketed, *end = colon;
    if (!colon || (bracketed && (end == begin || *--end != ']')) || (size_t)(end - begin) >= sizeof host)
        return EINVAL;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';

    memset(address, 0, sizeof *address);
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    if (!bracketed && inet_pton(AF_INET, host[0] ? host : "0.0.0.0", &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        *length = sizeof *in;
        return parse_port(colon + 1, &in->sin_port);
    }
    if (bracketed && inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        *length = sizeof *in6;
        return parse_port(colon + 1, &in6->sin6_port);
    }
    return EINVAL;
}

void bine_address_format(const struct sockaddr *address, socklen_t length, char text[BINE_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    int path = (int)length - (int)offsetof(struct sockaddr_un, sun_path);
    if (address->sa_family == AF_INET)
        snprintf(text, BINE_ADDRESS_TEXT, "%s:%d", inet_ntop(AF_INET, &in->sin_addr, host, sizeof host),
                 ntohs(in->sin_port));
    else if (address->sa_family == AF_INET6)
        snprintf(text, BINE_ADDRESS_TEXT, "[%s]:%d", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host),
                 ntohs(in6->sin6_port));
    else if (address->sa_family == AF_UNIX && path > 0 && un->sun_path[0] == '\0')
        snprintf(text, BINE_ADDRESS_TEXT, "unix:@%.*s", path - 1, un->sun_path + 1);
    else if (address->sa_family == AF_UNIX && path > 0)
        snprintf(text, BINE_ADDRESS_TEXT, "unix:%.*s", path, un->sun_path);
    else
        snprintf(text, BINE_ADDRESS_TEXT, "?");
}

/* A Unix socket whose server has gone stays in the file system and refuses connections: take it away. */
static int bind_unix(int fd, const struct sockaddr_un *address, socklen_t length, int type, unsigned mode)
{
    int error = bine_unix_bind(fd, address, length, mode);
    if (error == EADDRINUSE && bine_unix_remove_stale(address, length, type))
        error = bine_unix_bind(fd, address, length, mode);
    return error;
}

static int bind_and_listen(int fd, const struct sockaddr_storage *address, socklen_t length, int type,
                           const bine_server_options *options)
{
    int on = 1, off = 0;
    if (address->ss_family != AF_UNIX) {
        /* A restarted server must not wait for the old connections' TIME_WAIT. Not for datagrams, where it
         * would let two servers have the same port unnoticed. */
        if (type == SOCK_STREAM)
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if ((options->flags & BINE_SERVER_REUSE_PORT) && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
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

int bine_listen(const bine_server_options *options, int type, int *fd)
{
    struct sockaddr_storage address;
    socklen_t length;
    unsigned known = BINE_SERVER_REUSE_PORT | BINE_SERVER_IPV6_ONLY | BINE_SERVER_DELAY;
    if ((options->flags & ~known) || options->backlog < 0 || (options->mode & ~0777u))
        return EINVAL;
    if (!options->address) {
        *fd = options->fd;
        return options->fd > 0 ? 0 : EINVAL;
    }
    int error = bine_address_parse(options->address, &address, &length);
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
        /* Trouble of one connection that was lost before it was accepted: accept(2) passes network errors on. */
        return BINE_TROUBLE_PASSING;
    }
}

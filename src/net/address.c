/* Addresses as text. See address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bine/dial.h>

static const char *split_local(const char *path, struct bine_address_parts *parts)
{
    size_t size = strlen(path);
    parts->local = true;
    if (size == 0)
        return "the path of the Unix socket is empty";
    if (size >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "the path of the Unix socket has more than 107 bytes";
    memcpy(parts->host, path, size + 1);
    return NULL;
}

static bool is_number(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

static const char *split_service(const char *service, struct bine_address_parts *parts)
{
    if (!*service)
        return "the port is missing behind the colon";
    if (strlen(service) >= sizeof parts->service)
        return "the port is too long";
    if (is_number(service) ? strtoul(service, NULL, 10) > 65535 : !isalnum((unsigned char)*service))
        return is_number(service) ? "the port is over 65535"
                                  : "the port is neither a number nor a service's name";
    memcpy(parts->service, service, strlen(service) + 1);
    return NULL;
}

/* Is it an IPv6 address, perhaps with a scope behind it: "fe80::1%eth0"? */
static bool is_ipv6(const char *host)
{
    char bare[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    size_t size = strcspn(host, "%");
    if (size >= sizeof bare || (host[size] && !host[size + 1]))
        return false;
    memcpy(bare, host, size);
    bare[size] = '\0';
    return inet_pton(AF_INET6, bare, &ignored) == 1;
}

static const char *split_host(const char *begin, const char *end, struct bine_address_parts *parts)
{
    size_t size = (size_t)(end - begin);
    if (size > 253)
        return "the host's name has more than 253 bytes";
    memcpy(parts->host, begin, size);
    parts->host[size] = '\0';
    if (parts->bracketed)
        return is_ipv6(parts->host) ? NULL : "what stands in brackets is no IPv6 address";
    if (strchr(parts->host, '/'))
        return "this is a URL: write HOST:PORT";
    if (strpbrk(parts->host, ":[]"))
        return "an IPv6 address needs brackets: [::1]:80";
    for (const char *each = parts->host; *each; each++)
        if (isspace((unsigned char)*each) || iscntrl((unsigned char)*each))
            return "the host's name has a blank in it";
    return NULL;
}

const char *bine_address_split(const char *text, struct bine_address_parts *parts)
{
    if (!text)
        return "there is no address";
    parts->bracketed = parts->local = false;
    parts->host[0] = parts->service[0] = '\0';
    if (strncmp(text, "unix:", 5) == 0)
        return split_local(text + 5, parts);
    const char *begin = text, *end = strrchr(text, ':'), *bracket = strchr(text, ']');
    if (text[0] == '[') {
        if (!bracket)
            return "the bracket is not closed";
        if (bracket[1] != ':')
            return "behind the bracket stand a colon and the port: [::1]:80";
        parts->bracketed = true;
        begin = text + 1;
        end = bracket;
    }
    if (!end)
        return "no port: write HOST:PORT";
    const char *wrong = split_host(begin, end, parts);
    return wrong ? wrong : split_service(end + (parts->bracketed ? 2 : 1), parts);
}

const char *bine_address_error(const char *address)
{
    struct bine_address_parts parts;
    return bine_address_split(address, &parts);
}

static void parse_local(const char *path, struct sockaddr_un *address, socklen_t *length)
{
    size_t size = strlen(path);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size);
    if (path[0] == '@')
        /* abstract (unix(7)): the name ends with the length, not with a zero */
        address->sun_path[0] = '\0';
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] != '@'));
}

bool bine_address_parse(const struct bine_address_parts *parts, struct sockaddr_storage *address,
                        socklen_t *length)
{
    memset(address, 0, sizeof *address);
    if (parts->local) {
        parse_local(parts->host, (struct sockaddr_un *)address, length);
        return true;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    if (!is_number(parts->service))
        return false;
    in_port_t port = htons((in_port_t)strtoul(parts->service, NULL, 10));
    if (!parts->bracketed &&
        inet_pton(AF_INET, parts->host[0] ? parts->host : "0.0.0.0", &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = port;
        *length = sizeof *in;
        return true;
    }
    if (parts->bracketed && inet_pton(AF_INET6, parts->host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = port;
        *length = sizeof *in6;
        return true;
    }
    return false;
}

static void format_ipv6(const struct sockaddr_in6 *in6, char text[BINE_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN], interface[IF_NAMESIZE], scope[IF_NAMESIZE + 1] = "";
    if (in6->sin6_scope_id && if_indextoname(in6->sin6_scope_id, interface))
        snprintf(scope, sizeof scope, "%%%s", interface);
    else if (in6->sin6_scope_id)
        snprintf(scope, sizeof scope, "%%%u", (unsigned)in6->sin6_scope_id);
    snprintf(text, BINE_ADDRESS_TEXT, "[%s%s]:%d",
             inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host), scope, ntohs(in6->sin6_port));
}

void bine_address_format(const struct sockaddr *address, socklen_t length,
                         char text[BINE_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    int path = (int)length - (int)offsetof(struct sockaddr_un, sun_path);
    if (address->sa_family == AF_INET)
        snprintf(text, BINE_ADDRESS_TEXT, "%s:%d",
                 inet_ntop(AF_INET, &in->sin_addr, host, sizeof host), ntohs(in->sin_port));
    else if (address->sa_family == AF_INET6)
        format_ipv6((const struct sockaddr_in6 *)address, text);
    else if (address->sa_family == AF_UNIX && path > 0 && un->sun_path[0] == '\0')
        snprintf(text, BINE_ADDRESS_TEXT, "unix:@%.*s", path - 1, un->sun_path + 1);
    else if (address->sa_family == AF_UNIX && path > 0)
        snprintf(text, BINE_ADDRESS_TEXT, "unix:%.*s", path, un->sun_path);
    else
        snprintf(text, BINE_ADDRESS_TEXT, "?");
}

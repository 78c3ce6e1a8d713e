/*
 * Hooks of the dns family: calls that ask name services. src/io does the work, by making each call
 * as a whole on a thread of the pool.
 */
#include <bine/names.h>

#include "patch/table/hook.h"

int hook_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getaddrinfo(node, service, hints, result);
    return bine_getaddrinfo(node, service, hints, result);
}

int hook_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                     socklen_t host_size, char *service, socklen_t service_size, int flags)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getnameinfo(address, length, host, host_size, service, service_size,
                                     flags);
    return bine_getnameinfo(address, length, host, host_size, service, service_size, flags);
}

struct hostent *hook_gethostbyname(const char *name)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.gethostbyname(name);
    return bine_gethostbyname(name);
}

struct hostent *hook_gethostbyname2(const char *name, int family)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.gethostbyname2(name, family);
    return bine_gethostbyname2(name, family);
}

struct hostent *hook_gethostbyaddr(const void *address, socklen_t length, int family)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.gethostbyaddr(address, length, family);
    return bine_gethostbyaddr(address, length, family);
}

int hook_gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size,
                         struct hostent **result, int *h_error)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.gethostbyname_r(name, entry, buffer, size, result, h_error);
    return bine_gethostbyname_r(name, entry, buffer, size, result, h_error);
}

int hook_gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer,
                          size_t size, struct hostent **result, int *h_error)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.gethostbyname2_r(name, family, entry, buffer, size, result, h_error);
    return bine_gethostbyname2_r(name, family, entry, buffer, size, result, h_error);
}

int hook_gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *entry,
                         char *buffer, size_t size, struct hostent **result, int *h_error)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.gethostbyaddr_r(address, length, family, entry, buffer, size, result,
                                         h_error);
    return bine_gethostbyaddr_r(address, length, family, entry, buffer, size, result, h_error);
}

struct servent *hook_getservbyname(const char *name, const char *protocol)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getservbyname(name, protocol);
    return bine_getservbyname(name, protocol);
}

struct servent *hook_getservbyport(int port, const char *protocol)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getservbyport(port, protocol);
    return bine_getservbyport(port, protocol);
}

int hook_getservbyname_r(const char *name, const char *protocol, struct servent *entry,
                         char *buffer, size_t size, struct servent **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getservbyname_r(name, protocol, entry, buffer, size, result);
    return bine_getservbyname_r(name, protocol, entry, buffer, size, result);
}

int hook_getservbyport_r(int port, const char *protocol, struct servent *entry, char *buffer,
                         size_t size, struct servent **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getservbyport_r(port, protocol, entry, buffer, size, result);
    return bine_getservbyport_r(port, protocol, entry, buffer, size, result);
}

struct passwd *hook_getpwnam(const char *name)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getpwnam(name);
    return bine_getpwnam(name);
}

struct passwd *hook_getpwuid(uid_t uid)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getpwuid(uid);
    return bine_getpwuid(uid);
}

int hook_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
                    struct passwd **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getpwnam_r(name, entry, buffer, size, result);
    return bine_getpwnam_r(name, entry, buffer, size, result);
}

int hook_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                    struct passwd **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getpwuid_r(uid, entry, buffer, size, result);
    return bine_getpwuid_r(uid, entry, buffer, size, result);
}

struct group *hook_getgrnam(const char *name)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getgrnam(name);
    return bine_getgrnam(name);
}

struct group *hook_getgrgid(gid_t gid)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getgrgid(gid);
    return bine_getgrgid(gid);
}

int hook_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
                    struct group **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getgrnam_r(name, entry, buffer, size, result);
    return bine_getgrnam_r(name, entry, buffer, size, result);
}

int hook_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                    struct group **result)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getgrgid_r(gid, entry, buffer, size, result);
    return bine_getgrgid_r(gid, entry, buffer, size, result);
}

int hook_getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getgrouplist(user, group, groups, count);
    return bine_getgrouplist(user, group, groups, count);
}

int hook_initgroups(const char *user, gid_t group)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.initgroups(user, group);
    return bine_initgroups(user, group);
}

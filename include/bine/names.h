/*
 * Names for greenlets: libc's look-ups with libc's signatures, results and errors, run whole on a thread of the
 * offload pool (so that every name service module works) while the greenlet parks.
 *
 * What needs no name service is answered at once, without a thread: numeric hosts and services.
 *
 * When the caller is killed or a timeout scope expires while it waits, the look-up goes on by itself, its result is
 * freed when it comes, and the caller gets: EAI_SYSTEM with errno ECANCELED or ETIMEDOUT (getaddrinfo, getnameinfo);
 * that error number (the _r forms; h_errno NETDB_INTERNAL); NULL or -1 with that errno (the others).
 *
 * Look-ups take at most half of the pool's threads, since strangers may choose the names; 4,096 may wait for
 * one of these. Beyond that they fail at once: EAI_AGAIN; EAGAIN (the _r forms; h_errno TRY_AGAIN); NULL or -1
 * with that errno and h_errno.
 *
 * The look-up runs on another thread: it does not see the resolver options that the calling thread set in _res. On
 * a thread without a hub these are libc's own functions. Any thread. Switches: maybe.
 */
#ifndef BINE_NAMES_H
#define BINE_NAMES_H

#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base.h"

BINE_BEGIN

/* <netdb.h> hides it from strict C; declared by tag so that this header stands there, too. */
struct addrinfo;

/* Equal look-ups of greenlets of one thread that are under way at the same time are made once; each caller gets a
 * result of its own, to be freed with freeaddrinfo. */
BINE_API int bine_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                              struct addrinfo **result);
BINE_API int bine_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size,
                              char *service, socklen_t service_size, int flags);

/* Of the forms with storage of their own the result is the calling greenlet's, until its next call of the same kind
 * (host, service, user, group) or its end. */
BINE_API struct hostent *bine_gethostbyname(const char *name);
BINE_API struct hostent *bine_gethostbyname2(const char *name, int family);
BINE_API struct hostent *bine_gethostbyaddr(const void *address, socklen_t length, int family);
BINE_API int bine_gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size,
                                  struct hostent **result, int *h_error);
BINE_API int bine_gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t size,
                                   struct hostent **result, int *h_error);
BINE_API int bine_gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *entry,
                                  char *buffer, size_t size, struct hostent **result, int *h_error);

BINE_API struct servent *bine_getservbyname(const char *name, const char *protocol);
BINE_API struct servent *bine_getservbyport(int port, const char *protocol);
BINE_API int bine_getservbyname_r(const char *name, const char *protocol, struct servent *entry, char *buffer,
                                  size_t size, struct servent **result);
BINE_API int bine_getservbyport_r(int port, const char *protocol, struct servent *entry, char *buffer, size_t size,
                                  struct servent **result);

BINE_API struct passwd *bine_getpwnam(const char *name);
BINE_API struct passwd *bine_getpwuid(uid_t uid);
BINE_API int bine_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **result);
BINE_API int bine_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **result);

BINE_API struct group *bine_getgrnam(const char *name);
BINE_API struct group *bine_getgrgid(gid_t gid);
BINE_API int bine_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **result);
BINE_API int bine_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size, struct group **result);
BINE_API int bine_getgrouplist(const char *user, gid_t group, gid_t *groups, int *count);
BINE_API int bine_initgroups(const char *user, gid_t group);

BINE_END

#endif

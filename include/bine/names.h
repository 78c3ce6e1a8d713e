/*
 * Names for greenlets: libc's look-ups with libc's signatures, results and errors. A thread of the
 * offload pool makes the whole look-up, so that every name service module works, while the greenlet
 * parks. A look-up that needs no name service (a numeric host or service) is answered at once,
 * without a thread.
 *
 * If the caller is killed, or a timeout scope expires, while it waits, the look-up runs on by
 * itself, and its result is freed when it comes. The caller then gets ECANCELED or ETIMEDOUT in
 * this form:
 *
 *  - getaddrinfo and getnameinfo return EAI_SYSTEM with that errno.
 *  - The _r forms return that error number, with h_errno NETDB_INTERNAL.
 *  - The others return NULL or -1 with that errno.
 *
 * Look-ups take at most half of the pool's threads, since strangers may choose the names. 4,096
 * look-ups may wait for one of these threads. Further ones fail at once:
 *
 *  - getaddrinfo and getnameinfo return EAI_AGAIN.
 *  - The _r forms return EAGAIN, with h_errno TRY_AGAIN.
 *  - The others return NULL or -1 with that errno and h_errno.
 *
 * The look-up runs on another thread: it does not see the resolver options that the calling thread
 * set in _res. Any thread may call these functions. On a thread without a hub they are libc's own.
 * Switches: maybe.
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

/* <netdb.h> hides it from strict C. This header declares it by its tag, so that it works there,
 * too. */
struct addrinfo;

/* Greenlets of one thread that look up the same name at the same time share one look-up. Each
 * caller gets a result of its own, and frees it with freeaddrinfo. */
BINE_API int bine_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                              struct addrinfo **result);
BINE_API int bine_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                              socklen_t host_size, char *service, socklen_t service_size,
                              int flags);

/* For the forms with storage of their own, the result is the calling greenlet's. It is valid until
 * the greenlet's next call of the same kind (host, service, user, group) or its end. */
BINE_API struct hostent *bine_gethostbyname(const char *name);
BINE_API struct hostent *bine_gethostbyname2(const char *name, int family);
BINE_API struct hostent *bine_gethostbyaddr(const void *address, socklen_t length, int family);
BINE_API int bine_gethostbyname_r(const char *name, struct hostent *entry, char *buffer,
                                  size_t size, struct hostent **result, int *h_error);
BINE_API int bine_gethostbyname2_r(const char *name, int family, struct hostent *entry,
                                   char *buffer, size_t size, struct hostent **result,
                                   int *h_error);
BINE_API int bine_gethostbyaddr_r(const void *address, socklen_t length, int family,
                                  struct hostent *entry, char *buffer, size_t size,
                                  struct hostent **result, int *h_error);

BINE_API struct servent *bine_getservbyname(const char *name, const char *protocol);
BINE_API struct servent *bine_getservbyport(int port, const char *protocol);
BINE_API int bine_getservbyname_r(const char *name, const char *protocol, struct servent *entry,
                                  char *buffer, size_t size, struct servent **result);
BINE_API int bine_getservbyport_r(int port, const char *protocol, struct servent *entry,
                                  char *buffer, size_t size, struct servent **result);

BINE_API struct passwd *bine_getpwnam(const char *name);
BINE_API struct passwd *bine_getpwuid(uid_t uid);
BINE_API int bine_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
                             struct passwd **result);
BINE_API int bine_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                             struct passwd **result);

BINE_API struct group *bine_getgrnam(const char *name);
BINE_API struct group *bine_getgrgid(gid_t gid);
BINE_API int bine_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
                             struct group **result);
BINE_API int bine_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                             struct group **result);
BINE_API int bine_getgrouplist(const char *user, gid_t group, gid_t *groups, int *count);
BINE_API int bine_initgroups(const char *user, gid_t group);

BINE_END

#endif

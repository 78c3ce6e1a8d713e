/* Files of Unix sockets. Others may have write permission for the directory: a name can stand for another file at any moment. */
#ifndef BINE_NET_UNIX_FILE_H
#define BINE_NET_UNIX_FILE_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Bind a fresh socket; its file has exactly these permissions from the first moment on (0: 0777 less the umask). 0 or an error
 * number. */
int bine_unix_bind(int fd, const struct sockaddr_un *address, socklen_t length, unsigned mode);

/* Take the file away if it is a socket that nobody listens on any more. True: it was, and is gone. */
bool bine_unix_remove_stale(const struct sockaddr_un *address, socklen_t length, int type);

/* Take away the file of that name if it is this one. The caller keeps it alive, so that its number is not given to another
 * file. True: it was, and is gone. */
bool bine_unix_remove(const char *path, const struct stat *file);

#endif

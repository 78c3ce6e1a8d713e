/* Files of Unix sockets. Other users may have write permission for the directory, so a name can
 * stand for another file at any moment. */
#ifndef BINE_NET_UNIX_FILE_H
#define BINE_NET_UNIX_FILE_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Binds a fresh socket. Its file has exactly these permissions from the first moment on (0: 0777
 * less the umask). Returns 0 or an error number. */
int bine_unix_bind(int fd, const struct sockaddr_un *address, socklen_t length, unsigned mode);

/* Removes the file if it is a socket on which no process listens any more. Returns true if it was,
 * and is gone. */
bool bine_unix_remove_stale(const struct sockaddr_un *address, socklen_t length, int type);

/* Removes the file of that name if it is this one. The caller keeps the file alive, so that its
 * inode number is not given to another file. Returns true if it was, and is gone. */
bool bine_unix_remove(const char *path, const struct stat *file);

#endif

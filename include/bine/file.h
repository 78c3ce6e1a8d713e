/*
 * Files for greenlets: libc's calls with libc's signatures, results and errors. A call that the
 * page cache or the directory cache answers costs no switch. A call that waits for a disk, a
 * network file system or a peer parks the greenlet, and goes through io_uring or to a thread of the
 * offload pool.
 *
 * A call that has begun cannot be interrupted, as a wait for a disk cannot: a kill or timeout scope
 * that strikes meanwhile shows at the next wait. Before the call has begun they end it with
 * ECANCELED or ETIMEDOUT. Opening a FIFO and waiting for file locks can be ended at any time.
 *
 * Bine takes a path to be quick unless it leads to a network or user-space file system (NFS, SMB,
 * FUSE, Ceph ...). With BINE_FILES=offload in the environment it takes no path to be quick.
 *
 * Any thread may call them. On a thread without a hub these are libc's own calls. Switches: maybe.
 */
#ifndef BINE_FILE_H
#define BINE_FILE_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base.h"

BINE_BEGIN

BINE_API int bine_open(const char *path, int flags, mode_t mode);
BINE_API int bine_openat(int directory, const char *path, int flags, mode_t mode);

BINE_API ssize_t bine_pread(int fd, void *buffer, size_t size, off_t offset);
BINE_API ssize_t bine_pwrite(int fd, const void *buffer, size_t size, off_t offset);
BINE_API ssize_t bine_preadv2(int fd, const struct iovec *vector, int count, off_t offset,
                              int flags);
BINE_API ssize_t bine_pwritev2(int fd, const struct iovec *vector, int count, off_t offset,
                               int flags);

BINE_API int bine_fsync(int fd);
BINE_API int bine_fdatasync(int fd);
BINE_API int bine_syncfs(int fd);
BINE_API void bine_sync(void);
BINE_API int bine_msync(void *address, size_t size, int flags);
BINE_API int bine_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
BINE_API int bine_fallocate(int fd, int mode, off_t offset, off_t size);
BINE_API int bine_posix_fallocate(int fd, off_t offset, off_t size);
BINE_API int bine_ftruncate(int fd, off_t size);

/* Copies to a socket, a pipe or another file. To a blocking socket the bytes are copied through
 * memory. */
BINE_API ssize_t bine_sendfile(int out, int in, off_t *offset, size_t size);
BINE_API ssize_t bine_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                             unsigned flags);
BINE_API ssize_t bine_tee(int in, int out, size_t size, unsigned flags);
BINE_API ssize_t bine_vmsplice(int fd, const struct iovec *vector, size_t count, unsigned flags);
BINE_API ssize_t bine_copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset,
                                      size_t size, unsigned flags);

/* File locks. While others hold the lock, the call asks for it again and again, with pauses of 1 to
 * 50 ms, and at once when a greenlet of the same thread gives a lock back. So the wait can be
 * cancelled, but it is not first come, first served, and the kernel does not see it: circles of
 * F_SETLKW give no EDEADLK. */
BINE_API int bine_flock(int fd, int operation);
/* command: F_SETLKW or F_OFD_SETLKW. F_SETLK and F_OFD_SETLK are accepted, too: they do not wait,
 * but wake greenlets that do. */
struct flock;
BINE_API int bine_fcntl_lock(int fd, int command, struct flock *lock);
BINE_API int bine_lockf(int fd, int command, off_t size);

BINE_END

#endif

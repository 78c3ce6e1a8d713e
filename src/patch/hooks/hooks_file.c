/* Hooks of the file family: opening, reading, writing, syncing, locking. src/io/file does the
 * work. */
#include <bine/file.h>
#include <stdarg.h>

#include "io/descriptor/descriptor.h"
#include "io/file/file.h"
#include "patch/table/hook.h"

/* ---- open ------------------------------------------------------------------------------------ */

static bool has_mode(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

/* A thread without a hub keeps records too: what it opens may be read by a greenlet of another.
 * With the socket family alone only the opening of a FIFO waits: for its other end, which may be
 * another greenlet's. */
static int open_here(int directory, const char *path, int flags, mode_t mode)
{
    bool all = bine_hook_here(BINE_PATCH_FILE) != NULL;
    if (all || (bine_hook_here(BINE_PATCH_SOCKET) && bine_path_is_fifo(directory, path, flags)))
        return bine_openat(directory, path, flags, mode);
    int fd = bine_libc.openat(directory, path, flags, mode);
    if (fd >= 0 && bine_hook_active(BINE_PATCH_DESCRIPTOR))
        bine_descriptor_fresh(fd, BINE_FD_UNKNOWN, (flags & O_NONBLOCK) != 0);
    return fd;
}

int hook_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (has_mode(flags)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return open_here(AT_FDCWD, path, flags, mode);
}

int hook_openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (has_mode(flags)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return open_here(directory, path, flags, mode);
}

/* The fortified forms end the program where a mode is missing. */
int hook___open_2(const char *path, int flags)
{
    return has_mode(flags) ? bine_libc.__open_2(path, flags) : open_here(AT_FDCWD, path, flags, 0);
}

int hook___openat_2(int directory, const char *path, int flags)
{
    return has_mode(flags) ? bine_libc.__openat_2(directory, path, flags)
                           : open_here(directory, path, flags, 0);
}

int hook_creat(const char *path, mode_t mode)
{
    return open_here(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- at an offset ---------------------------------------------------------------------------- */

ssize_t hook_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_pread(fd, buffer, size, offset)
                                           : bine_libc.pread(fd, buffer, size, offset);
}

ssize_t hook___pread_chk(int fd, void *buffer, size_t size, off_t offset, size_t buffer_size)
{
    if (size > buffer_size || !bine_hook_here(BINE_PATCH_FILE))
        return bine_libc.__pread_chk(fd, buffer, size, offset, buffer_size);
    return bine_pread(fd, buffer, size, offset);
}

ssize_t hook_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_pwrite(fd, buffer, size, offset)
                                           : bine_libc.pwrite(fd, buffer, size, offset);
}

/* A negative offset is an error to these, the file position to their successors. */
ssize_t hook_preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
    return offset >= 0 && bine_hook_here(BINE_PATCH_FILE)
               ? bine_preadv2(fd, vector, count, offset, 0)
               : bine_libc.preadv(fd, vector, count, offset);
}

ssize_t hook_pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    return offset >= 0 && bine_hook_here(BINE_PATCH_FILE)
               ? bine_pwritev2(fd, vector, count, offset, 0)
               : bine_libc.pwritev(fd, vector, count, offset);
}

ssize_t hook_preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_preadv2(fd, vector, count, offset, flags)
                                           : bine_libc.preadv2(fd, vector, count, offset, flags);
}

ssize_t hook_pwritev2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_pwritev2(fd, vector, count, offset, flags)
                                           : bine_libc.pwritev2(fd, vector, count, offset, flags);
}

/* ---- to the disk ----------------------------------------------------------------------------- */

int hook_fsync(int fd)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_fsync(fd) : bine_libc.fsync(fd);
}

int hook_fdatasync(int fd)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_fdatasync(fd) : bine_libc.fdatasync(fd);
}

int hook_syncfs(int fd)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_syncfs(fd) : bine_libc.syncfs(fd);
}

void hook_sync(void)
{
    if (bine_hook_here(BINE_PATCH_FILE))
        bine_sync();
    else
        bine_libc.sync();
}

int hook_msync(void *address, size_t size, int flags)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_msync(address, size, flags)
                                           : bine_libc.msync(address, size, flags);
}

int hook_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_sync_file_range(fd, offset, size, flags)
                                           : bine_libc.sync_file_range(fd, offset, size, flags);
}

int hook_fallocate(int fd, int mode, off_t offset, off_t size)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_fallocate(fd, mode, offset, size)
                                           : bine_libc.fallocate(fd, mode, offset, size);
}

int hook_posix_fallocate(int fd, off_t offset, off_t size)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_posix_fallocate(fd, offset, size)
                                           : bine_libc.posix_fallocate(fd, offset, size);
}

int hook_ftruncate(int fd, off_t size)
{
    return bine_hook_here(BINE_PATCH_FILE) ? bine_ftruncate(fd, size)
                                           : bine_libc.ftruncate(fd, size);
}

/* ---- from one to the other ------------------------------------------------------------------- */

/* From a file to a file is the file family's alone. */
static struct bine_hub *sending_here(int out)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_SOCKET_OR_FILE);
    bool file = hub && !bine_hook_active(BINE_PATCH_FILE) &&
                bine_descriptor_kind(out, bine_descriptor_of(out)) == BINE_FD_FILE;
    return file ? NULL : hub;
}

ssize_t hook_sendfile(int out, int in, off_t *offset, size_t size)
{
    return sending_here(out) ? bine_sendfile(out, in, offset, size)
                             : bine_libc.sendfile(out, in, offset, size);
}

ssize_t hook_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                    unsigned flags)
{
    return bine_hook_here(BINE_PATCH_SOCKET_OR_FILE)
               ? bine_splice(in, in_offset, out, out_offset, size, flags)
               : bine_libc.splice(in, in_offset, out, out_offset, size, flags);
}

ssize_t hook_tee(int in, int out, size_t size, unsigned flags)
{
    return bine_hook_here(BINE_PATCH_SOCKET_OR_FILE) ? bine_tee(in, out, size, flags)
                                                     : bine_libc.tee(in, out, size, flags);
}

ssize_t hook_vmsplice(int fd, const struct iovec *vector, size_t count, unsigned flags)
{
    return bine_hook_here(BINE_PATCH_SOCKET_OR_FILE) ? bine_vmsplice(fd, vector, count, flags)
                                                     : bine_libc.vmsplice(fd, vector, count, flags);
}

ssize_t hook_copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                             unsigned flags)
{
    return bine_hook_here(BINE_PATCH_FILE)
               ? bine_copy_file_range(in, in_offset, out, out_offset, size, flags)
               : bine_libc.copy_file_range(in, in_offset, out, out_offset, size, flags);
}

/* ---- locks; F_SETLKW is with fcntl in hooks_descriptor.c ------------------------------------- */

int hook_flock(int fd, int operation)
{
    return bine_hook_here(BINE_PATCH_SOCKET_OR_FILE) ? bine_flock(fd, operation)
                                                     : bine_libc.flock(fd, operation);
}

int hook_lockf(int fd, int command, off_t size)
{
    return bine_hook_here(BINE_PATCH_SOCKET_OR_FILE) ? bine_lockf(fd, command, size)
                                                     : bine_libc.lockf(fd, command, size);
}

/*
 * How files are opened, read and written at an offset, and synced to the disk. See bine/file.h.
 *
 * Reads and writes are tried with RWF_NOWAIT first: bytes that are in the page cache are there at
 * once. For the others the poller makes the call if it can do files (io_uring), else the offload
 * pool.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/descriptor/descriptor.h"
#include "io/descriptor/vector.h"
#include "io/offload/offload.h"
#include "io/wait/wait.h"
#include "libc/libc.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* ---- any system call on the pool ------------------------------------------------------------- */

struct system_call {
    struct bine_offload_job job; /* first */
    long number;
    const long *arguments;
    long result;
};

static void run_system_call(struct bine_offload_job *job)
{
    struct system_call *call = (struct system_call *)job;
    const long *a = call->arguments;
    call->result = bine_libc.syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long bine_file_call(const char *verb, uintptr_t object, long number, const long arguments[6])
{
    struct system_call call = {
        .job = {.run = run_system_call, .error = errno}, .number = number, .arguments = arguments};
    struct bine_hub *hub = bine_offload_hub();
    if (!hub) {
        run_system_call(&call.job);
        return call.result;
    }
    int error = bine_offload_firm(hub, &call.job, verb, object);
    if (error)
        return bine_io_fail(error);
    if (call.result < 0)
        errno = call.job.error;
    return call.result;
}

/* ---- open ------------------------------------------------------------------------------------ */

struct opening {
    struct bine_offload_job job; /* first */
    int directory, flags;
    mode_t mode;
    int fd;
    const char *path;
};

static void run_opening(struct bine_offload_job *job)
{
    struct opening *opening = (struct opening *)job;
    do
        opening->fd =
            bine_libc.openat(opening->directory, opening->path, opening->flags, opening->mode);
    while (opening->fd < 0 && errno == EINTR && !atomic_load(&job->interrupted));
}

static int open_in_pool(struct bine_hub *hub, int directory, const char *path, int flags,
                        mode_t mode)
{
    struct opening opening = {.job = {.run = run_opening,
                                      .lingers = true,
                                      .interruptible = true,
                                      .park_flags = BINE_PARK_SIGNALS | BINE_PARK_RESTARTS,
                                      .error = errno},
                              .directory = directory,
                              .flags = flags,
                              .mode = mode,
                              .fd = -1,
                              .path = path};
    int error = bine_offload_firm(hub, &opening.job, "open", (uintptr_t)path);
    /* It was opened in the very moment of the kill. It is delivered, and the kill ends the next
     * wait. */
    if (opening.fd < 0)
        return (int)bine_io_fail(error ? error : opening.job.error);
    return opening.fd;
}

int bine_openat(int directory, const char *path, int flags, mode_t mode)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    int fd = hub && bine_path_may_wait(directory, path, flags)
                 ? open_in_pool(hub, directory, path, flags, mode)
                 : bine_libc.openat(directory, path, flags, mode);
    if (fd >= 0)
        bine_descriptor_fresh(fd, BINE_FD_UNKNOWN, (flags & O_NONBLOCK) != 0);
    return fd;
}

int bine_open(const char *path, int flags, mode_t mode)
{
    return bine_openat(AT_FDCWD, path, flags, mode);
}

/* ---- at an offset ---------------------------------------------------------------------------- */

/* The plainest call that does it: preadv2 and pwritev2 are not everywhere (Linux 4.6; sandboxes and
 * emulators leave them out). */
static long positioned_call(bool writing, off_t offset, int flags)
{
    if (flags)
        return writing ? SYS_pwritev2 : SYS_preadv2;
    if (offset < 0) /* the file position */
        return writing ? SYS_writev : SYS_readv;
    return writing ? SYS_pwritev : SYS_preadv;
}

static ssize_t positioned(bool writing, int fd, const struct iovec *vector, int count, off_t offset,
                          int flags)
{
    /* The offset is two halves, of which a 64-bit kernel looks at the first. */
    return bine_libc.syscall(positioned_call(writing, offset, flags), fd, vector, count, offset, 0L,
                             flags);
}

/* What the cache could not give or take. */
static ssize_t positioned_slowly(struct bine_hub *hub, bool writing, int fd,
                                 const struct iovec *vector, int count, off_t offset, int flags)
{
    const char *verb = writing ? "pwrite fd" : "pread fd";
    enum bine_operation_kind kind = writing ? BINE_OP_WRITEV : BINE_OP_READV;
    if (flags == 0 && offset >= 0 && bine_wait_supports(hub, kind)) {
        int error = bine_cancelled(hub);
        if (error)
            return bine_io_fail(error);
        struct bine_operation operation = {.kind = (uint8_t)kind,
                                           .fd = fd,
                                           .buffer = (void *)vector,
                                           .size = (size_t)count,
                                           .offset = offset};
        int64_t result = bine_operation_run(hub, &operation, verb, INT64_MAX, BINE_PARK_FIRM);
        if (result >= 0)
            return result;
        if (operation.ended || result == -EBADF)
            return bine_io_fail((int)-result);
        /* The poller did not take it. */
    }
    return BINE_FILE_CALL(verb, fd, positioned_call(writing, offset, flags), fd, (long)vector,
                          count, offset, 0, flags);
}

static ssize_t file_transfer(bool writing, int fd, const struct iovec *vector, int count,
                             off_t offset, int flags)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return bine_io_fail(error);
    if (!hub || count <= 0 || count > IOV_MAX || flags & RWF_NOWAIT)
        return positioned(writing, fd, vector, count, offset, flags);
    int saved = errno;
    ssize_t done = positioned(writing, fd, vector, count, offset, flags | RWF_NOWAIT);
    int refusal = done < 0 ? errno : 0;
    if (done < 0)
        errno = saved;
    if (refusal == EAGAIN)
        return positioned_slowly(hub, writing, fd, vector, count, offset, flags);
    if (refusal == EOPNOTSUPP || refusal == EINVAL || bine_call_refused(refusal))
        /* This kind of file cannot be asked. In memory or on a local disk it is quick. */
        return bine_file_slow(fd)
                   ? positioned_slowly(hub, writing, fd, vector, count, offset, flags)
                   : positioned(writing, fd, vector, count, offset, flags);
    if (refusal)
        errno = refusal;
    if (done <= 0 || (size_t)done >= bine_vector_size(vector, (size_t)count) || offset < 0)
        return done;

    /* The cache had a part of it. */
    struct iovec window[BINE_VECTOR_WINDOW];
    size_t size = bine_vector_size(vector, (size_t)count);
    while ((size_t)done < size) {
        int left = bine_vector_rest(window, vector, (size_t)count, (size_t)done);
        ssize_t more = positioned_slowly(hub, writing, fd, window, left, offset + done, flags);
        if (more <= 0)
            break;
        done += more;
    }
    return done;
}

ssize_t bine_preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return file_transfer(false, fd, vector, count, offset, flags);
}

ssize_t bine_pwritev2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return file_transfer(true, fd, vector, count, offset, flags);
}

ssize_t bine_pread(int fd, void *buffer, size_t size, off_t offset)
{
    struct bine_hub *hub = bine_io_hub();
    if (offset < 0 || !hub) /* -1 means the file position to preadv2, an error to pread */
        return bine_libc.pread(fd, buffer, size, offset);
    struct iovec vector = {buffer, size};
    /* The cache has all of it, or the file ends before: the common case, in short. */
    if (hub->streak < BINE_STREAK_LIMIT && size - 1 < BINE_TRANSFER_MOST) {
        int saved = errno;
        ssize_t got = positioned(false, fd, &vector, 1, offset, RWF_NOWAIT);
        if (got == (ssize_t)size || got == 0) {
            hub->streak++;
            return got;
        }
        errno = saved;
    }
    return file_transfer(false, fd, &vector, 1, offset, 0);
}

ssize_t bine_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    if (offset < 0 || !bine_io_hub())
        return bine_libc.pwrite(fd, buffer, size, offset);
    struct iovec vector = {(void *)buffer, size};
    return file_transfer(true, fd, &vector, 1, offset, 0);
}

/* ---- to the disk ----------------------------------------------------------------------------- */

static int sync_file(int fd, bool data_only)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub)
        return data_only ? bine_libc.fdatasync(fd) : bine_libc.fsync(fd);
    const char *verb = data_only ? "fdatasync fd" : "fsync fd";
    if (bine_wait_supports(hub, BINE_OP_FSYNC)) {
        int error = bine_cancelled(hub);
        if (error)
            return (int)bine_io_fail(error);
        struct bine_operation operation = {.kind = BINE_OP_FSYNC, .fd = fd, .flags = data_only};
        int64_t result = bine_operation_run(hub, &operation, verb, INT64_MAX, BINE_PARK_FIRM);
        if (result >= 0)
            return 0;
        if (operation.ended || result == -EBADF)
            return (int)bine_io_fail((int)-result);
    }
    return (int)BINE_FILE_CALL(verb, fd, data_only ? SYS_fdatasync : SYS_fsync, fd);
}

int bine_fsync(int fd)
{
    return sync_file(fd, false);
}

int bine_fdatasync(int fd)
{
    return sync_file(fd, true);
}

int bine_syncfs(int fd)
{
    return (int)BINE_FILE_CALL("syncfs fd", fd, SYS_syncfs, fd);
}

/* sync cannot fail, so it cannot be cancelled either. */
void bine_sync(void)
{
    bine_shield_begin();
    BINE_FILE_CALL("sync", 0, SYS_sync, 0);
    bine_shield_end();
}

int bine_msync(void *address, size_t size, int flags)
{
    /* Without MS_SYNC it only notes what is to be done. */
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    if (!(flags & MS_SYNC))
        return bine_libc.msync(address, size, flags);
    return (int)BINE_FILE_CALL("msync", address, SYS_msync, (long)address, (long)size, flags);
}

int bine_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return (int)BINE_FILE_CALL("sync_file_range fd", fd, SYS_sync_file_range, fd, offset, size,
                               flags);
}

int bine_fallocate(int fd, int mode, off_t offset, off_t size)
{
    return (int)BINE_FILE_CALL("fallocate fd", fd, SYS_fallocate, fd, mode, offset, size);
}

struct allocation {
    int fd, result;
    off_t offset, size;
};

static void *allocate(void *arg)
{
    struct allocation *allocation = arg;
    allocation->result =
        bine_libc.posix_fallocate(allocation->fd, allocation->offset, allocation->size);
    return NULL;
}

/* Where the file system cannot do it libc writes to every block itself. */
int bine_posix_fallocate(int fd, off_t offset, off_t size)
{
    struct allocation allocation = {.fd = fd, .offset = offset, .size = size};
    int saved = errno;
    int failed = bine_offload(allocate, &allocation, NULL);
    int error = errno;
    errno = saved;
    return failed ? error : allocation.result;
}

int bine_ftruncate(int fd, off_t size)
{
    struct bine_hub *hub = bine_io_hub();
    int error = hub ? bine_streak(hub) : 0;
    if (error)
        return (int)bine_io_fail(error);
    if (!hub || !bine_file_slow(fd))
        return bine_libc.ftruncate(fd, size);
    return (int)BINE_FILE_CALL("ftruncate fd", fd, SYS_ftruncate, fd, size);
}

/* Reading and writing everything but sockets. See stream.h. */
#include "stream.h"

#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "io/descriptor/vector.h"
#include "io/file/file.h"
#include "io/wait/poll_first.h"
#include "io/wait/take.h"

/* Did a call by RWF_NOWAIT end with `result` because this kind of file does not know it? It is not
 * asked again. */
static bool stream_refused(struct bine_descriptor *record, uint8_t refuses, ssize_t result)
{
    if (result >= 0 || (errno != EOPNOTSUPP && !bine_call_refused(errno)))
        return false;
    atomic_fetch_or_explicit(&record->nowait, refuses, memory_order_relaxed);
    return true;
}

/* RWF_NOWAIT where the file knows it (pipes since Linux 6.4, files on most file systems). True if
 * it did. */
static bool attempt_nowait(long number, int fd, struct bine_descriptor *record,
                           const struct iovec *vector, int count, ssize_t *result)
{
    uint8_t refuses = number == SYS_preadv2 ? BINE_READ_REFUSES_NOWAIT : BINE_WRITE_REFUSES_NOWAIT;
    if (!record || atomic_load_explicit(&record->nowait, memory_order_relaxed) & refuses)
        return false;
    /* Offset -1, as two halves: the file position, or none for a pipe. */
    *result = bine_libc.syscall(number, fd, vector, count, -1L, -1L, RWF_NOWAIT);
    return !stream_refused(record, refuses, *result);
}

struct reading {
    const struct iovec *vector;
    int count;
};

static ssize_t call_read(int fd, const void *arg)
{
    const struct reading *reading = arg;
    const struct iovec *vector = reading->vector;
    return reading->count == 1 ? bine_libc.read(fd, vector->iov_base, vector->iov_len)
                               : bine_libc.readv(fd, vector, reading->count);
}

static ssize_t attempt_read(const struct bine_wait *wait, enum bine_descriptor_kind kind,
                            const struct iovec *vector, int count)
{
    ssize_t got;
    if (attempt_nowait(SYS_preadv2, wait->fd, wait->record, vector, count, &got))
        return got;
    /* A FIFO, and before Linux 6.4 any pipe, may be read by several processes; a terminal by one
     * group of them at a time. */
    bool contested = kind == BINE_FD_PIPE && bine_descriptor_elsewhere(wait->record);
    struct reading reading = {vector, count};
    return bine_poll_first(wait, POLLIN, contested, call_read, &reading);
}

/* Through the ring only where the kernel would not use a worker thread: of a terminal a worker may
 * not read (SIGTTIN), and what hangs in a worker is not cancelled for certain. */
static bool poller_can(struct bine_hub *hub, enum bine_descriptor_kind kind, bool flat,
                       enum bine_operation_kind one, enum bine_operation_kind many)
{
    return (kind == BINE_FD_PIPE || kind == BINE_FD_FILE) &&
           bine_wait_supports(hub, flat ? one : many);
}

static int stream_by_poller(struct bine_wait *wait, uint8_t kind, const struct iovec *vector,
                            int count, bool flat, ssize_t *result)
{
    struct bine_operation operation;
    memset(&operation, 0, sizeof operation);
    operation.kind = kind;
    operation.buffer = flat ? vector->iov_base : (void *)vector;
    operation.size = flat ? vector->iov_len : (size_t)count;
    operation.offset = -1;
    return bine_wait_result(wait, &operation, result);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Files that the kernel makes up as they are read (/proc, /sys) have no disk to wait for, but
 * refuse RWF_NOWAIT: the ring would keep a worker thread for them. */
static bool made_by_kernel(int fd)
{
    struct statfs file_system;
    return fstatfs(fd, &file_system) == 0 &&
           (file_system.f_type == PROC_SUPER_MAGIC || file_system.f_type == SYSFS_MAGIC ||
            file_system.f_type == CGROUP2_SUPER_MAGIC);
}

/* What the page cache does not hold: through the ring, or where there is none on the offload pool.
 * With O_NONBLOCK too: a file knows no EAGAIN, it waits for its disk. `asked`: the cache was, and
 * has it not; else this kind of file cannot be asked, which is quick (in memory, made by the
 * kernel) unless it comes over a network. */
static ssize_t read_uncached(struct bine_wait *wait, const struct iovec *vector, int count,
                             bool flat, bool asked)
{
    if (!made_by_kernel(wait->fd) &&
        poller_can(wait->hub, BINE_FD_FILE, flat, BINE_OP_READ, BINE_OP_READV)) {
        ssize_t got = 0;
        wait->flags = BINE_PARK_FIRM; /* as uninterruptible as the kernel's own wait for a disk */
        int error =
            stream_by_poller(wait, flat ? BINE_OP_READ : BINE_OP_READV, vector, count, flat, &got);
        if (error >= 0)
            return error ? bine_io_fail(error) : got;
    }
    if (asked || bine_file_slow(wait->fd))
        return BINE_FILE_CALL("read fd", wait->fd, SYS_readv, wait->fd, (long)vector, count);
    return bine_libc.readv(wait->fd, vector, count);
}

/* A file's read blocks for the disk only, and ends early only at the end of the file. So much has
 * been read before. */
static ssize_t read_file(struct bine_wait *wait, const struct iovec *whole, int whole_count,
                         bool flat, size_t done)
{
    struct iovec window[BINE_VECTOR_WINDOW];
    const struct iovec *vector = whole;
    int count = whole_count;
    for (;;) {
        ssize_t got;
        if (done) {
            count = bine_vector_rest(window, whole, (size_t)whole_count, done);
            vector = window;
        }
        bool cached = attempt_nowait(SYS_preadv2, wait->fd, wait->record, vector, count, &got);
        if (!cached || (got < 0 && errno == EAGAIN)) {
            got = read_uncached(wait, vector, count, flat && !done, cached);
            cached = false;
        }
        if (got < 0)
            return done ? (ssize_t)done : -1;
        done += (size_t)got;
        /* A cached read may have stopped where the cache did: only an empty one proves the end of
         * the file. */
        if (got == 0 || done >= bine_vector_size(whole, (size_t)whole_count) ||
            (!cached && (size_t)got < bine_vector_size(vector, (size_t)count)))
            return (ssize_t)done;
    }
}

/* ---- pipes and the like ---------------------------------------------------------------------- */

/* A short read of a pipe says little of the next one: what is written in lines comes in lines,
 * however many there are. So the next is tried first until that goes wrong (bine_read_was_dry), as
 * after a read that filled the buffer. */

static void was_dry(const struct bine_wait *wait)
{
    bine_read_was_dry(wait->record);
    bine_wait_drained(wait->hub, wait->fd, POLLIN, true);
}

struct piece {
    const struct iovec *vector;
    int count;
    bool flat; /* one vector, of a read and not of a readv */
    enum bine_descriptor_kind kind;
};

static ssize_t stream_attempt(struct bine_wait *wait, void *call)
{
    const struct piece *piece = call;
    return attempt_read(wait, piece->kind, piece->vector, piece->count);
}

static void stream_dry(struct bine_wait *wait, void *call)
{
    (void)call;
    was_dry(wait);
}

static bool stream_poller_can(struct bine_wait *wait, void *call)
{
    const struct piece *piece = call;
    return poller_can(wait->hub, piece->kind, piece->flat, BINE_OP_READ, BINE_OP_READV);
}

static int stream_read_by_poller(struct bine_wait *wait, void *call, ssize_t *result)
{
    const struct piece *piece = call;
    return stream_by_poller(wait, piece->flat ? BINE_OP_READ : BINE_OP_READV, piece->vector,
                            piece->count, piece->flat, result);
}

static void stream_took(struct bine_wait *wait, void *call, ssize_t result, bool tried)
{
    (void)call, (void)result;
    bine_read_was_full(wait->record, tried);
}

static ssize_t stream_failed(struct bine_wait *wait, void *call, int error)
{
    const struct piece *piece = call;
    if (error != EPERM)
        return bine_io_fail(error);
    /* It cannot be polled and so is always ready: a file after all, or a device that never
     * waits. */
    bine_descriptor_doubt(wait->fd);
    return bine_libc.readv(wait->fd, piece->vector, piece->count);
}

static const struct bine_take_class stream_class = {
    .attempt = stream_attempt,
    .dry = stream_dry,
    .poller_can = stream_poller_can,
    .by_poller = stream_read_by_poller,
    .took = stream_took,
    .failed = stream_failed,
};

/* A pipe or the like. `dry`: it has just been tried, and had nothing. */
static ssize_t read_stream(struct bine_wait *wait, const struct piece *piece, bool dry)
{
    /* Others than pipes look at the size first: an eventfd refuses less than eight bytes without
     * waiting. */
    bool wait_first = dry || (piece->kind == BINE_FD_PIPE && bine_read_waits_first(wait->record));
    return bine_take(wait, &stream_class, (void *)piece, wait_first);
}

/* A record that says "file" may be of what the number named before: what is not in the cache would
 * block. */
static enum bine_descriptor_kind look_again(int fd, struct bine_descriptor *record,
                                            enum bine_descriptor_kind kind)
{
    if (kind != BINE_FD_FILE || bine_descriptor_believed(record))
        return kind;
    bine_descriptor_doubt(fd);
    return bine_descriptor_kind(fd, record);
}

ssize_t bine_stream_read(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind,
                         const struct iovec *vector, int count, bool flat)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "read fd");
    int saved = errno;
    kind = look_again(fd, wait.record, kind);
    if (kind != BINE_FD_FILE) {
        errno = saved;
        return read_stream(&wait, &(struct piece){vector, count, flat, kind}, false);
    }
    ssize_t got = read_file(&wait, vector, count, flat, 0);
    if (got >= 0)
        errno = saved;
    return got;
}

ssize_t bine_stream_read_on(struct bine_hub *hub, int fd, void *buffer, size_t size, ssize_t done,
                            int saved)
{
    struct bine_wait wait;
    bine_wait_begin(&wait, hub, fd, "read fd");
    struct iovec vector = {buffer, size};
    int error = done < 0 ? errno : 0;
    bool dry = error == EAGAIN;
    if (error && !dry && !stream_refused(wait.record, BINE_READ_REFUSES_NOWAIT, done))
        return -1;
    enum bine_descriptor_kind kind = bine_descriptor_kind(fd, wait.record);
    if (done != 0)
        kind = look_again(fd, wait.record, kind);
    if (kind == BINE_FD_FILE && done != 0) {
        done = read_file(&wait, &vector, 1, true, done > 0 ? (size_t)done : 0);
    } else if (done < 0) {
        if (dry)
            was_dry(&wait);
        errno = saved;
        return read_stream(&wait, &(struct piece){&vector, 1, true, kind}, dry);
    } else if (kind != BINE_FD_FILE) {
        bine_read_was_full(wait.record, true);
    }
    hub->streak++;
    if (done >= 0)
        errno = saved;
    return done;
}

struct writing {
    const struct iovec *vector;
    int count;
    size_t room; /* 0: the call takes it whole, or as far as it likes */
};

static ssize_t call_write(int fd, const void *arg)
{
    const struct writing *writing = arg;
    const struct iovec *vector = writing->vector;
    if (writing->room && bine_vector_size(vector, (size_t)writing->count) > writing->room)
        return bine_libc.write(fd, vector->iov_base,
                               vector->iov_len < writing->room ? vector->iov_len : writing->room);
    return writing->count == 1 ? bine_libc.write(fd, vector->iov_base, vector->iov_len)
                               : bine_libc.writev(fd, vector, writing->count);
}

/*
 * One attempt to write without blocking. Where RWF_NOWAIT is unknown a pipe that polls writable has
 * room for PIPE_BUF bytes, a terminal for a few: a greater write would block the thread. An
 * eventfd, say, takes one record, never to be split; and a pipe takes up to PIPE_BUF as a whole.
 * (Not on a thread of the pool, whose SIGPIPE would not be the caller's.)
 */
static ssize_t attempt_write(const struct bine_wait *wait, enum bine_descriptor_kind kind,
                             const struct iovec *vector, int count)
{
    ssize_t sent;
    if (attempt_nowait(SYS_pwritev2, wait->fd, wait->record, vector, count, &sent))
        return sent;
    struct writing writing = {vector, count, kind == BINE_FD_PIPE ? PIPE_BUF : 0};
    if (!writing.room && wait->record &&
        atomic_load_explicit(&wait->record->terminal, memory_order_relaxed))
        writing.room = 256;
    return bine_poll_first(wait, POLLOUT, false, call_write, &writing);
}

/* `first`: what has been tried already, as of attempt_write, with `tried`. */
static ssize_t write_stream(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind,
                            const struct iovec *vector, int count, bool flat, bool tried,
                            ssize_t first, int saved)
{
    struct bine_wait wait;
    struct iovec window[BINE_VECTOR_WINDOW];
    const struct iovec *rest = vector;
    int rest_count = count;
    size_t total = flat ? vector->iov_len : 0, sent = 0;
    bine_wait_begin(&wait, hub, fd, "write fd");
    for (;; tried = false) {
        ssize_t more = tried ? first : attempt_write(&wait, kind, rest, rest_count);
        if (more < 0 && errno != EAGAIN)
            return sent ? (ssize_t)sent : -1;
        if (more >= 0) {
            wait.fruitless = 0;
            if (!total)
                total = bine_vector_size(vector, (size_t)count);
            sent += (size_t)more;
            /* A record (eventfd, device) is taken whole or as far as its driver takes it, which is
             * the answer. */
            if (sent >= total || (kind != BINE_FD_PIPE &&
                                  !(wait.record && atomic_load_explicit(&wait.record->terminal,
                                                                        memory_order_relaxed))))
                break;
            rest_count = bine_vector_rest(window, vector, (size_t)count, sent);
            rest = window;
            /* Where each attempt is a small piece (FIFOs, terminals) there may be room for more,
             * and no wake-up would come: a pipe tells its writers of room only after it was
             * full. */
            if (!wait.record || atomic_load_explicit(&wait.record->nowait, memory_order_relaxed) &
                                    BINE_WRITE_REFUSES_NOWAIT) {
                int cancelled = bine_streak(hub);
                if (cancelled)
                    return sent ? (ssize_t)sent : bine_io_fail(cancelled);
                continue;
            }
        }
        bine_wait_drained(hub, fd, POLLOUT, true);
        int error = bine_wait_more(&wait, POLLOUT);
        if (error == EPERM) {
            bine_descriptor_doubt(fd);
            more = bine_libc.writev(fd, rest, rest_count);
            if (more < 0)
                return sent ? (ssize_t)sent : -1;
            sent += (size_t)more;
            break;
        }
        if (error)
            return sent ? (ssize_t)sent : bine_io_fail(error);
    }
    errno = saved;
    return (ssize_t)sent;
}

ssize_t bine_stream_write(struct bine_hub *hub, int fd, enum bine_descriptor_kind kind,
                          const struct iovec *vector, int count, bool flat)
{
    /* Writes to files go to the page cache, but for those of other machines and programs. */
    if (kind == BINE_FD_FILE && count > 0 && bine_file_slow(fd))
        return BINE_FILE_CALL("write fd", fd, SYS_writev, fd, (long)vector, count);
    if (kind == BINE_FD_FILE || count <= 0 || (flat && vector->iov_len == 0))
        return flat ? bine_libc.write(fd, vector->iov_base, vector->iov_len)
                    : bine_libc.writev(fd, vector, count);

    return write_stream(hub, fd, kind, vector, count, flat, false, 0, errno);
}

ssize_t bine_stream_write_on(struct bine_hub *hub, int fd, const void *buffer, size_t size,
                             ssize_t done, int saved)
{
    struct bine_descriptor *record = bine_descriptor_of(fd);
    struct iovec vector = {(void *)buffer, size};
    bool tried = !record || !stream_refused(record, BINE_WRITE_REFUSES_NOWAIT, done);
    enum bine_descriptor_kind kind = bine_descriptor_kind(fd, record);
    return write_stream(hub, fd, kind, &vector, 1, true, tried, done, saved);
}

/* Opening, flushing and closing streams. See stdio.h. */
#include "stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/schedule/park.h"
#include "io/descriptor/descriptor.h"
#include "io/file/file.h"
#include "io/offload/offload.h"
#include "io/wait/close.h"
#include "libc/libc.h"
#include "stdio_wide.h"

/* Of fflush(NULL) libc's part is the rest: streams that never wait. */
static int flush_standard(struct bine_hub *hub)
{
    int result = 0;
    FILE *standard[] = {stdout, stderr};
    for (int i = 0; i < 2; i++)
        if (standard[i] && bine_stdio_fflush(hub, standard[i], false) != 0)
            result = EOF;
    return bine_libc.fflush(NULL) == 0 ? result : EOF;
}

int bine_stdio_fflush(struct bine_hub *hub, FILE *file, bool unlocked)
{
    if (!file)
        return flush_standard(hub);
    if (bine_wide_pending(file))
        return bine_wide_fflush(hub, file);
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, file, unlocked);
    if (begun < 0)
        return EOF;
    int result = 0;
    if (begun > 0 && !bine_stdio_flush(&call))
        result = EOF;
    /* What remains of it does not wait: giving back what was read ahead of a file's position. */
    if (result == 0)
        result = unlocked ? bine_libc.fflush_unlocked(file) : bine_libc.fflush(file);
    if (begun > 0)
        bine_stdio_end(&call);
    return result;
}

/* Writes out what can wait, so that the close has nothing left to write, and tells the waiters for
 * the descriptor. */
static int prepare_close(struct bine_hub *hub, FILE *file)
{
    int error = 0;
    struct bine_stdio call;
    if (bine_wide_pending(file) && bine_wide_fflush(hub, file) != 0)
        error = errno;
    int begun = bine_stdio_begin(&call, hub, file, false);
    if (begun < 0)
        error = errno;
    if (begun > 0) {
        /* A killed greenlet closes too; what it cannot write any more is lost. */
        if (call.waits && !bine_stdio_flush(&call))
            error = errno;
        bine_stdio_end(&call);
    }
    int fd = fileno(file);
    if (fd >= 0)
        bine_descriptor_closing(fd);
    return error;
}

int bine_stdio_fclose(struct bine_hub *hub, FILE *file)
{
    int error = prepare_close(hub, file);
    int result = bine_libc.fclose(file);
    if (error) {
        errno = error;
        return EOF;
    }
    return result;
}

static FILE *opened(FILE *file)
{
    if (file && fileno(file) >= 0)
        bine_descriptor_fresh(fileno(file), BINE_FD_UNKNOWN, 0);
    return file;
}

/* open's flags for a mode of fopen; -1: leave it to libc. */
static int flags_of(const char *mode)
{
    int flags;
    switch (*mode) {
    case 'r':
        flags = O_RDONLY;
        break;
    case 'w':
        flags = O_WRONLY | O_CREAT | O_TRUNC;
        break;
    case 'a':
        flags = O_WRONLY | O_CREAT | O_APPEND;
        break;
    default:
        return -1;
    }
    for (const char *each = mode + 1; *each && *each != ','; each++)
        if (*each == '+')
            flags = (flags & ~O_ACCMODE) | O_RDWR;
        else if (*each == 'x')
            flags |= O_EXCL;
        else if (*each == 'e')
            flags |= O_CLOEXEC;
    return strchr(mode, ',') ? -1 : flags; /* ",ccs=" wants libc's own way */
}

FILE *bine_stdio_fopen(struct bine_hub *hub, const char *path, const char *mode)
{
    (void)hub;
    int flags = flags_of(mode);
    if (flags < 0 || !bine_path_may_wait(AT_FDCWD, path, flags))
        return opened(bine_libc.fopen(path, mode));
    int fd = bine_open(path, flags, 0666);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, mode);
    if (!file) {
        int error = errno;
        bine_libc.close(fd);
        errno = error;
    }
    return file;
}

FILE *bine_stdio_freopen(struct bine_hub *hub, const char *path, const char *mode, FILE *file)
{
    prepare_close(hub, file);
    return opened(bine_libc.freopen(path, mode, file));
}

FILE *bine_stdio_popen(const char *command, const char *mode)
{
    FILE *file = bine_libc.popen(command, mode);
    if (file)
        bine_descriptor_fresh(fileno(file), BINE_FD_PIPE, 0);
    return file;
}

/* Closing what popen made: libc waits for the child, in the pool. */
struct closing {
    struct bine_offload_job job; /* first */
    FILE *file;
    int status;
    struct bine_greenlet *waiter;
};

static void run_closing(struct bine_offload_job *job)
{
    struct closing *closing = (struct closing *)job;
    closing->status = bine_libc.pclose(closing->file);
}

static void closing_orphaned(struct bine_offload_job *job)
{
    free(job);
}

static void closing_done(struct bine_offload_job *job)
{
    struct closing *closing = (struct closing *)job;
    struct bine_greenlet *waiter = closing->waiter;
    closing->waiter = NULL;
    if (waiter)
        bine_unpark(waiter);
    else
        closing_orphaned(job);
}

int bine_stdio_pclose(struct bine_hub *hub, FILE *file)
{
    int error = prepare_close(hub, file);
    struct closing *closing = calloc(1, sizeof *closing);
    if (!closing)
        return bine_libc.pclose(file);
    closing->job.run = run_closing;
    closing->job.done = closing_done;
    closing->job.orphaned = closing_orphaned;
    closing->job.lingers = true;
    closing->job.any_rights = true;
    closing->job.error = errno;
    closing->file = file;
    closing->waiter = hub->current;
    /* Also for a greenlet that has been killed: the stream must be closed and the child reaped. */
    bine_offload_submit(hub, &closing->job);
    int cut = bine_park(hub, "pclose", (uintptr_t)file, INT64_MAX, BINE_PARK_EXTERNAL);
    if (cut) {
        closing->waiter = NULL;
        errno = cut;
        return -1;
    }
    int status = closing->status;
    if (status == -1 || error)
        errno = error ? error : closing->job.error;
    free(closing);
    return status;
}

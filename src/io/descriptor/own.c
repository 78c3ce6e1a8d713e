/* See own.h. */
#include "own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptor.h"
#include "libc/libc.h"

atomic_uint bine_own_losses;

static void mark(int fd, bool own)
{
    struct bine_descriptor *record = own ? bine_descriptor_of(fd) : bine_descriptor_find(fd);
    if (record)
        atomic_store_explicit(&record->own, own, memory_order_relaxed);
}

void bine_own_note(struct bine_own *own, int fd)
{
    struct stat status = {0};
    int saved = errno;
    if (fd >= 0 && syscall(SYS_fstat, fd, &status) == 0)
        mark(fd, true);
    errno = saved;
    atomic_store(&own->device, (uint64_t)status.st_dev);
    atomic_store(&own->inode, (uint64_t)status.st_ino);
    atomic_store(&own->fd, fd);
}

bool bine_own_still(const struct bine_own *own)
{
    struct stat status;
    int saved = errno, fd = atomic_load(&own->fd);
    /* EPERM and the like: a filter forbids the question. */
    bool still = fd >= 0 && (syscall(SYS_fstat, fd, &status) != 0
                                 ? errno != EBADF
                                 : (uint64_t)status.st_dev == atomic_load(&own->device) &&
                                       (uint64_t)status.st_ino == atomic_load(&own->inode));
    errno = saved;
    return still;
}

bool bine_own_verify(const struct bine_own *own)
{
    bool still = bine_own_still(own);
    if (still)
        mark(atomic_load(&own->fd), true);
    return still;
}

void bine_own_forget(struct bine_own *own)
{
    int fd = atomic_exchange(&own->fd, -1);
    if (fd >= 0)
        mark(fd, false);
}

void bine_own_close(struct bine_own *own)
{
    int fd = bine_own_still(own) ? atomic_load(&own->fd) : -1;
    bine_own_forget(own);
    if (fd >= 0)
        bine_libc.close(fd);
}

uint64_t bine_own_eventfd(int fd)
{
    char path[40], text[400];
    int saved = errno;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    int info = bine_libc.open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = info < 0 ? -1 : bine_libc.read(info, text, sizeof text - 1);
    if (info >= 0)
        bine_libc.close(info);
    errno = saved;
    if (size <= 0)
        return 0;
    text[size] = 0;
    const char *field = strstr(text, "eventfd-id:");
    return field ? strtoull(field + strlen("eventfd-id:"), NULL, 0) + 1 : 0;
}

void bine_own_lost(struct bine_descriptor *record)
{
    atomic_store_explicit(&record->own, false, memory_order_relaxed);
    atomic_fetch_add(&bine_own_losses, 1);
}

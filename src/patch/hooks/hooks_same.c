/* Hooks of read, write, readv and writev that stay these system calls. See variant.h and
 * io/stream/same.h. */
#include "io/stream/same.h"
#include "patch/engine/variant.h"
#include "patch/table/hook.h"

static ssize_t same_read(int fd, void *buffer, size_t size)
{
    return bine_hook_here(BINE_PATCH_SOCKET) ? bine_same_read(fd, buffer, size)
                                             : bine_libc.read(fd, buffer, size);
}

static ssize_t same_readv(int fd, const struct iovec *vector, int count)
{
    return bine_hook_here(BINE_PATCH_SOCKET) ? bine_same_readv(fd, vector, count)
                                             : bine_libc.readv(fd, vector, count);
}

static ssize_t same_write(int fd, const void *buffer, size_t size)
{
    return bine_hook_here(BINE_PATCH_SOCKET) ? bine_same_write(fd, buffer, size)
                                             : bine_libc.write(fd, buffer, size);
}

static ssize_t same_writev(int fd, const struct iovec *vector, int count)
{
    return bine_hook_here(BINE_PATCH_SOCKET) ? bine_same_writev(fd, vector, count)
                                             : bine_libc.writev(fd, vector, count);
}

void *bine_same_hook(const void *hook)
{
    if (hook == (void *)hook_read)
        return (void *)same_read;
    if (hook == (void *)hook_readv)
        return (void *)same_readv;
    if (hook == (void *)hook_write)
        return (void *)same_write;
    return hook == (void *)hook_writev ? (void *)same_writev : NULL;
}

/*
 * Telling slow file systems from quick ones. See file.h.
 *
 * A look at the mount table, at most once a second, says whether any slow file system is mounted at all; mostly none
 * is, and then no path needs a further look. Where one is, a path is resolved from the directory cache alone (openat2
 * with RESOLVE_CACHED, Linux 5.12): what is not cached may have to wait, whatever it is.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "../core/libc.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static atomic_int assumed = -2; /* not read from the environment yet */
static _Atomic(int64_t) looked_at;
static atomic_bool any_slow;

void bine_path_assume(int slow)
{
    atomic_store(&assumed, slow);
}

static int assumption(void)
{
    int slow = atomic_load_explicit(&assumed, memory_order_relaxed);
    if (slow == -2) {
        const char *text = secure_getenv("BINE_FILES");
        slow = text && strcmp(text, "offload") == 0 ? 1 : -1;
        atomic_store(&assumed, slow);
    }
    return slow;
}

static bool slow_name(const char *name, size_t length)
{
    static const char *const names[] = {"nfs",  "nfs4",  "cifs", "smb3",   "fuse",      "fuseblk", "ceph",
                                        "9p",   "afs",   "gfs2", "ocfs2",  "glusterfs", "lustre",  "beegfs",
                                        "coda", "ncpfs", "gpfs", "vboxsf", "orangefs"};
    if (length > 5 && memcmp(name, "fuse.", 5) == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return true;
    return false;
}

static bool slow_type(unsigned long type)
{
    switch (type & 0xffffffff) {
    case 0x6969:     /* NFS */
    case 0x517b:     /* SMB */
    case 0xff534d42: /* CIFS */
    case 0xfe534d42: /* SMB2 */
    case 0x65735546: /* FUSE */
    case 0x00c36400: /* Ceph */
    case 0x01021997: /* 9P */
    case 0x5346414f: /* AFS */
    case 0x6b414653: /* AFS of the kernel */
    case 0x01161970: /* GFS2 */
    case 0x7461636f: /* OCFS2 */
    case 0x0bd00bd0: /* Lustre */
    case 0x19830326: /* BeeGFS */
    case 0x73757245: /* Coda */
    case 0x564c:     /* NCP */
    case 0x47504653: /* GPFS */
    case 0x786f4256: /* VirtualBox */
    case 0x20030528: /* OrangeFS */
        return true;
    default:
        return false;
    }
}

/* "36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw": the type stands behind the lone dash. */
static bool look(void)
{
    int fd = bine_libc.open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* unknown: then look at each path */
    char buffer[4096 + 1];
    size_t kept = 0;
    bool found = false;
    ssize_t got;
    while (!found && (got = bine_libc.read(fd, buffer + kept, sizeof buffer - 1 - kept)) > 0) {
        size_t size = kept + (size_t)got;
        buffer[size] = '\0';
        char *line = buffer, *end;
        while ((end = memchr(line, '\n', size - (size_t)(line - buffer)))) {
            *end = '\0';
            char *dash = strstr(line, " - ");
            if (dash)
                found |= slow_name(dash + 3, strcspn(dash + 3, " "));
            line = end + 1;
        }
        kept = size - (size_t)(line - buffer);
        if (kept == sizeof buffer - 1)
            kept = 0; /* a line this long: its end will do */
        memmove(buffer, line, kept);
    }
    bine_libc.close(fd);
    return found;
}

static bool any_slow_mount(void)
{
    int slow = assumption();
    if (slow >= 0)
        return slow;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t last = atomic_load_explicit(&looked_at, memory_order_relaxed);
    if (last == 0 || now.tv_sec != last) {
        int saved = errno;
        atomic_store(&any_slow, look());
        atomic_store(&looked_at, now.tv_sec);
        errno = saved;
    }
    return atomic_load_explicit(&any_slow, memory_order_relaxed);
}

bool bine_file_slow(int fd)
{
    if (!any_slow_mount())
        return false;
    int saved = errno;
    struct statfs system;
    bool slow = assumption() == 1 || (fstatfs(fd, &system) == 0 && slow_type((unsigned long)system.f_type));
    errno = saved;
    return slow;
}

bool bine_path_slow(int directory, const char *path)
{
    if (!any_slow_mount())
        return false;
    if (assumption() == 1 || !path)
        return path != NULL;
    int saved = errno;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    bool slow = true;
    if (fd >= 0) {
        struct statfs system;
        slow = fstatfs(fd, &system) != 0 || slow_type((unsigned long)system.f_type);
        bine_libc.close(fd);
    }
    errno = saved;
    return slow;
}

bool bine_path_may_wait(int directory, const char *path, int flags)
{
    if (bine_path_slow(directory, path))
        return true;
    /* A FIFO opened for both directions, or without waiting, does not wait; a directory or a new file is none. */
    if (!path || flags & (O_NONBLOCK | O_DIRECTORY | O_PATH) || (flags & O_ACCMODE) == O_RDWR ||
        (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return false;
    int saved = errno;
    struct stat status;
    bool waits = fstatat(directory, path, &status, 0) == 0 && S_ISFIFO(status.st_mode);
    errno = saved;
    return waits;
}

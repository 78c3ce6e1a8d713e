/*
 * How slow file systems are told from quick ones. See file.h.
 *
 * The mount table, read at most once a second, tells whether any slow file system is mounted.
 * Mostly none is, and then no path needs a further look. Where one is, a path is resolved from the
 * directory cache alone (openat2 with RESOLVE_CACHED, Linux 5.12). A component that is not cached
 * is looked up if its folder lies on a quick file system. Mount points are always cached, so such a
 * component can only lead elsewhere by a link, which the next step follows. Older kernels cannot
 * tell: there any path may have to wait while a slow file system is mounted.
 *
 * A thread that is confined (confine.h) makes all these calls itself.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "io/offload/confine.h"
#include "libc/kernel.h"
#include "libc/libc.h"

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
    static const char *const names[] = {"nfs",     "nfs4",      "cifs",   "smb3",    "fuse",
                                        "fuseblk", "ceph",      "9p",     "afs",     "gfs2",
                                        "ocfs2",   "glusterfs", "lustre", "beegfs",  "coda",
                                        "ncpfs",   "gpfs",      "vboxsf", "orangefs"};
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

/* "36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw": the type stands behind the lone
 * dash. */
static bool file_speed_look(void)
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
        atomic_store(&any_slow, file_speed_look());
        atomic_store(&looked_at, now.tv_sec);
        errno = saved;
    }
    return atomic_load_explicit(&any_slow, memory_order_relaxed);
}

bool bine_file_slow(int fd)
{
    if (!any_slow_mount() || bine_confined())
        return false;
    int saved = errno;
    struct statfs system;
    bool slow =
        assumption() == 1 || (fstatfs(fd, &system) == 0 && slow_type((unsigned long)system.f_type));
    errno = saved;
    return slow;
}

/* ---- a path, step by step -------------------------------------------------------------------- */

enum {
    /* of a path that is not cached, symbolic links included; the kernel follows 40 of these */
    STEPS_MOST = 128
};

/* Open for looking at, out of the cache alone. */
static int open_cached(int directory, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_CACHED};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static bool slow_open(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) != 0 || slow_type((unsigned long)system.f_type);
}

/* The deepest folder of the path that the cache knows, and which component follows. -1: there is
 * none. */
static int open_deepest(int directory, const char *path, char component[NAME_MAX + 1])
{
    char prefix[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof prefix)
        return -1;
    memcpy(prefix, path, length + 1);
    while (length) {
        while (length && prefix[length - 1] == '/')
            length--;
        size_t end = length;
        while (length && prefix[length - 1] != '/')
            length--;
        if (length == end || end - length > NAME_MAX)
            return -1; /* nothing but slashes; or a name that no file system has */
        memcpy(component, prefix + length, end - length);
        component[end - length] = '\0';
        prefix[length] = '\0';
        int fd = open_cached(directory, length ? prefix : ".", O_DIRECTORY);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* One step of a path whose resolution failed with `error`: 1 or 0 if it is slow or not, -1 if one
 * more component is cached now. The component is looked up on a file system that is not slow. */
static int step_into(int directory, const char *path, int error)
{
    char component[NAME_MAX + 1];
    int folder = open_deepest(directory, path, component);
    if (folder < 0)
        return 1;
    int verdict = slow_open(folder);
    if (!verdict && (error == EAGAIN || error == ENOENT)) {
        struct stat status;
        bool found = fstatat(folder, component, &status, AT_SYMLINK_NOFOLLOW) == 0;
        /* A link that leads to nothing may lead to nothing on a slow file system. */
        verdict = error == EAGAIN && found ? -1 : found && S_ISLNK(status.st_mode);
    }
    bine_libc.close(folder);
    return verdict;
}

static bool path_slow(int directory, const char *path)
{
    int verdict = -1;
    for (int step = 0; verdict < 0 && step < STEPS_MOST; step++) {
        int fd = open_cached(directory, path, 0);
        if (fd >= 0) {
            verdict = slow_open(fd);
            bine_libc.close(fd);
        } else if (errno == ENOSYS || errno == EINVAL || errno == EPERM) {
            verdict = 1; /* the kernel does not know RESOLVE_CACHED, or a filter does not */
        } else {
            verdict = step_into(directory, path, errno);
        }
    }
    return verdict != 0;
}

bool bine_path_slow(int directory, const char *path)
{
    if (!any_slow_mount() || bine_confined())
        return false;
    if (assumption() == 1 || !path)
        return path != NULL;
    int saved = errno;
    bool slow = path_slow(directory, path);
    errno = saved;
    return slow;
}

bool bine_path_is_fifo(int directory, const char *path, int flags)
{
    /* A FIFO opened for both directions, or without waiting, does not wait; a directory or a new
     * file is none. */
    if (!path || flags & (O_NONBLOCK | O_DIRECTORY | O_PATH) || (flags & O_ACCMODE) == O_RDWR ||
        (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) || bine_confined())
        return false;
    int saved = errno;
    struct stat status;
    bool waits = fstatat(directory, path, &status, 0) == 0 && S_ISFIFO(status.st_mode);
    errno = saved;
    return waits;
}

bool bine_path_may_wait(int directory, const char *path, int flags)
{
    return bine_path_slow(directory, path) || bine_path_is_fifo(directory, path, flags);
}

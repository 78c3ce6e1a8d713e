/*
 * Hooks of the file family that take a path or ask about one. On local file systems they are libc's
 * own calls. On network and user-space file systems, which may hang, the offload pool makes the
 * same system call.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "io/file/file.h"
#include "patch/table/hook.h"

static bool slow(int directory, const char *path)
{
    bine_hook_counts(BINE_PATCH_FILE);
    return bine_hook_here(BINE_PATCH_FILE) && bine_path_slow(directory, path);
}

static bool slow_file(int fd)
{
    bine_hook_counts(BINE_PATCH_FILE);
    return bine_hook_here(BINE_PATCH_FILE) && bine_file_slow(fd);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* On 64-bit machines libc's struct stat is the kernel's, and stat64's the same. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64) && sizeof(long) == 8,
               "only 64-bit machines");

static int status_slowly(int directory, const char *path, void *status, int flags)
{
    return (int)BINE_FILE_CALL("stat", path, SYS_newfstatat, directory, (long)path, (long)status,
                               flags);
}

int hook_stat(const char *path, struct stat *status)
{
    return slow(AT_FDCWD, path) ? status_slowly(AT_FDCWD, path, status, 0)
                                : bine_libc.stat(path, status);
}

int hook_stat64(const char *path, struct stat64 *status)
{
    return slow(AT_FDCWD, path) ? status_slowly(AT_FDCWD, path, status, 0)
                                : bine_libc.stat64(path, status);
}

int hook_lstat(const char *path, struct stat *status)
{
    return slow(AT_FDCWD, path) ? status_slowly(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW)
                                : bine_libc.lstat(path, status);
}

int hook_lstat64(const char *path, struct stat64 *status)
{
    return slow(AT_FDCWD, path) ? status_slowly(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW)
                                : bine_libc.lstat64(path, status);
}

int hook_fstat(int fd, struct stat *status)
{
    return slow_file(fd) ? (int)BINE_FILE_CALL("fstat fd", fd, SYS_fstat, fd, (long)status)
                         : bine_libc.fstat(fd, status);
}

int hook_fstat64(int fd, struct stat64 *status)
{
    return slow_file(fd) ? (int)BINE_FILE_CALL("fstat fd", fd, SYS_fstat, fd, (long)status)
                         : bine_libc.fstat64(fd, status);
}

int hook_fstatat(int directory, const char *path, struct stat *status, int flags)
{
    return slow(directory, path) ? status_slowly(directory, path, status, flags)
                                 : bine_libc.fstatat(directory, path, status, flags);
}

int hook_fstatat64(int directory, const char *path, struct stat64 *status, int flags)
{
    return slow(directory, path) ? status_slowly(directory, path, status, flags)
                                 : bine_libc.fstatat64(directory, path, status, flags);
}

/* Before glibc 2.33 `stat` and its relatives were functions of the program, which call these with
 * the version of the structure: the kernel's has one number. */
#if defined(__x86_64__)
#define STATUS_VERSION 1
#else
#define STATUS_VERSION 0
#endif

#define VERSIONED(suffix)                                                                   \
    int hook___xstat##suffix(int version, const char *path, struct stat##suffix *status)    \
    {                                                                                       \
        return version == STATUS_VERSION && slow(AT_FDCWD, path)                            \
                   ? status_slowly(AT_FDCWD, path, status, 0)                               \
                   : bine_libc.__xstat##suffix(version, path, status);                      \
    }                                                                                       \
    int hook___lxstat##suffix(int version, const char *path, struct stat##suffix *status)   \
    {                                                                                       \
        return version == STATUS_VERSION && slow(AT_FDCWD, path)                            \
                   ? status_slowly(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW)             \
                   : bine_libc.__lxstat##suffix(version, path, status);                     \
    }                                                                                       \
    int hook___fxstat##suffix(int version, int fd, struct stat##suffix *status)             \
    {                                                                                       \
        return version == STATUS_VERSION && slow_file(fd)                                   \
                   ? (int)BINE_FILE_CALL("fstat fd", fd, SYS_fstat, fd, (long)status)       \
                   : bine_libc.__fxstat##suffix(version, fd, status);                       \
    }                                                                                       \
    int hook___fxstatat##suffix(int version, int directory, const char *path,               \
                                struct stat##suffix *status, int flags)                     \
    {                                                                                       \
        return version == STATUS_VERSION && slow(directory, path)                           \
                   ? status_slowly(directory, path, status, flags)                          \
                   : bine_libc.__fxstatat##suffix(version, directory, path, status, flags); \
    }
VERSIONED()
VERSIONED(64)

int hook_statx(int directory, const char *path, int flags, unsigned mask, struct statx *status)
{
    return slow(directory, path) ? (int)BINE_FILE_CALL("statx", path, SYS_statx, directory,
                                                       (long)path, flags, mask, (long)status)
                                 : bine_libc.statx(directory, path, flags, mask, status);
}

int hook_access(const char *path, int mode)
{
    return slow(AT_FDCWD, path)
               ? (int)BINE_FILE_CALL("access", path, SYS_faccessat, AT_FDCWD, (long)path, mode)
               : bine_libc.access(path, mode);
}

ssize_t hook_readlinkat(int directory, const char *path, char *buffer, size_t size)
{
    return slow(directory, path) ? BINE_FILE_CALL("readlink", path, SYS_readlinkat, directory,
                                                  (long)path, (long)buffer, (long)size)
                                 : bine_libc.readlinkat(directory, path, buffer, size);
}

ssize_t hook_readlink(const char *path, char *buffer, size_t size)
{
    return hook_readlinkat(AT_FDCWD, path, buffer, size);
}

/* Where the fortified call would end the program, it shall do so with its own message. */
ssize_t hook___readlinkat_chk(int directory, const char *path, char *buffer, size_t size,
                              size_t buffer_size)
{
    return size > buffer_size
               ? bine_libc.__readlinkat_chk(directory, path, buffer, size, buffer_size)
               : hook_readlinkat(directory, path, buffer, size);
}

ssize_t hook___readlink_chk(const char *path, char *buffer, size_t size, size_t buffer_size)
{
    return size > buffer_size ? bine_libc.__readlink_chk(path, buffer, size, buffer_size)
                              : hook_readlink(path, buffer, size);
}

/* ---- changing -------------------------------------------------------------------------------- */

int hook_renameat2(int from_directory, const char *from, int to_directory, const char *to,
                   unsigned flags)
{
    return slow(from_directory, from) || slow(to_directory, to)
               ? (int)BINE_FILE_CALL("rename", from, SYS_renameat2, from_directory, (long)from,
                                     to_directory, (long)to, flags)
               : bine_libc.renameat2(from_directory, from, to_directory, to, flags);
}

int hook_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    return hook_renameat2(from_directory, from, to_directory, to, 0);
}

int hook_rename(const char *from, const char *to)
{
    return hook_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int hook_linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
    return slow(from_directory, from) || slow(to_directory, to)
               ? (int)BINE_FILE_CALL("link", from, SYS_linkat, from_directory, (long)from,
                                     to_directory, (long)to, flags)
               : bine_libc.linkat(from_directory, from, to_directory, to, flags);
}

int hook_link(const char *from, const char *to)
{
    return hook_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int hook_symlinkat(const char *target, int directory, const char *path)
{
    return slow(directory, path) ? (int)BINE_FILE_CALL("symlink", path, SYS_symlinkat, (long)target,
                                                       directory, (long)path)
                                 : bine_libc.symlinkat(target, directory, path);
}

int hook_symlink(const char *target, const char *path)
{
    return hook_symlinkat(target, AT_FDCWD, path);
}

int hook_unlinkat(int directory, const char *path, int flags)
{
    return slow(directory, path)
               ? (int)BINE_FILE_CALL("unlink", path, SYS_unlinkat, directory, (long)path, flags)
               : bine_libc.unlinkat(directory, path, flags);
}

int hook_unlink(const char *path)
{
    return hook_unlinkat(AT_FDCWD, path, 0);
}

int hook_rmdir(const char *path)
{
    return hook_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int hook_mkdirat(int directory, const char *path, mode_t mode)
{
    return slow(directory, path)
               ? (int)BINE_FILE_CALL("mkdir", path, SYS_mkdirat, directory, (long)path, mode)
               : bine_libc.mkdirat(directory, path, mode);
}

int hook_mkdir(const char *path, mode_t mode)
{
    return hook_mkdirat(AT_FDCWD, path, mode);
}

int hook_truncate(const char *path, off_t size)
{
    return slow(AT_FDCWD, path)
               ? (int)BINE_FILE_CALL("truncate", path, SYS_truncate, (long)path, size)
               : bine_libc.truncate(path, size);
}

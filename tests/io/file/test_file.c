/* Files and paths: this program's own calls are patched. */
#include "io/beats.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "io/file/file.h"

/* ---- reading and writing --------------------------------------------------------------------- */

TEST(reads_and_writes_at_an_offset_are_libcs)
{
    bine_greenlet *heart = start();
    enum {
        SIZE = 100000
    };
    int fd = own_file(SIZE);
    static char ours[SIZE + 100], theirs[SIZE + 100];
    static const off_t offsets[] = {0, 1, 4095, 4096, SIZE - 10, SIZE, SIZE + 5, -1, -5000};
    static const size_t sizes[] = {0, 1, 100, 5000, SIZE};
    for (int o = 0; o < 9; o++)
        for (int s = 0; s < 5; s++) {
            errno = 0;
            ssize_t got = pread(fd, ours, sizes[s], offsets[o]);
            int error = errno;
            errno = 0;
            CHECK_EQ(got, bine_libc.pread(fd, theirs, sizes[s], offsets[o]));
            CHECK_EQ(error, errno);
            if (got > 0)
                CHECK_MEMORY(ours, theirs, (size_t)got);
            struct iovec vector[] = {
                {ours, sizes[s] / 3}, {NULL, 0}, {ours + sizes[s] / 3, sizes[s] - sizes[s] / 3}};
            CHECK_EQ(preadv(fd, vector, 3, offsets[o]), got);
            if (got > 0)
                CHECK_MEMORY(ours, theirs, (size_t)got);
            if (offsets[o] >= 0 && sizes[s])
                CHECK_EQ(preadv2(fd, vector, 3, offsets[o], 0), got);
        }
    CHECK_EQ(pwrite(fd, "abc", 3, 4095), 3);
    struct iovec parts[] = {{"d", 1}, {"ef", 2}};
    CHECK_EQ(pwritev(fd, parts, 2, 4098), 3);
    CHECK_EQ(pwritev2(fd, parts, 2, SIZE + 10, 0), 3);
    CHECK_EQ(pread(fd, ours, 6, 4095), 6);
    CHECK_MEMORY(ours, "abcdef", 6);
    CHECK_EQ(lseek(fd, 0, SEEK_END), SIZE + 13);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERROR(pread(-1, ours, 1, 0), EBADF);
    CHECK_ERROR(pwrite(-1, ours, 1, 0), EBADF);
    volatile int impossible = -1;
    CHECK_ERROR(preadv(fd, parts, impossible, 0), EINVAL);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERROR(pread(ends[0], ours, 1, 0), ESPIPE);
    CHECK_ERROR(pwrite(ends[1], ours, 1, 0), ESPIPE);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    finish(heart);
}

TEST(what_is_not_cached_is_read_all_the_same)
{
    bine_greenlet *heart = start();
    enum {
        SIZE = 3 << 20
    };
    int fd = own_file(SIZE);
    char *ours = malloc(SIZE), *theirs = malloc(SIZE);
    CHECK(ours && theirs);
    CHECK_OK(fdatasync(fd));
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    CHECK_EQ(pread(fd, ours, 5000, SIZE / 2), 5000); /* now a part is cached */
    CHECK_EQ(pread(fd, ours, SIZE, 0), SIZE);
    CHECK_EQ(bine_libc.pread(fd, theirs, SIZE, 0), SIZE);
    CHECK_MEMORY(ours, theirs, SIZE);
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    memset(ours, 0, SIZE);
    CHECK_EQ(read(fd, ours, SIZE), SIZE);
    CHECK_MEMORY(ours, theirs, SIZE);
    free(ours);
    free(theirs);
    close(fd);
    finish(heart);
}

TEST(syncing_lets_others_run)
{
    bine_greenlet *heart = start();
    int fd = own_file(10000);
    unsigned before = beats;
    CHECK_OK(fsync(fd));
    CHECK_GT(beats, before);
    before = beats;
    CHECK_OK(fdatasync(fd));
    CHECK_GT(beats, before);
    before = beats;
    CHECK_OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    CHECK_GT(beats, before);
    before = beats;
    CHECK_OK(fallocate(fd, 0, 0, 50000));
    CHECK_GT(beats, before);
    errno = EXDEV;
    CHECK_EQ(posix_fallocate(fd, 0, 60000), 0);
    CHECK_EQ(posix_fallocate(fd, 0, -1), EINVAL);
    CHECK_EQ(errno, EXDEV);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 60000);
    CHECK_OK(ftruncate(fd, 4096));
    CHECK_EQ(lseek(fd, 0, SEEK_END), 4096);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_NE(map, MAP_FAILED);
    map[5] = 'x';
    before = beats;
    CHECK_OK(msync(map, 4096, MS_SYNC));
    CHECK_GT(beats, before);
    munmap(map, 4096);
    CHECK_ERROR(fsync(-1), EBADF);
    CHECK_ERROR(fdatasync(-1), EBADF);
    CHECK_ERROR(syncfs(-1), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERROR(fsync(ends[0]), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    finish(heart);
}

static void *killed_before_it_syncs(void *fd)
{
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED);
    CHECK_ERROR(fsync((int)(intptr_t)fd), ECANCELED);
    CHECK_ERROR(fallocate((int)(intptr_t)fd, 0, 0, 1 << 20), ECANCELED);
    bine_shield_begin();
    CHECK_OK(fsync((int)(intptr_t)fd));
    bine_shield_end();
    return NULL;
}

TEST(a_killed_greenlet_does_not_begin_to_wait)
{
    bine_greenlet *heart = start();
    int fd = own_file(100);
    bine_greenlet *victim = bine_spawn(killed_before_it_syncs, (void *)(intptr_t)fd);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_join(victim, NULL, BINE_FOREVER));
    CHECK_EQ(lseek(fd, 0, SEEK_END), 100);
    close(fd);
    finish(heart);
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void use_paths(void)
{
    const char *path = own_path("path"), *other = own_path("other"),
               *directory = own_path("directory");
    struct stat status;
    struct stat64 status64;
    struct statx extended;
    char target[PATH_MAX];
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);
    CHECK_OK(fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
    CHECK_EQ(write(fd, "12345", 5), 5);
    CHECK_OK(stat(path, &status));
    CHECK_EQ(status.st_size, 5);
    CHECK_EQ(status.st_mode & 0777, 0640);
    CHECK_OK(fstat(fd, &status));
    CHECK_OK(fstat64(fd, &status64));
    CHECK_EQ(status.st_ino, status64.st_ino);
    CHECK_OK(lstat64(path, &status64));
    CHECK_OK(stat64(path, &status64));
    CHECK_EQ(status64.st_size, 5);
    CHECK_OK(fstatat(AT_FDCWD, path, &status, 0));
    CHECK_OK(statx(AT_FDCWD, path, 0, STATX_SIZE, &extended));
    CHECK_EQ(extended.stx_size, 5);
    CHECK_OK(symlink(path, other));
    CHECK_OK(lstat(other, &status));
    CHECK(S_ISLNK(status.st_mode));
    CHECK_EQ(readlink(other, target, sizeof target), strlen(path));
    CHECK_OK(access(other, R_OK));
    CHECK_ERROR(access("/nonexistent", R_OK), ENOENT);
    CHECK_OK(unlink(other));
    CHECK_OK(link(path, other));
    CHECK_OK(rename(other, path));
    CHECK_OK(unlink(other));
    CHECK_OK(rename(path, other));
    CHECK_OK(truncate(other, 3));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 3);
    CHECK_OK(mkdir(directory, 0700));
    int at = open(directory, O_RDONLY | O_DIRECTORY);
    CHECK_OK(at);
    int inside = openat(at, "inside", O_CREAT | O_WRONLY, 0600);
    CHECK_OK(inside);
    close(inside);
    CHECK_ERROR(rmdir(directory), ENOTEMPTY);
    CHECK_OK(unlinkat(at, "inside", 0));
    close(at);
    CHECK_OK(rmdir(directory));
    CHECK_OK(unlink(other));
    close(fd);
    CHECK_ERROR(open("/nonexistent/x", O_RDONLY), ENOENT);
    CHECK_ERROR(openat(-1, "x", O_RDONLY), EBADF);
    CHECK_ERROR(creat("/", 0600), EISDIR);
    CHECK_ERROR(stat("/nonexistent", &status), ENOENT);
    CHECK_ERROR(fstat(-1, &status), EBADF);
}

TEST(paths_on_quick_file_systems_need_no_thread)
{
    bine_greenlet *heart = start();
    bine_path_assume(0);
    use_paths();
    CHECK_EQ(bine_offload_threads(), 0);
    finish(heart);
}

TEST(paths_on_slow_file_systems_let_others_run)
{
    bine_greenlet *heart = start();
    bine_path_assume(1);
    use_paths();
    CHECK_GT(bine_offload_threads(), 0);
    CHECK_GT(beats, 20);
    finish(heart);
}

TEST(files_on_slow_file_systems_let_others_run)
{
    bine_greenlet *heart = start();
    int fd = own_file(5000);
    bine_path_assume(1);
    char bytes[100] = "written";
    unsigned before = beats;
    CHECK_EQ(write(fd, bytes, 7), 7);
    CHECK_GT(beats, before);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, bytes, sizeof bytes), 100);
    CHECK_MEMORY(bytes, "written", 7);
    before = beats;
    CHECK_OK(ftruncate(fd, 10));
    CHECK_GT(beats, before);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
    close(fd);
    finish(heart);
}

/* The opinion on this machine's own mounts: /proc and /dev/shm are never slow. */
TEST(local_file_systems_are_quick)
{
    bine_path_assume(-1);
    int fd = open("/proc/self/status", O_RDONLY);
    CHECK_OK(fd);
    CHECK(!bine_file_slow(fd));
    CHECK(!bine_path_slow(AT_FDCWD, "/proc/self"));
    close(fd);
}

/*
 * Seccomp filters that answer EPERM or ENOSYS to calls which the program never made: the runtime's
 * own ways to read, write and wait. The program's calls do what they would do without the runtime.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bine.h>

#include "io/filter.h"
#include "libc/libc.h"
#include "newer.h"

static void *write_later(void *fd)
{
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(write((int)(intptr_t)fd, "12345678", 8), 8);
    return NULL;
}

/* What is there already, what comes later, and what does not fit. */
static void check_pair(int from, int to)
{
    char buffer[8];
    CHECK_EQ(write(to, "abcdefgh", 8), 8);
    CHECK_EQ(read(from, buffer, 8), 8);
    CHECK_MEMORY(buffer, "abcdefgh", 8);
    bine_greenlet *g = bine_spawn(write_later, (void *)(intptr_t)to);
    CHECK_EQ(read(from, buffer, 8), 8);
    CHECK_MEMORY(buffer, "12345678", 8);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    struct iovec halves[2] = {{buffer, 3}, {buffer + 3, 5}};
    CHECK_EQ(writev(to, halves, 2), 8);
    memset(buffer, 0, 8);
    CHECK_EQ(readv(from, halves, 2), 8);
    CHECK_MEMORY(buffer, "12345678", 8);
}

enum {
    LARGE = 1 << 20
};
static char large[LARGE];

static void *read_all(void *fd)
{
    size_t total = 0;
    static char chunk[65536];
    while (total < LARGE) {
        ssize_t got = read((int)(intptr_t)fd, chunk, sizeof chunk);
        CHECK_GE(got, 1);
        total += (size_t)got;
    }
    return NULL;
}

static void check_large(int from, int to)
{
    bine_greenlet *g = bine_spawn(read_all, (void *)(intptr_t)from);
    for (size_t sent = 0; sent < LARGE;) {
        ssize_t more = write(to, large + sent, LARGE - sent);
        CHECK_GE(more, 1);
        sent += (size_t)more;
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

static void check_pipes_and_sockets(void)
{
    int ends[2];
    CHECK_OK(pipe(ends));
    check_pair(ends[0], ends[1]);
    check_large(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    check_pair(ends[0], ends[1]);
    check_large(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
    int event = eventfd(0, 0);
    uint64_t value = 7;
    CHECK_EQ(write(event, &value, 8), 8);
    CHECK_EQ(read(event, &value, 8), 8);
    CHECK_EQ(value, 7u);
    close(event);
}

static void check_files(void)
{
    char path[] = "/tmp/bine-refused-XXXXXX", buffer[8];
    int file = mkstemp(path);
    CHECK_GE(file, 0);
    CHECK_EQ(write(file, "contents", 8), 8);
    CHECK_EQ(pwrite(file, "C", 1, 0), 1);
    CHECK_EQ(pread(file, buffer, 8, 0), 8);
    CHECK_MEMORY(buffer, "Contents", 8);
    CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
    CHECK_EQ(read(file, buffer, 8), 8);
    CHECK_EQ(read(file, buffer, 8), 0);
    close(file);
    unlink(path);
}

static void check_processes(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        bine_libc.usleep(10000); /* so that it is waited for */
        _exit(3);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static void check_all(void)
{
    CHECK_OK(bine_sleep(BINE_MS));
    check_pipes_and_sockets();
    check_files();
    check_processes();
}

/* The filter comes first, as under systemd or in a container; or the runtime does, as where a
 * program confines itself. */
static void refuse(const long *calls, size_t count, int error)
{
    harness_not_under_emulator("it passes these calls on in ways of its own");
    for (int after = 0; after < 2; after++) {
        pid_t child = fork();
        if (child == 0) {
            if (after) {
                CHECK_OK(bine_patch_all());
                check_all();
            }
            for (size_t i = 0; i < count; i++)
                filter_fails((unsigned)calls[i], error);
            if (!after)
                CHECK_OK(bine_patch_all());
            check_all();
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 0);
    }
}

/* Calls that stand in for read and write. */
static const long transfers[] = {SYS_preadv2, SYS_pwritev2};
static const long messages[] = {SYS_recvfrom, SYS_sendto, SYS_recvmsg, SYS_sendmsg};
/* Calls that stand in for others, or that nobody asked for. */
static const long others[] = {SYS_pidfd_open, SYS_epoll_pwait2, SYS_process_madvise, SYS_fstat,
                              SYS_fstatfs};

TEST(hazard_72_a_filter_that_refuses_preadv2_by_EPERM)
{
    refuse(transfers, 2, EPERM);
}

TEST(hazard_72_a_filter_that_refuses_preadv2_by_EACCES_or_ENOSYS)
{
    refuse(transfers, 2, EACCES);
    refuse(transfers, 2, ENOSYS);
}

TEST(hazard_72_a_filter_that_lets_read_and_write_pass_but_no_socket_calls)
{
    refuse(messages, 4, EPERM);
    refuse(messages, 4, ENOSYS);
}

TEST(hazard_72_a_filter_that_refuses_what_is_newer)
{
    refuse(others, 5, EPERM);
    refuse(others, 5, ENOSYS);
}

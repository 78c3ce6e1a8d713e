/* The files of Unix sockets: their permissions, and whose they are. */
#include <bine.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"
#include "libc/libc.h"

static bine_server *server;
static char path[64], address[72];

static void wait_for_the_end(bine_connection *connection, void *arg)
{
    char byte;
    bine_recv(connection->fd, &byte, 1, 0);
}

static bine_server *unix_server(int backlog, unsigned mode)
{
    snprintf(path, sizeof path, "/tmp/bine-stop-%d.sock", (int)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    return bine_server_new(
        &(bine_server_options){.address = address, .backlog = backlog, .mode = mode},
        wait_for_the_end, NULL);
}

TEST(unix_sockets_have_the_permissions_asked_for)
{
    struct stat status;
    mode_t before = umask(0027);
    static const unsigned modes[][2] = {{0, 0750}, {0600, 0600}, {0666, 0666}};
    for (int i = 0; i < 3; i++) {
        server = unix_server(0, modes[i][0]);
        CHECK(server != NULL);
        CHECK_OK(stat(path, &status));
        CHECK_EQ(status.st_mode & 0777, modes[i][1]);
        CHECK_OK(bine_server_free(server));
        CHECK_ERROR(stat(path, &status), ENOENT);
    }
    umask(before);
}

static pid_t (*real_waitpid)(pid_t child, int *status, int options);

/* As if another thread that waits for any child had been quicker. */
static pid_t late_waitpid(pid_t child, int *status, int options)
{
    int unseen;
    (void)status;
    CHECK_EQ(real_waitpid(child, &unseen, options), child);
    errno = ECHILD;
    return -1;
}

TEST(a_name_in_use_is_told_of_although_the_child_that_binds_was_waited_for)
{
    harness_not_under_valgrind("it shares no memory with the child");
    harness_not_under_emulator("it shares no memory with the child");
    real_waitpid = bine_libc.waitpid;
    bine_libc.waitpid = late_waitpid;
    server = unix_server(0, 0600);
    CHECK(server != NULL);
    CHECK_ERROR(unix_server(0, 0600), EADDRINUSE);
    bine_libc.waitpid = real_waitpid;
    CHECK_OK(bine_server_free(server));
}

/* Between two looks of the runtime at a path somebody else exchanges the file: whenever `exchange`
 * is set. */
static void (*exchange)(void);

static void exchange_once(void)
{
    void (*function)(void) = exchange;
    exchange = NULL;
    if (function)
        function();
}

int chmod(const char *file, mode_t mode)
{
    exchange_once();
    return fchmodat(AT_FDCWD, file, mode, 0);
}

static int look(const char *file, struct stat *status)
{
    int result = fstatat(AT_FDCWD, file, status, AT_SYMLINK_NOFOLLOW);
    exchange_once();
    return result;
}

int lstat(const char *restrict file, struct stat *restrict status)
{
    return look(file, status);
}

#if !__GLIBC_PREREQ(2, 33)
/* The header of older C libraries makes this call of lstat. */
int __lxstat(int version, const char *file, struct stat *status)
{
    (void)version;
    return look(file, status);
}
#endif

static char victim[80], aside[80];

static void put_a_symlink(void)
{
    CHECK_OK(rename(path, aside));
    CHECK_OK(symlink(victim, path));
}

TEST(hazard_85_permissions_are_set_on_the_socket_and_nothing_else)
{
    struct stat status;
    snprintf(victim, sizeof victim, "/tmp/bine-stop-%d.victim", (int)getpid());
    snprintf(aside, sizeof aside, "/tmp/bine-stop-%d.aside", (int)getpid());
    int fd = open(victim, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK_OK(fd);
    CHECK_OK(close(fd));
    exchange = put_a_symlink; /* at the first chmod or look, if there is one */
    server = unix_server(0, 0666);
    CHECK(server != NULL);
    CHECK_OK(fstatat(AT_FDCWD, victim, &status, 0));
    CHECK_EQ(status.st_mode & 0777, 0600);
    CHECK_OK(fstatat(AT_FDCWD, exchange ? path : aside, &status, 0));
    CHECK_EQ(status.st_mode & 0777, 0666);
    exchange = NULL;
    CHECK_OK(bine_server_free(server));
    unlink(path);
    unlink(aside);
    CHECK_OK(unlink(victim));
}

static bine_server *successor;

static void start_a_successor(void)
{
    CHECK_OK(unlink(path));
    successor = unix_server(0, 0);
    CHECK(successor != NULL);
}

TEST(hazard_85_a_file_that_was_exchanged_before_it_is_removed_stays)
{
    server = unix_server(0, 0);
    CHECK(server != NULL);
    exchange = start_a_successor; /* just behind the look that says that it is the server's own */
    CHECK_OK(bine_server_free(server));
    CHECK(successor != NULL);
    CHECK_OK(access(path, F_OK));
    CHECK_OK(bine_server_free(successor));
    CHECK_ERROR(access(path, F_OK), ENOENT);
}

TEST(only_a_servers_own_file_is_taken_away)
{
    server = unix_server(0, 0);
    CHECK_OK(unlink(path));
    bine_server *next = unix_server(0, 0); /* as in a restart that overlaps */
    CHECK(next != NULL);
    CHECK_OK(bine_server_stop(server, 0));
    CHECK_OK(bine_server_free(server));
    CHECK_OK(access(path, F_OK));
    CHECK_OK(bine_server_free(next));
    CHECK_ERROR(access(path, F_OK), ENOENT);
}

TEST(files_that_are_no_dead_sockets_stay)
{
    snprintf(path, sizeof path, "/tmp/bine-stop-%d.sock", (int)getpid());
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK_OK(fd);
    close(fd);
    CHECK_ERROR(unix_server(0, 0), EADDRINUSE);
    CHECK_OK(access(path, F_OK));
    CHECK_OK(unlink(path));
    char long_path[200] = "unix:/tmp/";
    memset(long_path + 10, 'x', 150);
    CHECK_ERROR(
        bine_server_new(&(bine_server_options){.address = long_path}, wait_for_the_end, NULL),
        EINVAL);
    CHECK_ERROR(bine_server_new(&(bine_server_options){.address = "unix:/nowhere/at/all"},
                                wait_for_the_end, NULL),
                ENOENT);
}

TEST(a_live_server_that_is_too_busy_is_not_taken_for_a_dead_one)
{
    int fds[8], n = 0;
    server = unix_server(1, 0); /* and never accepts */
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    for (; n < 8; n++) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fds[n], (struct sockaddr *)&to, sizeof to) != 0)
            break;
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK_ERROR(unix_server(0, 0), EADDRINUSE);
    for (; n >= 0; n--)
        close(fds[n]);
    CHECK_OK(bine_server_free(server));
}

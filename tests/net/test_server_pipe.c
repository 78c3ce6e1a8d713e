/* Clients that leave while a patched handler writes to them: the process gets EPIPE, and lives.
 * Each case has a process of its own. */
#include <bine.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static int failures; /* calls that failed with EPIPE */

/* The ways in which programs and libraries write. */
static ssize_t by_write(int fd)
{
    return write(fd, "x", 1);
}

static ssize_t by_send(int fd)
{
    return send(fd, "x", 1, 0);
}

static ssize_t by_writev(int fd)
{
    return writev(fd, &(struct iovec){"x", 1}, 1);
}

static ssize_t by_sendmsg(int fd)
{
    return sendmsg(fd, &(struct msghdr){.msg_iov = &(struct iovec){"x", 1}, .msg_iovlen = 1}, 0);
}

static ssize_t by_stdio(int fd)
{
    FILE *stream = fdopen(dup(fd), "w");
    CHECK(stream != NULL);
    fputs("x", stream);
    int result = fflush(stream), error = errno;
    fclose(stream);
    errno = error;
    return result;
}

static ssize_t (*const ways[])(int fd) = {by_write, by_send, by_writev, by_sendmsg, by_stdio};

/* Until the peer's end has arrived a write may succeed. */
static void write_to_nobody(int fd)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        ssize_t result;
        while ((result = ways[i](fd)) >= 0)
            CHECK_OK(bine_sleep(BINE_MS));
        CHECK(errno == EPIPE || errno == ECONNRESET);
        while (errno == ECONNRESET && (result = ways[i](fd)) >= 0)
            ;
        CHECK_EQ(result, -1);
        failures += errno == EPIPE;
    }
}

static void *write_elsewhere(void *fd)
{
    write_to_nobody((int)(intptr_t)fd);
    return NULL;
}

/* The handler, a greenlet of its, and a thread without a hub. */
static void serve(bine_connection *connection, void *arg)
{
    pthread_t thread;
    char byte;
    CHECK_EQ(recv(connection->fd, &byte, 1, 0), 0); /* it has left */
    write_to_nobody(connection->fd);
    bine_greenlet *g = bine_spawn(write_elsewhere, (void *)(intptr_t)connection->fd);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(pthread_create(&thread, NULL, write_elsewhere, (void *)(intptr_t)connection->fd), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_event_set(arg));
}

static void serve_one_who_leaves(unsigned flags)
{
    char address[64];
    bine_event *done = bine_event_new(0);
    snprintf(address, sizeof address, "unix:@bine-leaves-%d", (int)getpid());
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = address, .flags = flags}, serve, done);
    CHECK_OK(bine_server_start(server));
    int fd = bine_dial(bine_server_address(server), BINE_SECOND);
    CHECK_OK(fd);
    CHECK_OK(close(fd));
    CHECK_OK(bine_event_wait(done, BINE_FOREVER));
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
    CHECK_OK(bine_event_free(done));
}

static void patch(void)
{
    harness_not_under_thread_sanitizer("nothing can be patched there");
    CHECK_OK(bine_patch_all());
}

TEST(a_patched_server_outlives_clients_that_leave)
{
    CHECK_EQ(signal(SIGPIPE, SIG_DFL), SIG_DFL);
    patch();
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 15);
}

TEST(a_server_that_is_not_patched_outlives_them_too)
{
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 15);
}

TEST(a_server_may_leave_sigpipe_alone, .signal = SIGPIPE, .leaves = "it dies")
{
    patch();
    serve_one_who_leaves(BINE_SERVER_SIGPIPE);
}

TEST(a_second_server_changes_what_the_first_left_alone)
{
    patch();
    bine_server *first = bine_server_new(
        &(bine_server_options){.address = "127.0.0.1:0", .flags = BINE_SERVER_SIGPIPE}, serve,
        NULL);
    CHECK_OK(bine_server_start(first));
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 15);
    CHECK_OK(bine_server_stop(first, 0));
    CHECK_OK(bine_server_free(first));
}

/* What the program sets stands. */
static volatile sig_atomic_t caught;

static void catch (int number)
{
    caught++;
}

TEST(a_handler_of_the_programs_stands)
{
    patch();
    CHECK_EQ(signal(SIGPIPE, catch), SIG_DFL);
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 15);
    CHECK_GE(caught, 15);
    CHECK(signal(SIGPIPE, SIG_DFL) == catch);
}

TEST(what_the_program_sets_afterwards_stands, .signal = SIGPIPE, .leaves = "it dies")
{
    patch();
    bine_server *first =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, serve, NULL);
    CHECK_OK(bine_server_start(first));
    CHECK_NE((void *)signal(SIGPIPE, SIG_DFL), (void *)SIG_DFL);
    serve_one_who_leaves(0);
}

TEST(what_is_ignored_stays_ignored)
{
    CHECK_EQ(signal(SIGPIPE, SIG_IGN), SIG_DFL);
    patch();
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 15);
    CHECK(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
}

/* While a greenlet has an action of its own, the process's is kept elsewhere: that is the one that
 * counts. */
static void *ignore_by_itself(void *until)
{
    CHECK(signal(SIGPIPE, SIG_IGN) == SIG_DFL);
    CHECK_OK(bine_event_set(until));
    CHECK_OK(bine_sleep(BINE_FOREVER) == -1 ? 0 : -1);
    return NULL;
}

TEST(a_greenlet_with_an_action_of_its_own_changes_nothing)
{
    patch();
    bine_event *set = bine_event_new(0);
    bine_greenlet *g = bine_spawn(ignore_by_itself, set);
    CHECK_OK(bine_event_wait(set, BINE_FOREVER));
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 15);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    serve_one_who_leaves(0);
    CHECK_EQ(failures, 30);
    CHECK_OK(bine_event_free(set));
}

TEST(programs_that_a_server_starts_have_the_default)
{
    patch();
    serve_one_who_leaves(0);
    /* SIGPIPE is 13: the bit 0x1000 of the signals that are ignored, and of those that are
     * caught. */
    CHECK_EQ(system("set -- $(grep -E '^Sig(Ign|Cgt)' /proc/self/status | cut -f2); "
                    "test $((0x$1 & 0x1000)) = 0 && test $((0x$2 & 0x1000)) = 0"),
             0);
}

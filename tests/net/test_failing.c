/* Each allocation of dialling and of readers fails once: the call says so, nothing is lost, no
 * descriptor stays open. */
#include "failing.h"

#include <arpa/inet.h>
#include <bine.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libc/libc.h"

static bool begin(void)
{
    bine_libc.pthread_create = pthread_create; /* the one that fails */
    if (bine_getcurrent())
        return true;
    failing_excuse();
    return false;
}

/* ---- dialling -------------------------------------------------------------------------------- */

static int listener;
static char by_number[64], by_name[64];

static void listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(bind(listener, (struct sockaddr *)&address, length));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &length));
    CHECK_OK(listen(listener, 1000));
    snprintf(by_number, sizeof by_number, "127.0.0.1:%d", ntohs(address.sin_port));
    snprintf(by_name, sizeof by_name, "localhost:%d", ntohs(address.sin_port));
}

static void dial(const char *address)
{
    int fd = bine_dial(address, 10 * BINE_SECOND);
    if (fd >= 0)
        CHECK_OK(bine_close(fd));
    /* Of two addresses one may have failed for the other's reason; and a look-up without memory may
     * know nothing. */
    else if (errno == ECONNREFUSED || errno == ENOENT || errno == EIO || errno == EADDRNOTAVAIL)
        CHECK(failing_struck());
    else
        failing_excuse();
}

static void dial_both(void)
{
    if (!begin())
        return;
    dial(by_number);
    dial(by_name);
}

TEST(dial_reports_exhaustion_and_leaves_no_descriptor, .seconds = 60)
{
    listen_somewhere();
    CHECK_GT(failing_each(dial_both), 3u);
    CHECK_OK(close(listener));
}

/* ---- readers --------------------------------------------------------------------------------- */

/* Lines of growing length: the buffer grows several times, and what failed is tried again. */
static void read_lines(void)
{
    int fds[2];
    char *line;
    size_t size;
    if (!begin())
        return;
    CHECK_OK(pipe(fds));
    CHECK_EQ(write(fds[1], "a short line\n", 13), 13);
    char text[20000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    CHECK_EQ(write(fds[1], text, sizeof text), (ssize_t)sizeof text);
    CHECK_OK(close(fds[1]));

    bine_reader *reader = bine_reader_new(fds[0], 0);
    if (!reader) {
        failing_excuse();
        CHECK_OK(bine_close(fds[0]));
        return;
    }
    int result;
    for (int tries = 0; (result = bine_reader_line(reader, &line, &size)) < 0 && tries < 3; tries++)
        failing_excuse();
    if (result > 0)
        CHECK_STRING(line, "a short line");
    for (int tries = 0;
         result > 0 && (result = bine_reader_line(reader, &line, &size)) < 0 && tries < 3; tries++)
        failing_excuse();
    if (result > 0)
        CHECK_EQ(size, sizeof text - 1);
    CHECK_OK(bine_reader_free(reader));
    CHECK_OK(bine_close(fds[0]));
}

TEST(a_reader_reports_exhaustion_and_loses_nothing, .seconds = 60)
{
    CHECK_GT(failing_each(read_lines), 3u);
}

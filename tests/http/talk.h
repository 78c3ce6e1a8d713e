/* A server on loopback and a client that sends what it is told to, for the tests of
 * libbine-http. */
#ifndef BINE_TESTS_HTTP_TALK_H
#define BINE_TESTS_HTTP_TALK_H

#include <bine.h>
#include <bine/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

static bine_http_server *server;

static inline void start_with(bine_http_server_options options, bine_http_handler *handler,
                              void *arg)
{
    options.listen.address = "127.0.0.1:0";
    server = bine_http_server_new(&options, handler, arg);
    CHECK(server != NULL);
    CHECK_OK(bine_http_server_start(server));
}

static inline void start(bine_http_handler *handler)
{
    start_with((bine_http_server_options){0}, handler, NULL);
}

static inline void stop(void)
{
    CHECK_OK(bine_http_server_stop(server, 5 * BINE_SECOND));
    CHECK_OK(bine_http_server_free(server));
}

static inline int connect_to_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)bine_http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    return fd;
}

static inline void say_bytes(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = bine_send(fd, data, size, MSG_NOSIGNAL);
        CHECK_GT(sent, 0);
        data += sent;
        size -= (size_t)sent;
    }
}

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

enum {
    HEARD = 1 << 20
};
static char heard[HEARD + 1];
static size_t heard_size;

/* Until `end` has come, or the connection ends (end NULL: that is what is waited for). What came is
 * in heard. */
static inline bool hear(int fd, const char *end)
{
    heard_size = 0;
    heard[0] = '\0';
    while (!end || !strstr(heard, end)) {
        ssize_t got = bine_recv(fd, heard + heard_size, HEARD - heard_size, 0);
        if (got <= 0)
            return !end && got == 0;
        heard_size += (size_t)got;
        heard[heard_size] = '\0';
    }
    return true;
}

/* Send it on a connection of its own and hear all until the server closes. */
static inline const char *talk(const char *text)
{
    int fd = connect_to_server();
    say(fd, text);
    shutdown(fd, SHUT_WR);
    hear(fd, NULL);
    bine_close(fd);
    return heard;
}

#define BEGINS(text, beginning) \
    CHECK(strncmp((text), (beginning), strlen(beginning)) == 0 || (FAIL("%s", (text)), 0))
#define HAS(text, part) CHECK(strstr((text), (part)) || (FAIL("no %s in: %s", (part), (text)), 0))
#define HAS_NOT(text, part) CHECK(!strstr((text), (part)) || (FAIL("%s in: %s", (part), (text)), 0))

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* What stands behind the head. */
static inline const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "";
}

#endif

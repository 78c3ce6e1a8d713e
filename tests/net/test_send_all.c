/* bine_send_all: all of it, whatever the kernel takes at a time. */
#include "harness.h"

#include <bine.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

TEST(send_all_checks_its_arguments)
{
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK_ERROR(bine_send_all(fds[0], NULL, 1), EINVAL);
    CHECK_OK(bine_send_all(fds[0], NULL, 0));
    CHECK_ERROR(bine_send_all(-1, "x", 1), EBADF);
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_close(fds[1]));
}

TEST(send_all_to_a_peer_that_has_gone_is_no_sigpipe)
{
    int fds[2];
    CHECK_EQ(signal(SIGPIPE, SIG_DFL), SIG_DFL);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK_OK(bine_close(fds[1]));
    CHECK_ERROR(bine_send_all(fds[0], "hello", 5), EPIPE);
    CHECK_OK(bine_close(fds[0]));
}

enum {
    MUCH = 3 << 20
};

static void *receive_much(void *arg)
{
    static char buffer[60000];
    size_t got = 0;
    ssize_t n;
    while (got < MUCH && (n = bine_recv((int)(intptr_t)arg, buffer, sizeof buffer, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buffer[i], (char)((got + (size_t)i) % 251));
        got += (size_t)n;
    }
    CHECK_EQ(got, (size_t)MUCH);
    return NULL;
}

TEST(send_all_sends_all)
{
    int fds[2];
    char *much = malloc(MUCH);
    for (int i = 0; i < MUCH; i++)
        much[i] = (char)(i % 251);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    bine_greenlet *g = bine_spawn(receive_much, (void *)(intptr_t)fds[1]);
    CHECK_OK(bine_send_all(fds[0], much, MUCH));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    /* Nobody reads any more: a time limit ends it in the middle. */
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 20 * BINE_MS));
    CHECK_ERROR(bine_send_all(fds[0], much, MUCH), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    free(much);
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_close(fds[1]));
}

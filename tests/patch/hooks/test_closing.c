/*
 * Closing through the patched calls: whoever waits for what is closed, replaced or in the range is
 * told, and a close that waits lets others run.
 */
#include <bine.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>

#include "newer.h"
#include "patch/common.h"

static char order[64];
static int pair[2];

static void open_pair(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void *read_pair(void *arg)
{
    char got;
    ssize_t size = read(pair[0], &got, 1);
    return (void *)(intptr_t)(size < 0 ? -errno : size);
}

static void *wait_result(bine_greenlet *g)
{
    void *value;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    return value;
}

TEST(hazard_15_closing_wakes_who_waits)
{
    CHECK_OK(bine_patch_all());
    open_pair();
    bine_greenlet *g = bine_spawn(read_pair, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(close(pair[0]), 0);
    CHECK_EQ(wait_result(g), (void *)-EBADF);
    CHECK_EQ(close(pair[1]), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_15_so_does_replacing)
{
    CHECK_OK(bine_patch_all());
    for (int i = 0; i < 2; i++) {
        open_pair();
        int other = eventfd(0, 0);
        bine_greenlet *g = bine_spawn(read_pair, NULL);
        CHECK_OK(bine_sleep(BINE_MS));
        /* A call that fails replaces nothing. */
        CHECK_ERROR(dup2(12345, pair[0]), EBADF);
        CHECK_ERROR(dup3(other, pair[0], 1234567), EINVAL);
        CHECK_EQ(dup2(pair[0], pair[0]), pair[0]);
        CHECK_OK(bine_sleep(BINE_MS));
        CHECK(!bine_dead(g));
        CHECK_EQ(i ? dup3(other, pair[0], O_CLOEXEC) : dup2(other, pair[0]), pair[0]);
        CHECK_EQ(wait_result(g), (void *)-EBADF);
        CHECK_EQ(close(other), 0);
        CHECK_EQ(close(pair[0]) + close(pair[1]), 0);
    }
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_15_so_does_closing_a_range)
{
    CHECK_OK(bine_patch_all());
    open_pair();
    bine_greenlet *g = bine_spawn(read_pair, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    int flags = 1 << 2; /* CLOSE_RANGE_CLOEXEC: closes nothing now */
    CHECK_OK(newer_close_range((unsigned)pair[0], (unsigned)pair[0], flags));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK(!bine_dead(g));
    CHECK_OK(newer_close_range((unsigned)pair[0], (unsigned)pair[0], 0));
    CHECK_EQ(wait_result(g), (void *)-EBADF);
    CHECK_EQ(close(pair[1]), 0);
    CHECK_OK(bine_unpatch_all());
}

/* ---- a close that waits ---------------------------------------------------------------------- */

static void *close_it(void *fd)
{
    CHECK_EQ(close((int)(intptr_t)fd), 0);
    strcat(order, "c");
    return NULL;
}

/* SO_LINGER goes from a listener to what it accepts; `late`: it is set on that. */
static void check_lingering(bool late)
{
    static char got[65536];
    struct linger linger = {.l_onoff = 1, .l_linger = 600};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_EQ(listen(listener, 8), 0);
    if (!late)
        CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    int fd = accept(listener, NULL, NULL);
    CHECK_GE(fd, 0);
    while (send(fd, got, sizeof got, MSG_DONTWAIT) > 0)
        ;
    if (late)
        CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    order[0] = '\0';
    bine_greenlet *g = bine_spawn(close_it, (void *)(intptr_t)fd);
    CHECK_OK(bine_sleep(BINE_MS));
    strcat(order, "b");
    while (read(client, got, sizeof got) > 0)
        ;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_STRING(order, "bc");
    CHECK_EQ(close(client), 0);
    CHECK_EQ(close(listener), 0);
}

TEST(closing_a_socket_that_lingers_steps_aside)
{
    harness_not_under_valgrind("its close() lets no other thread run");
    CHECK_OK(bine_patch_all());
    check_lingering(false);
    check_lingering(true);
    CHECK_OK(bine_unpatch_all());
}

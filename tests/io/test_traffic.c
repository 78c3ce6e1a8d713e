/* Much traffic at once, by every call and on every kind of descriptor: each byte arrives, in order,
 * and nobody sleeps on. */
#include <stdlib.h>
#include <sys/uio.h>

#include "differential.h"
#include "io/poller/poller.h"
#include "pairs.h"

enum {
    STREAMS = 18,
    BYTES = 40000,
    MOST = 9000
};

struct traffic {
    int fds[2];
    bool is_pipe;
    struct draw writer, reader;
    size_t written, got;
};

static char pattern(size_t at)
{
    return (char)(at * 31 + at / 257);
}

static size_t piece(struct draw *from, size_t left)
{
    size_t size = 1 + (draw_one_in(from, 4) ? draw(from, MOST) : draw(from, 200));
    return size < left ? size : left;
}

static void *write_all(void *arg)
{
    struct traffic *t = arg;
    char buffer[MOST];
    while (t->written < BYTES) {
        size_t size = piece(&t->writer, BYTES - t->written);
        struct iovec vector[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
        struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
        struct pollfd room = {.fd = t->fds[1], .events = POLLOUT};
        ssize_t sent;
        for (size_t i = 0; i < size; i++)
            buffer[i] = pattern(t->written + i);
        switch (draw(&t->writer, t->is_pipe ? 3 : 5)) {
        case 0:
            CHECK_EQ(bine_poll(&room, 1, -1), 1);
            sent = bine_write(t->fds[1], buffer, size);
            break;
        case 1:
            sent = bine_write(t->fds[1], buffer, size);
            break;
        case 2:
            sent = bine_writev(t->fds[1], vector, 2);
            break;
        case 3:
            sent = bine_send(t->fds[1], buffer, size, MSG_NOSIGNAL);
            break;
        default:
            sent = bine_sendmsg(t->fds[1], &message, 0);
            break;
        }
        CHECK_EQ(sent, (ssize_t)size);
        t->written += size;
        if (draw_one_in(&t->writer, 5))
            CHECK_OK(bine_sleep(draw(&t->writer, 300) * BINE_US));
    }
    CHECK_OK(bine_close(t->fds[1]));
    return NULL;
}

static ssize_t read_some(struct traffic *t, char *buffer, size_t size)
{
    struct iovec vector[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
    struct pollfd data = {.fd = t->fds[0], .events = POLLIN};
    struct timeval time = {10, 0};
    fd_set set;
    switch (draw(&t->reader, t->is_pipe ? 4 : 7)) {
    case 0:
        CHECK_EQ(bine_poll(&data, 1, 10000), 1);
        return bine_read(t->fds[0], buffer, size);
    case 1:
        FD_ZERO(&set);
        FD_SET(t->fds[0], &set);
        CHECK_EQ(bine_select(t->fds[0] + 1, &set, NULL, NULL, &time), 1);
        return bine_read(t->fds[0], buffer, size);
    case 2:
        return bine_read(t->fds[0], buffer, size);
    case 3:
        return bine_readv(t->fds[0], vector, 2);
    case 4:
        return bine_recv(t->fds[0], buffer, size, 0);
    case 5:
        return bine_recv(t->fds[0], buffer, size, MSG_WAITALL);
    default:
        return bine_recvmsg(t->fds[0], &message, 0);
    }
}

static void *read_all(void *arg)
{
    struct traffic *t = arg;
    char buffer[MOST];
    for (;;) {
        ssize_t got = read_some(t, buffer, piece(&t->reader, MOST));
        CHECK_GE(got, 0);
        if (got == 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != pattern(t->got + (size_t)i))
                FAIL("byte %zu is wrong", t->got + (size_t)i);
        t->got += (size_t)got;
        if (draw_one_in(&t->reader, 7))
            CHECK_OK(bine_sleep(draw(&t->reader, 300) * BINE_US));
    }
    CHECK_EQ(t->got, (size_t)BYTES);
    CHECK_OK(bine_close(t->fds[0]));
    return NULL;
}

static void run_traffic(uint64_t seed)
{
    struct traffic all[STREAMS];
    bine_greenlet *greenlets[2 * STREAMS];
    bine_descriptor_trust(seed & 2);
    for (int i = 0; i < STREAMS; i++) {
        struct traffic *t = &all[i];
        *t = (struct traffic){.is_pipe = i % 3 == 2,
                              .writer = {seed * 1000 + (uint64_t)i},
                              .reader = {seed * 1000 + 500 + (uint64_t)i}};
        i % 3 == 0 ? unix_pair(t->fds) : i % 3 == 1 ? tcp_pair(t->fds) : pipe_pair(t->fds);
        greenlets[2 * i] = bine_spawn(read_all, t);
        greenlets[2 * i + 1] = bine_spawn(write_all, t);
    }
    CHECK_OK(bine_joinall(greenlets, 2 * STREAMS, 60 * BINE_SECOND));
    bine_descriptor_trust(false);
}

TEST(every_byte_arrives_in_order, .seconds = 100)
{
    const char *poller = getenv("BINE_POLLER");
    bool simulated = poller && strncmp(poller, "sim", 3) == 0;
    for (uint64_t seed = 1; seed <= (simulated ? 40 : 20); seed++) {
        if (simulated)
            CHECK(bine_poller_simulate(bine_hub_get(), seed) != NULL);
        run_traffic(seed);
    }
}

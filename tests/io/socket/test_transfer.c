/* read, write, recv, send: what they promise beyond single calls (those: test_differential.c). */
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "core/hub/hub.h"
#include "io/one_call.h"

/* ---- readers and writers --------------------------------------------------------------------- */

TEST(several_greenlets_read_one_descriptor_and_each_byte_arrives_once)
{
    int kinds = 3;
    for (int kind = 0; kind < kinds; kind++) {
        int fds[2];
        kind == 0 ? unix_pair(fds) : kind == 1 ? tcp_pair(fds) : pipe_pair(fds);
        enum {
            READERS = 8
        };
        struct one_call calls[READERS] = {0};
        bine_greenlet *readers[READERS];
        char bytes[READERS];
        for (int i = 0; i < READERS; i++) {
            calls[i] = (struct one_call){.fd = fds[0], .size = 1, .buffer = &bytes[i]};
            readers[i] = bine_spawn(call_read, &calls[i]);
        }
        CHECK_OK(bine_sleep(BINE_MS));
        unsigned seen = 0;
        for (int i = 0; i < READERS; i++) {
            char byte = (char)i;
            CHECK_EQ(bine_write(fds[1], &byte, 1), 1);
            if (i % 3 == 0)
                CHECK_OK(bine_sleep(BINE_MS));
        }
        CHECK_OK(bine_joinall(readers, READERS, 10 * BINE_SECOND));
        for (int i = 0; i < READERS; i++) {
            CHECK_EQ(calls[i].result, 1);
            seen |= 1u << bytes[i];
        }
        CHECK_EQ(seen, (1u << READERS) - 1);
        close_pair(fds);
    }
}

static void check_bulk(int reader, int writer)
{
    enum {
        SIZE = 3000000
    };
    char *out = malloc(SIZE), *in = malloc(SIZE);
    CHECK(out && in);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = (char)(i * 7 + i / 251);
    struct one_call write = {.fd = writer, .size = SIZE, .buffer = out};
    bine_greenlet *g = bine_spawn(call_write, &write);
    size_t got = 0;
    while (got < SIZE) {
        ssize_t more = bine_read(reader, in + got, SIZE - got);
        CHECK_GT(more, 0);
        got += (size_t)more;
    }
    CHECK_OK(bine_join(g, NULL, 10 * BINE_SECOND));
    CHECK_EQ(write.result, SIZE); /* a blocking write returns when all has gone */
    CHECK_MEMORY(in, out, SIZE);
    free(out);
    free(in);
}

TEST(a_large_write_goes_whole_through_each_kind_of_descriptor)
{
    int fds[2];
    unix_pair(fds);
    check_bulk(fds[0], fds[1]);
    close_pair(fds);
    tcp_pair(fds);
    check_bulk(fds[0], fds[1]);
    close_pair(fds);
    pipe_pair(fds);
    check_bulk(fds[0], fds[1]);
    close_pair(fds);
}

TEST(a_large_write_to_a_half_closed_peer_goes_on)
{
    /* The peer has sent its last byte (POLLRDHUP) and reads slowly. */
    int fds[2];
    tcp_pair(fds);
    CHECK_OK(shutdown(fds[0], SHUT_WR));
    check_bulk(fds[0], fds[1]);
    close_pair(fds);
}

TEST(pipes_work_where_rwf_nowait_does_not)
{
    /* As before Linux 6.4, and with named FIFOs: asked first, and written in pieces that fit. */
    int fds[2];
    pipe_pair(fds);
    for (int i = 0; i < 2; i++)
        atomic_store(&bine_descriptor_of(fds[i])->nowait, 3);
    check_bulk(fds[0], fds[1]);
    char byte = 0;
    struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
    bine_greenlet *g = bine_spawn(call_read, &call);
    let_run();
    CHECK(!call.done);
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(byte, 'x');
    CHECK_OK(bine_close(fds[1]));
    CHECK_EQ(bine_read(fds[0], &byte, 1), 0);
    CHECK_OK(bine_close(fds[0]));
}

static void *wait_for_priority(void *arg)
{
    struct pollfd urgent = {.fd = *(int *)arg, .events = POLLPRI};
    CHECK_EQ(bine_poll(&urgent, 1, 5000), 1);
    CHECK_EQ(urgent.revents, POLLPRI);
    return NULL;
}

TEST(urgent_data_is_seen_and_does_not_hide_what_is_behind_it)
{
    int fds[2];
    char buffer[64];
    tcp_pair(fds);
    bine_greenlet *g = bine_spawn(wait_for_priority, &fds[0]);
    /* Known to the poller, and known to come in small pieces. */
    struct one_call call = {.fd = fds[0], .size = sizeof buffer, .buffer = buffer};
    bine_greenlet *reader = bine_spawn(call_read, &call);
    let_run();
    CHECK_EQ(bine_send(fds[1], "a", 1, 0), 1); /* of more, the simulator's receive may bring less */
    CHECK_OK(bine_join(reader, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call.result, 1);
    CHECK_EQ(bine_send(fds[1], "def", 3, 0), 3);
    CHECK_EQ(bine_send(fds[1], "!", 1, MSG_OOB), 1);
    CHECK_EQ(bine_send(fds[1], "ghi", 3, 0), 3);
    let_run();
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    check_read(fds[0], "def", 3); /* to the mark */
    CHECK_EQ(bine_recv(fds[0], buffer, 1, MSG_OOB), 1);
    CHECK_EQ(buffer[0], '!');
    check_read(fds[0], "ghi", 3);
    CHECK_ERROR(bine_recv(fds[0], buffer, 1, MSG_OOB), EINVAL);
    close_pair(fds);
}

TEST(descriptors_travel_and_are_known_to_be_shared)
{
    int fds[2], files[2], received = -1;
    char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
    bine_descriptor_trust(true);
    unix_pair(fds);
    unix_pair(files);
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &files[0], sizeof(int));
    CHECK_EQ(bine_sendmsg(fds[1], &message, 0), 1);
    memset(control, 0, sizeof control);
    message.msg_controllen = sizeof control;
    CHECK_EQ(bine_recvmsg(fds[0], &message, MSG_CMSG_CLOEXEC), 1);
    CHECK((header = CMSG_FIRSTHDR(&message)) != NULL);
    memcpy(&received, CMSG_DATA(header), sizeof(int));
    CHECK_OK(received);
    /* Whoever holds the other end of it may make it non-blocking: nothing that was remembered is
     * believed. */
    CHECK_OK(fcntl(received, F_SETFL, O_RDWR | O_NONBLOCK));
    CHECK_ERROR(bine_read(files[0], &byte, 1), EAGAIN);
    CHECK_ERROR(bine_read(received, &byte, 1), EAGAIN);
    bine_descriptor_trust(false);
    CHECK_OK(bine_close(received));
    close_pair(files);
    close_pair(fds);
}

TEST(an_eventfd_counts_across_greenlets)
{
    int fd = announced(eventfd(0, EFD_CLOEXEC), BINE_FD_STREAM);
    uint64_t value = 0;
    struct one_call call = {.fd = fd, .size = sizeof value, .buffer = (char *)&value};
    bine_greenlet *g = bine_spawn(call_read, &call);
    let_run();
    CHECK(!call.done);
    uint64_t three = 3;
    CHECK_EQ(bine_write(fd, &three, sizeof three), (ssize_t)sizeof three);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    CHECK_EQ(call.result, 8);
    CHECK_EQ(value, 3u);
    /* Too small a buffer is refused, with or without something to read. */
    harness_not_under_emulator(
        "it has no preadv2, and a read that polls first waits for something");
    CHECK_ERROR(bine_read(fd, &value, 4), EINVAL);
    CHECK_OK(bine_close(fd));
}

TEST(a_file_is_read_to_its_end_and_not_beyond)
{
    char name[] = "/tmp/bine-test-XXXXXX";
    int fd = mkstemp(name);
    CHECK_OK(fd);
    CHECK_OK(unlink(name));
    enum {
        SIZE = 200000
    };
    char *data = malloc(SIZE + 100);
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 13);
    CHECK_EQ(bine_write(fd, data, SIZE), SIZE);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    char *back = malloc(SIZE + 100);
    CHECK_EQ(bine_read(fd, back, SIZE + 100), SIZE);
    CHECK_MEMORY(data, back, SIZE);
    CHECK_EQ(bine_read(fd, back, 100), 0);
    CHECK_EQ(lseek(fd, SIZE - 10, SEEK_SET), SIZE - 10);
    struct iovec vector[3] = {{back, 4}, {back + 4, 0}, {back + 4, 100}};
    CHECK_EQ(bine_readv(fd, vector, 3), 10);
    CHECK_MEMORY(data + SIZE - 10, back, 10);
    /* Not in the page cache any more. */
    CHECK_OK(fsync(fd));
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    memset(back, 0, SIZE);
    CHECK_EQ(bine_read(fd, back, SIZE + 100), SIZE);
    CHECK_MEMORY(data, back, SIZE);
    CHECK_OK(bine_close(fd));
    free(data);
    free(back);
}

TEST(success_leaves_errno_alone)
{
    int fds[2];
    unix_pair(fds);
    char byte = 0;
    struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
    bine_greenlet *g = bine_spawn(call_read, &call);
    let_run();
    errno = EXDEV;
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    CHECK_EQ(errno, EXDEV);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    CHECK_EQ(bine_write(fds[1], "y", 1), 1);
    errno = EXDEV;
    CHECK_EQ(bine_read(fds[0], &byte, 1), 1);
    CHECK_EQ(errno, EXDEV);
    close_pair(fds);
}

TEST(bad_arguments_get_libc_s_errors)
{
    int fds[2];
    char byte;
    CHECK(bine_getcurrent() != NULL);
    CHECK_ERROR(bine_read(-1, &byte, 1), EBADF);
    CHECK_ERROR(bine_write(-1, &byte, 1), EBADF);
    CHECK_ERROR(bine_recv(-1, &byte, 1, 0), EBADF);
    CHECK_ERROR(bine_recv(INT32_MAX, &byte, 1, 0), EBADF);
    CHECK_ERROR(bine_close(-1), EBADF);
    CHECK_ERROR(bine_accept(-1, NULL, NULL), EBADF);
    unix_pair(fds);
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    if (!harness_instrumented()) { /* valgrind looks at buffers before the kernel does */
        CHECK_ERROR(bine_read(fds[0], (void *)8, 1), EFAULT);
        CHECK_ERROR(bine_recv(fds[0], (void *)8, 1, 0), EFAULT);
        CHECK_ERROR(bine_write(fds[0], (void *)8, 1), EFAULT);
        CHECK_ERROR(bine_writev(fds[0], NULL, 5000), EINVAL);
    }
    CHECK_ERROR(bine_readv(fds[0], NULL, -1), EINVAL);
    close_pair(fds);
}

/* ---- SIGPIPE --------------------------------------------------------------------------------- */

static volatile sig_atomic_t pipe_signals;

static void on_sigpipe(int number)
{
    pipe_signals++;
}

static void *busy(void *arg)
{
    while (!*(volatile bool *)arg)
        CHECK_OK(bine_sleep(0));
    return NULL;
}

TEST(a_broken_pipe_sends_one_sigpipe_unless_told_not_to)
{
    signal(SIGPIPE, on_sigpipe);
    bine_descriptor_trust(true);
    for (int others = 0; others < 2; others++) {
        bool stop = false;
        bine_greenlet *other = NULL;
        if (others) { /* with greenlets ready the write may go through the ring */
            other = bine_spawn(busy, &stop);
            CHECK_OK(bine_sleep(0));
        }
        int fds[2];
        tcp_pair(fds);
        CHECK_OK(shutdown(fds[0], SHUT_WR));
        pipe_signals = 0;
        CHECK_ERROR(bine_write(fds[0], "x", 1), EPIPE);
        CHECK_EQ(pipe_signals, 1);
        CHECK_ERROR(bine_send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
        CHECK_EQ(pipe_signals, 1);
        struct iovec vector = {"x", 1};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        CHECK_ERROR(bine_sendmsg(fds[0], &message, 0), EPIPE);
        CHECK_EQ(pipe_signals, 2);
        close_pair(fds);
        pipe_pair(fds);
        CHECK_OK(bine_close(fds[0]));
        CHECK_ERROR(bine_write(fds[1], "x", 1), EPIPE);
        CHECK_EQ(pipe_signals, 3);
        CHECK_OK(bine_close(fds[1]));
        stop = true;
        if (other)
            CHECK_OK(bine_join(other, NULL, BINE_SECOND));
    }
    bine_descriptor_trust(false);
}

/* ---- kill, timeout scopes, signals ----------------------------------------------------------- */

TEST(a_killed_reader_fails_with_ecanceled_and_so_does_its_next_wait)
{
    int fds[2];
    unix_pair(fds);
    char byte;
    struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
    bine_greenlet *g = bine_spawn(call_read, &call);
    let_run();
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    CHECK_EQ(call.result, -1);
    CHECK_EQ(call.error, ECANCELED);
    close_pair(fds);
}

TEST(hazard_24_bytes_that_went_before_a_kill_are_reported_first)
{
    int fds[2];
    unix_pair(fds);
    size_t size = 2000000;
    struct one_call call = {.fd = fds[1], .size = size, .buffer = calloc(1, size)};
    bine_greenlet *g = bine_spawn(call_write, &call);
    let_run();
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    CHECK_GT(call.result, 0);
    CHECK_LT(call.result, (ssize_t)size);
    /* And they are what arrived. */
    char *back = malloc(size);
    size_t got = 0;
    CHECK_OK(bine_close(fds[1]));
    for (ssize_t more; (more = bine_read(fds[0], back, size)) > 0;)
        got += (size_t)more;
    CHECK_EQ(got, (size_t)call.result);
    free(back);
    free(call.buffer);
    CHECK_OK(bine_close(fds[0]));
}

static void *write_one(void *arg)
{
    CHECK_EQ(bine_write(*(int *)arg, "x", 1), 1);
    return NULL;
}

TEST(hazard_24_a_kill_that_races_with_data_loses_none)
{
    for (int round = 0; round < 50; round++) {
        int fds[2];
        unix_pair(fds);
        char byte = 0;
        struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
        bine_greenlet *g = bine_spawn(call_read, &call);
        CHECK_OK(bine_sleep(0));
        bine_greenlet *writer = bine_spawn(write_one, &fds[1]);
        if (round & 1)
            CHECK_OK(bine_sleep(0));
        CHECK_OK(bine_kill(g));
        CHECK_OK(bine_join(g, NULL, BINE_SECOND));
        CHECK_OK(bine_join(writer, NULL, BINE_SECOND));
        /* Either it was read or it is still there. */
        if (call.result == 1)
            CHECK_EQ(byte, 'x');
        else
            CHECK_EQ(recv(fds[0], &byte, 1, MSG_DONTWAIT), 1);
        close_pair(fds);
    }
}

TEST(a_timeout_scope_ends_a_read)
{
    int fds[2];
    unix_pair(fds);
    char byte;
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 5 * BINE_MS));
    CHECK_ERROR(bine_read(fds[0], &byte, 1), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    CHECK_EQ(bine_read(fds[0], &byte, 1), 1);
    close_pair(fds);
}

/* ---- O_NONBLOCK and timeouts ----------------------------------------------------------------- */

TEST(hazard_16_o_nonblock_is_never_changed)
{
    int fds[2];
    for (int kind = 0; kind < 3; kind++) {
        kind == 0 ? unix_pair(fds) : kind == 1 ? tcp_pair(fds) : pipe_pair(fds);
        char byte;
        struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
        bine_greenlet *g = bine_spawn(call_read, &call);
        let_run();
        CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
        CHECK_EQ(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
        CHECK_EQ(bine_write(fds[1], "x", 1), 1);
        CHECK_OK(bine_join(g, NULL, BINE_SECOND));
        CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
        close_pair(fds);
    }
}

TEST(a_non_blocking_descriptor_says_eagain_whoever_made_it_so)
{
    int fds[2];
    char byte;
    bine_descriptor_trust(true);
    unix_pair(fds);
    /* A read that came up short: the next one would wait first. */
    char buffer[64];
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    CHECK_EQ(bine_read(fds[0], buffer, sizeof buffer), 1);
    /* Through a copy, which this descriptor's record cannot know of but by being shared. */
    int copy = dup(fds[0]);
    bine_descriptor_copied(fds[0], copy);
    CHECK_OK(fcntl(copy, F_SETFL, O_RDWR | O_NONBLOCK));
    bine_descriptor_set_nonblocking(copy, true);
    CHECK_ERROR(bine_read(fds[0], &byte, 1), EAGAIN);
    CHECK_ERROR(bine_read(copy, &byte, 1), EAGAIN);
    bine_descriptor_trust(false);
    CHECK_ERROR(bine_read(fds[0], &byte, 1), EAGAIN);
    CHECK_OK(bine_close(copy));
    close_pair(fds);
}

static int64_t clock_now(void)
{
    return bine_hub_now(bine_hub_get());
}

TEST(hazard_17_so_rcvtimeo_holds_to_the_microsecond)
{
    int fds[2];
    char byte;
    tcp_pair(fds);
    struct timeval timeout = {0, 12345};
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    socklen_t length = sizeof timeout;
    /* The kernel rounds up to its ticks. */
    CHECK_OK(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, &length));
    bine_descriptor_option_changed(fds[0], SOL_SOCKET, SO_RCVTIMEO);
    for (int i = 0; i < 3; i++) {
        int64_t begun = clock_now();
        CHECK_ERROR(bine_recv(fds[0], &byte, 1, 0), EAGAIN);
        CHECK_GE(clock_now() - begun, 12345 * BINE_US);
    }
    /* A value that arrives in time is no timeout. */
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    CHECK_EQ(bine_recv(fds[0], &byte, 1, 0), 1);
    /* And it can be taken back. */
    timeout = (struct timeval){0, 0};
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    bine_descriptor_option_changed(fds[0], SOL_SOCKET, SO_RCVTIMEO);
    struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
    bine_greenlet *g = bine_spawn(call_read, &call);
    CHECK_OK(bine_sleep(40 * BINE_MS));
    CHECK(!call.done);
    CHECK_EQ(bine_write(fds[1], "x", 1), 1);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    close_pair(fds);
}

TEST(hazard_17_so_sndtimeo_reports_what_went)
{
    int fds[2];
    unix_pair(fds);
    struct timeval timeout = {0, 20000};
    CHECK_OK(setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout));
    bine_descriptor_option_changed(fds[1], SOL_SOCKET, SO_SNDTIMEO);
    size_t size = 2000000;
    char *data = calloc(1, size);
    ssize_t sent = bine_write(fds[1], data, size);
    CHECK_GT(sent, 0);
    CHECK_LT(sent, (ssize_t)size);
    CHECK_ERROR(bine_write(fds[1], data, size), EAGAIN);
    free(data);
    close_pair(fds);
}

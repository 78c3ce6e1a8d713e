/* The io_uring poller and liburing: which inner fields are relied upon, and what the ring lets
 * pass. */
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bine.h>

#include "harness.h"
#include "io/poller/poller.h"
#include "io/poller/uring_layout.h"
#include "io/poller/uring_ring.h"

/* More than the 16 pending operations from which on a wait is for several completions. */
enum {
    PAIRS = 40,
    ROUNDS = 20
};

static int pairs[PAIRS][2];

static void *read_all(void *pair)
{
    char byte;
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(bine_recv(*(int *)pair, &byte, 1, 0), 1);
    return NULL;
}

TEST(hazard_37_many_operations_at_a_time_with_any_liburing)
{
    bine_greenlet *readers[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]));
        readers[i] = bine_spawn(read_all, pairs[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_OK(bine_sleep(BINE_MS));
        for (int i = 0; i < PAIRS; i++)
            CHECK_EQ(bine_send(pairs[i][1], "x", 1, 0), 1);
    }
    CHECK_OK(bine_joinall(readers, PAIRS, BINE_FOREVER));
    for (int i = 0; i < PAIRS; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

static struct io_uring open_ring(struct io_uring_params *params)
{
    struct io_uring ring;
    int error = -io_uring_queue_init_params(8, &ring, params);
    if (error)
        SKIP("no io_uring here: %s", strerror(error));
    return ring;
}

TEST(hazard_37_completions_that_lie_elsewhere_are_not_read)
{
    struct io_uring_params params = {0};
    struct io_uring ring = open_ring(&params), other = ring;
    CHECK(bine_uring_completions_known(&ring, &params));
    other.cq.cqes++;
    CHECK(!bine_uring_completions_known(&other, &params));
    other = ring;
    other.cq.ring_mask = 0;
    CHECK(!bine_uring_completions_known(&other, &params));
    other = ring;
    other.sq.kflags = NULL;
    CHECK(!bine_uring_completions_known(&other, &params));
    io_uring_queue_exit(&ring);
}

TEST(hazard_37_submissions_that_lie_elsewhere_are_left_to_liburing)
{
#if defined(IO_URING_VERSION_MAJOR) && (IO_URING_VERSION_MAJOR > 2 || IO_URING_VERSION_MINOR >= 8)
    SKIP("this liburing waits for a batch by itself");
#else
    struct io_uring_params params = {0};
    struct io_uring ring = open_ring(&params), other = ring;
    if (!bine_uring_batches(&ring, &params)) {
        io_uring_queue_exit(&ring);
        SKIP("this kernel does not wait for a batch");
    }
    other.sq.array++;
    CHECK(!bine_uring_batches(&other, &params));
    other = ring;
    other.sq.array = NULL; /* liburing 2.6, but without the flag that says so */
    CHECK(!bine_uring_batches(&other, &params));
    params.flags |= 1U << 16; /* IORING_SETUP_NO_SQARRAY */
    CHECK(bine_uring_batches(&other, &params));
    CHECK(!bine_uring_batches(&ring, &params));
    params.flags &= ~(1U << 16);
    other = ring;
    other.sq.sqe_tail++;
    CHECK(!bine_uring_batches(&other, &params));
    io_uring_queue_exit(&ring);
#endif
}

/* ---- what the ring lets pass ---- */

static int result_of(struct bine_uring *uring)
{
    struct io_uring_cqe *cqe;
    CHECK_EQ(io_uring_submit_and_wait(&uring->ring, 1), 1);
    CHECK_EQ(io_uring_peek_cqe(&uring->ring, &cqe), 0);
    int result = cqe->res;
    io_uring_cqe_seen(&uring->ring, cqe);
    return result;
}

TEST(hazard_83_the_ring_lets_only_those_operations_pass_that_are_used)
{
    struct bine_uring uring;
    uint32_t supported;
    int error = bine_uring_open(&uring, &supported);
    if (error)
        SKIP("no io_uring here: %s", strerror(error));
    io_uring_prep_openat(io_uring_get_sqe(&uring.ring), AT_FDCWD, "/etc/hosts", O_RDONLY, 0);
    CHECK_EQ(result_of(&uring), -EACCES);
    io_uring_prep_nop(io_uring_get_sqe(&uring.ring));
    CHECK_EQ(result_of(&uring), -EACCES);
    io_uring_prep_unlinkat(io_uring_get_sqe(&uring.ring), AT_FDCWD, "/nowhere", 0);
    CHECK_EQ(result_of(&uring), -EACCES);
    struct io_uring_sqe *chained = io_uring_get_sqe(&uring.ring);
    int wake = eventfd(1, EFD_CLOEXEC);
    io_uring_prep_poll_add(chained, wake, POLLIN);
    io_uring_sqe_set_flags(chained, IOSQE_ASYNC);
    CHECK_EQ(result_of(&uring), -EACCES);
    io_uring_prep_poll_add(io_uring_get_sqe(&uring.ring), wake, POLLIN);
    CHECK_EQ(result_of(&uring), POLLIN);
    CHECK_ERROR(
        (int)syscall(SYS_io_uring_register, uring.ring.ring_fd, IORING_REGISTER_EVENTFD, &wake, 1),
        EACCES);
    close(wake);
    bine_uring_close(&uring);
}

TEST(hazard_83_many_rings_one_after_the_other)
{
    /* A thread has places for 16 rings in its table: each has to be given back. */
    for (int i = 0; i < 100; i++) {
        struct bine_uring uring;
        uint32_t supported;
        int error = bine_uring_open(&uring, &supported);
        if (error)
            SKIP("no io_uring here: %s", strerror(error));
        bool by_index = uring.ring.enter_ring_fd != uring.ring.ring_fd;
        if (i % 2) { /* the program has closed it */
            CHECK_OK(close(uring.ring.ring_fd));
            CHECK_EQ(bine_uring_usable(&uring), by_index);
        }
        if (i == 0 && !by_index)
            SKIP("this kernel knows no table of rings");
        CHECK(by_index);
        bine_uring_close(&uring);
    }
}

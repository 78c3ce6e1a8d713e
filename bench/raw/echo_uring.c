/*
 * The raw limit of the echo works on io_uring: one thread, one ring, completions reaped in batches,
 * one io_uring_enter a batch. Each connection has a buffer and alternates between a recv and a
 * send.
 */
#include <errno.h>
#include <liburing.h>

#include "../server.h"

enum {
    ENTRIES = 4096
};

enum {
    ACCEPT,
    RECEIVE,
    SEND
};

static struct io_uring ring;
static char (*buffers)[BENCH_BUFFER];

static void begin(int kind, int fd, unsigned size)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (kind == ACCEPT)
        io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    else if (kind == RECEIVE)
        io_uring_prep_recv(sqe, fd, buffers[fd], BENCH_BUFFER, 0);
    else
        io_uring_prep_send(sqe, fd, buffers[fd], size, MSG_WAITALL);
    sqe->user_data = ((uint64_t)kind << 32) | (unsigned)fd;
}

int main(void)
{
    int listener = bench_listen(0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    buffers = calloc(limit.rlim_cur, sizeof *buffers);
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = 16384,
    };
    int error = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
    if (error) {
        fprintf(stderr, "io_uring: %s\n", strerror(-error));
        return 77;
    }
    begin(ACCEPT, listener, 0);
    for (;;) {
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            int fd = (int)(cqe->user_data & 0xffffffff), kind = (int)(cqe->user_data >> 32);
            seen++;
            if (kind == ACCEPT) {
                if (cqe->res >= 0) {
                    bench_no_delay(cqe->res);
                    begin(RECEIVE, cqe->res, 0);
                }
                if (!(cqe->flags & IORING_CQE_F_MORE))
                    begin(ACCEPT, listener, 0);
            } else if (cqe->res <= 0) {
                close(fd);
            } else {
                begin(kind == RECEIVE ? SEND : RECEIVE, fd, (unsigned)cqe->res);
            }
        }
        io_uring_cq_advance(&ring, seen);
    }
}

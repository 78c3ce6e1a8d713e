/* Opening and closing a ring: see uring_ring.h. */
#include "uring_ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc/libc.h"
#include "poller_common.h"
#include "uring_layout.h"

enum {
    SUBMISSIONS = 256, /* 16 KiB; a full queue is submitted early */
    /* 32 KiB; the kernel keeps what does not fit until there is room (IORING_FEAT_NODROP) */
    COMPLETIONS = 2048,
};

#define REGISTER_BY_INDEX (1U << 31) /* IORING_REGISTER_USE_REGISTERED_RING, Linux 6.3 */

/* The opcode of each kind of operation. The ring is restricted to these opcodes. */
static const uint8_t opcodes[BINE_OP_KINDS] = {
    [BINE_OP_POLL] = IORING_OP_POLL_ADD,   [BINE_OP_READ] = IORING_OP_READ,
    [BINE_OP_READV] = IORING_OP_READV,     [BINE_OP_WRITEV] = IORING_OP_WRITEV,
    [BINE_OP_RECV] = IORING_OP_RECV,       [BINE_OP_SEND] = IORING_OP_SEND,
    [BINE_OP_RECVMSG] = IORING_OP_RECVMSG, [BINE_OP_SENDMSG] = IORING_OP_SENDMSG,
    [BINE_OP_ACCEPT] = IORING_OP_ACCEPT,   [BINE_OP_CONNECT] = IORING_OP_CONNECT,
    [BINE_OP_FSYNC] = IORING_OP_FSYNC,
};

/* Counted up before a ring is unmapped and after one is mapped. One thread's ring may be mapped
 * where another's was: the kernel orders the two, and this shows the order to a race detector. */
static atomic_uint rings;

/*
 * The flags of a ring, the best first. The next are tried when the kernel does not know a flag
 * (EINVAL).
 *   6.1  DEFER_TASKRUN: the kernel works completions off when the poller asks, and not inside
 *        other code
 *   5.19 COOP_TASKRUN: no interrupt tells of completions; TASKRUN_FLAG: a bit says that there are
 *        some
 */
static const unsigned ladder[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

/* The index of the flags that are tried first. Tests set it to get what older kernels have. */
unsigned bine_poller_uring_rung;

static int open_ring(struct bine_uring *uring)
{
    int error = 0;
    unsigned entries = SUBMISSIONS, rung = bine_poller_uring_rung;
    for (;;) {
        struct io_uring_params params = {
            /* Disabled until it is restricted. */
            .flags =
                ladder[rung] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
            .cq_entries = entries * (COMPLETIONS / SUBMISSIONS),
        };
        error = -io_uring_queue_init_params(entries, &uring->ring, &params);
        if (!error) {
            atomic_fetch_add(&rings, 1);
            unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                              IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL |
                              IORING_FEAT_EXT_ARG; /* all since 5.11 */
            if ((params.features & needed) != needed ||
                !bine_uring_completions_known(&uring->ring, &params)) {
                io_uring_queue_exit(&uring->ring);
                return ENOSYS;
            }
            uring->cancel_any = rung < 2;
            uring->skip_success = rung < 2 && (params.features & IORING_FEAT_CQE_SKIP) != 0;
            uring->wake_multishot = rung < 2;
            uring->batches = rung < 1 && bine_uring_batches(&uring->ring, &params);
            return 0;
        }
        if (error == EINVAL && rung + 1 < sizeof ladder / sizeof *ladder)
            rung++;
        else if (error == ENOMEM && entries > 64)
            entries /= 2;
        else
            return error;
    }
}

static int probe(struct bine_uring *uring, uint32_t *supported)
{
    /* liburing's own look (io_uring_get_probe_ring) would not say why it failed. */
    struct io_uring_probe *known = calloc(1, sizeof *known + 256 * sizeof known->ops[0]);
    if (!known)
        return ENOMEM;
    int error = -io_uring_register_probe(&uring->ring, known, 256);
    if (error) {
        free(known);
        return error;
    }
    *supported = 0;
    for (int kind = 0; kind < BINE_OP_KINDS; kind++)
        if (io_uring_opcode_supported(known, opcodes[kind]))
            *supported |= 1u << kind;
    bool enough =
        *supported & 1u << BINE_OP_POLL && io_uring_opcode_supported(known, IORING_OP_ASYNC_CANCEL);
    free(known);
    return enough ? 0 : ENOSYS;
}

/* Do system calls name the ring by its index in the thread's table of rings, instead of by its
 * descriptor? */
static bool by_index(const struct bine_uring *uring)
{
    return uring->ring.enter_ring_fd != uring->ring.ring_fd;
}

/* From now on the kernel refuses everything on this ring that the poller does not do itself. */
static int restrict_ring(struct bine_uring *uring, uint32_t supported)
{
    struct io_uring_restriction allowed[BINE_OP_KINDS + 3] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_ASYNC_CANCEL},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
         .sqe_flags = uring->skip_success ? IOSQE_CQE_SKIP_SUCCESS : 0},
    };
    unsigned count = 2;
    for (int kind = 0; kind < BINE_OP_KINDS; kind++)
        if (supported >> kind & 1)
            allowed[count++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP,
                                                             .sqe_op = opcodes[kind]};
    if (by_index(uring)) /* needed at the end; a kernel without the table may not know the call */
        allowed[count++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP,
                                                         .register_op = IORING_UNREGISTER_RING_FDS};
    /* liburing 2.3 declares both calls and lacks them. */
    int fd = uring->ring.ring_fd;
    if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, allowed, count) < 0 ||
        syscall(SYS_io_uring_register, fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
        return errno;
    return 0;
}

int bine_uring_open(struct bine_uring *uring, uint32_t *supported)
{
    int error = open_ring(uring);
    if (error)
        return error;
    error = probe(uring, supported);
    if (!error)
        error = -io_uring_ring_dontfork(&uring->ring);
    /* System calls then need not look the descriptor up, and work after it was closed. Linux has it
     * since 5.18. */
    if (!error && bine_poller_uring_rung < 2)
        io_uring_register_ring_fd(&uring->ring);
    if (!error)
        error = restrict_ring(uring, *supported);
    if (error) {
        io_uring_queue_exit(&uring->ring);
        return error;
    }
    bine_own_note(&uring->file, uring->ring.ring_fd);
    return 0;
}

/* The ring's number names another file by now, so it must not be closed. The ring is removed from
 * the thread's table by its index. */
static void drop_number(struct bine_uring *uring)
{
    if (by_index(uring)) {
        struct io_uring_rsrc_update index = {.offset = (unsigned)uring->ring.enter_ring_fd};
        syscall(SYS_io_uring_register, uring->ring.enter_ring_fd,
                IORING_UNREGISTER_RING_FDS | REGISTER_BY_INDEX, &index, 1);
    }
    uring->ring.ring_fd = -1;
}

void bine_uring_close(struct bine_uring *uring)
{
    atomic_fetch_add(&rings, 1);
    if (!bine_own_still(&uring->file))
        drop_number(uring);
    else
        bine_own_forget(&uring->file);
    io_uring_queue_exit(&uring->ring);
}

void bine_uring_abandon(struct bine_uring *uring)
{
    bine_own_close(&uring->file);
}

bool bine_uring_usable(struct bine_uring *uring)
{
    return bine_own_verify(&uring->file) || by_index(uring);
}

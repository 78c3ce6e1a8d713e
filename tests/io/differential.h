/*
 * Differential testing: a random script of calls is run twice, by the real blocking calls in a
 * thread and by Bine's in a greenlet, and must give the same transcript: results, errno, bytes,
 * signals, and whether each call had to wait.
 *
 * A script is a row of steps. In each the *worker* makes one call that may block; when it is seen
 * to be blocked (or has returned), the *driver* makes calls that never block, until the worker's
 * has returned. One call that may block at a time is what makes the outcome the kernel's and not
 * the scheduler's.
 */
#ifndef BINE_TESTS_IO_DIFFERENTIAL_H
#define BINE_TESTS_IO_DIFFERENTIAL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The calls under test: libc's or Bine's. */
struct calls {
    const char *name;
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*readv)(int, const struct iovec *, int);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*recv)(int, void *, size_t, int);
    ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*recvmsg)(int, struct msghdr *, int);
    int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
    ssize_t (*send)(int, const void *, size_t, int);
    ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*accept)(int, struct sockaddr *, socklen_t *);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
    int (*close)(int);
};

struct transcript {
    char text[1 << 16];
    size_t length;
};

void transcript_add(struct transcript *transcript, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "= 12", or "= -1 EAGAIN". */
void transcript_result(struct transcript *transcript, ssize_t result, int error);

/* A seeded generator, so that both runs draw the same. */
struct draw {
    uint64_t state;
};
uint32_t draw(struct draw *draw, uint32_t below);
static inline bool draw_one_in(struct draw *from, uint32_t n)
{
    return draw(from, n) == 0;
}

/* One call that may block: run(arg) on the worker; it adds to its own transcript. */
struct work {
    void (*run)(const struct calls *calls, void *arg);
    void *arg;
};

/* What plays worker: a thread, or a greenlet. */
struct stage {
    const struct calls *calls;
    bool slow; /* this call looks by the clock: allow for it */
    /* Begin; returns true if the call is waiting now, false if it has ended. */
    bool (*begin)(struct stage *stage, struct work *work);
    /* Give it a chance; true if it is still waiting. */
    bool (*look)(struct stage *stage);
    /* Until it has ended. */
    void (*finish)(struct stage *stage);
};

/* A scenario: plays the whole script of a seed on a stage and writes what happened. */
typedef void scenario(struct stage *stage, uint64_t seed, struct transcript *transcript);

/*
 * Play `scenario` for seeds first .. first + count - 1, each with libc's calls in a thread, with
 * Bine's in a greenlet and with the hooks of these; fails the test at the first difference. The
 * environment: BINE_DIFFERENTIAL_SEEDS=N plays so many, BINE_DIFFERENTIAL_SEED=N that one alone,
 * and shows it.
 */
void differential(scenario *play, uint64_t first, unsigned count);

#endif

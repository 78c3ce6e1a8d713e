/*
 * Calls that are interrupted, killed or timed out in the moment in which they succeed, with random
 * programs. A call does one of two things: it succeeds, or it fails, and a runtime that answers
 * EINTR with an exception hears of that very failure. Nothing is lost.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/schedule/park.h"
#include "io/poller/poller.h"
#include "io/wait/io.h"
#include "locks.h"
#include "locks/posix.h"

enum {
    WORKERS = 4,
    ROUNDS = 400
};

enum kind {
    SEMAPHORE,
    TIMED_SEMAPHORE,
    RECEIVE,
    READ,
    POLL,
    KINDS
};

struct worker {
    enum kind kind;
    bine_greenlet *greenlet;
    unsigned told, taken, failed;
};

static struct worker workers[WORKERS];
static sem_t semaphore;
static int ends[2];
static unsigned posted, sent;
static uint64_t state;

static unsigned draw(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 11) % below;
}

/* ---- a runtime ------------------------------------------------------------------------------- */

static void *leave(struct bine_hub *hub, struct bine_greenlet *g)
{
    return NULL;
}

static void back(struct bine_hub *hub, struct bine_greenlet *g, void *left, int error)
{
}

static int refuse(struct bine_hub *hub, struct bine_greenlet *g, int error, uintptr_t object,
                  unsigned flags)
{
    return error;
}

static void interrupted(struct bine_hub *hub, struct bine_greenlet *g)
{
    for (int i = 0; i < WORKERS; i++)
        if (workers[i].greenlet == g)
            workers[i].told++;
}

static const struct bine_around runtime = {leave, back, refuse, interrupted};

/* ---- the workers ----------------------------------------------------------------------------- */

static ssize_t call(struct worker *worker)
{
    char byte;
    struct pollfd poll = {.fd = ends[0], .events = POLLIN};
    struct timespec until;
    switch (worker->kind) {
    case SEMAPHORE:
        return bine_sem_wait(&semaphore) == 0 ? 1 : -1;
    case TIMED_SEMAPHORE:
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 100;
        return bine_sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until) == 0 ? 1 : -1;
    case RECEIVE:
        return bine_recv(ends[0], &byte, 1, 0);
    case READ:
        return bine_read(ends[0], &byte, 1);
    default:
        return bine_poll(&poll, 1, -1) < 0 ? -1 : 0;
    }
}

static void *works(void *arg)
{
    struct worker *worker = arg;
    for (;;) {
        bine_timeout scope;
        bool scoped = draw(3) == 0;
        if (scoped)
            CHECK_OK(bine_timeout_begin(&scope, (int64_t)draw(300) * BINE_US));
        worker->told = 0;
        ssize_t result = call(worker);
        int error = result < 0 ? errno : 0;
        int over = scoped ? bine_timeout_end(&scope) : 0;
        CHECK_EQ(worker->told, error == EINTR);
        if (result > 0)
            worker->taken++;
        if (error == ECANCELED)
            return NULL;
        CHECK(error == 0 || error == EINTR || (error == ETIMEDOUT && over == 1));
        worker->failed += error != 0;
        if (result == 0)
            bine_sleep(draw(2) * 50 * BINE_US); /* poll takes nothing */
    }
}

static void provide(void)
{
    if (draw(2)) {
        CHECK_OK(bine_sem_post(&semaphore));
        posted++;
    } else {
        CHECK_EQ(write(ends[1], "x", 1), 1);
        sent++;
    }
}

static void run(uint64_t seed)
{
    state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    posted = sent = 0;
    sem_init(&semaphore, 0, 0);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.kind = (enum kind)draw(KINDS)};
        workers[i].greenlet = bine_spawn(works, &workers[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned steps = draw(4); steps > 0; steps--) {
            struct bine_greenlet *g = workers[draw(WORKERS)].greenlet;
            draw(2) ? provide() : bine_interrupt(g, EINTR);
        }
        bine_sleep(draw(3) ? 0 : draw(100) * BINE_US);
    }
    unsigned taken[2] = {0, 0}, failed = 0;
    for (int i = 0; i < WORKERS; i++) {
        draw(2) ? provide() : (void)0;
        CHECK_OK(bine_kill(workers[i].greenlet));
    }
    for (int i = 0; i < WORKERS; i++) {
        CHECK_OK(bine_join(workers[i].greenlet, NULL, BINE_FOREVER));
        taken[workers[i].kind > TIMED_SEMAPHORE] += workers[i].taken;
        failed += workers[i].failed;
    }
    int permits;
    sem_getvalue(&semaphore, &permits);
    CHECK_EQ(taken[0] + (unsigned)permits, posted);
    close(ends[1]);
    char rest[8192];
    unsigned left = 0;
    for (ssize_t got; (got = read(ends[0], rest, sizeof rest)) > 0;)
        left += (unsigned)got;
    CHECK_EQ(taken[1] + left, sent);
    CHECK(failed > 0);
    close(ends[0]);
    sem_destroy(&semaphore);
}

TEST(hazard_47_a_call_succeeds_or_fails_and_only_its_failure_is_told, .seconds = 60)
{
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    bine_hub_set_around(bine_hub_here(), &runtime);
    unsigned seeds = harness_seeds(40);
    for (unsigned seed = 1; seed <= seeds; seed++)
        run(seed);
    bine_hub_set_around(bine_hub_here(), NULL);
}

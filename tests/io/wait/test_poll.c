/* poll, select, epoll_wait and their variants: bits, sets, limits, signals. */
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>

#include "core/hub/hub.h"
#include "io/pairs.h"
#include "io/wait/io.h"

static int64_t clock_now(void)
{
    return bine_hub_now(bine_hub_get());
}

static void *write_after_a_while(void *arg)
{
    CHECK_OK(bine_sleep(3 * BINE_MS));
    CHECK_EQ(bine_write(*(int *)arg, "x", 1), 1);
    return NULL;
}

/* Any descriptor above those of standard input and output, which a test may find closed or
 * redirected. */
static void make(int fds[2])
{
    CHECK(bine_getcurrent() != NULL);
    unix_pair(fds);
}

TEST(poll_waits_for_the_first_of_several)
{
    int a[2], b[2];
    make(a);
    make(b);
    bine_greenlet *g = bine_spawn(write_after_a_while, &b[1]);
    struct pollfd fds[] = {
        {a[0], POLLIN, 77}, {-1, POLLIN, 77}, {b[0], POLLIN | POLLPRI, 77}, {-100, 0, 77}};
    CHECK_EQ(bine_poll(fds, 4, -1), 1);
    CHECK_EQ(fds[0].revents, 0);
    CHECK_EQ(fds[1].revents, 0);
    CHECK_EQ(fds[2].revents, POLLIN);
    CHECK_EQ(fds[3].revents, 0);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    close_pair(a);
    close_pair(b);
}

TEST(poll_reports_one_descriptor_as_often_as_it_is_asked)
{
    int fds[2];
    make(fds);
    bine_greenlet *g = bine_spawn(write_after_a_while, &fds[1]);
    struct pollfd asked[] = {{fds[0], POLLIN, 0},
                             {fds[0], POLLRDNORM | POLLOUT, 0},
                             {fds[0], 0, 0},
                             {fds[0], POLLPRI, 0}};
    CHECK_EQ(bine_poll(asked, 4, 1000), 1); /* room to write there is at once */
    CHECK_EQ(asked[1].revents, POLLOUT);
    asked[1].events = POLLRDNORM;
    CHECK_EQ(bine_poll(asked, 4, 1000), 2);
    CHECK_EQ(asked[0].revents, POLLIN);
    CHECK_EQ(asked[1].revents, POLLRDNORM);
    CHECK_EQ(asked[2].revents, 0);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    close_pair(fds);
}

TEST(poll_of_nothing_sleeps)
{
    int fds[2];
    make(fds);
    int64_t begun = clock_now();
    CHECK_EQ(bine_poll(NULL, 0, 5), 0);
    CHECK_GE(clock_now() - begun, 5 * BINE_MS);
    begun = clock_now();
    struct pollfd silent = {.fd = fds[0], .events = POLLIN};
    CHECK_EQ(bine_poll(&silent, 1, 5), 0);
    CHECK_GE(clock_now() - begun, 5 * BINE_MS);
    struct timespec time = {0, 2345678};
    begun = clock_now();
    CHECK_EQ(bine_ppoll(&silent, 1, &time, NULL), 0);
    CHECK_GE(clock_now() - begun, 2345678);
    time.tv_nsec = 1000000000;
    CHECK_ERROR(bine_ppoll(&silent, 1, &time, NULL), EINVAL);
    time.tv_nsec = -1;
    CHECK_ERROR(bine_ppoll(&silent, 1, &time, NULL), EINVAL);
    close_pair(fds);
}

TEST(poll_says_what_is_wrong_with_its_arguments)
{
    int fds[2];
    make(fds);
    struct pollfd gone = {.fd = 999, .events = POLLIN};
    CHECK_EQ(bine_poll(&gone, 1, -1), 1);
    CHECK_EQ(gone.revents, POLLNVAL);
    if (!harness_instrumented()) { /* a sanitizer looks at the array before the kernel does */
        struct rlimit limit;
        CHECK_ERROR(bine_poll((struct pollfd *)8, 1, 1000), EFAULT);
        CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
        CHECK_ERROR(bine_poll(&gone, limit.rlim_cur + 1, 1000), EINVAL);
    }
    close_pair(fds);
}

TEST(files_are_always_ready)
{
    int fds[2];
    make(fds);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_OK(file);
    struct pollfd both[] = {{fds[0], POLLIN, 0}, {file, POLLIN | POLLOUT, 0}};
    CHECK_EQ(bine_poll(both, 2, -1), 1);
    CHECK_EQ(both[1].revents, POLLIN | POLLOUT);
    /* But not for what files never have. */
    both[1].events = POLLPRI;
    CHECK_EQ(bine_poll(both, 2, 5), 0);
    bine_greenlet *g = bine_spawn(write_after_a_while, &fds[1]);
    CHECK_EQ(bine_poll(both, 2, -1), 1);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    CHECK_OK(bine_close(file));
    close_pair(fds);
}

enum {
    MANY = 1500
};

TEST(more_than_1024_descriptors_can_be_polled_and_selected)
{
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < MANY + 100)
        SKIP("only %lu descriptors are allowed", (unsigned long)limit.rlim_cur);
    int fds[2];
    make(fds);
    struct pollfd *all = calloc(MANY, sizeof *all);
    CHECK(all != NULL);
    for (int i = 0; i < MANY; i++) {
        all[i] = (struct pollfd){.fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3), .events = POLLIN};
        CHECK_OK(all[i].fd);
        bine_descriptor_copied(fds[0], all[i].fd);
    }
    bine_greenlet *g = bine_spawn(write_after_a_while, &fds[1]);
    CHECK_EQ(bine_poll(all, MANY, -1), MANY);
    CHECK_EQ(all[MANY - 1].revents, POLLIN);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    char byte;
    CHECK_EQ(bine_read(fds[0], &byte, 1), 1);

    /* Sets larger than fd_set, as the kernel takes them. */
    harness_not_under_emulator("its select ends the program");
    int highest = all[MANY - 1].fd;
    CHECK_GT(highest, FD_SETSIZE);
    unsigned long set[(MANY + 200) / 64 + 1] = {0};
    set[highest / 64] |= 1ul << highest % 64;
    struct timeval time = {0, 4000};
    CHECK_EQ(bine_select(highest + 1, (fd_set *)set, NULL, NULL, &time), 0);
    CHECK_EQ(set[highest / 64], 0ul);
    set[highest / 64] |= 1ul << highest % 64;
    g = bine_spawn(write_after_a_while, &fds[1]);
    CHECK_EQ(bine_select(highest + 1, (fd_set *)set, NULL, NULL, NULL), 1);
    CHECK_EQ(set[highest / 64], 1ul << highest % 64);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    for (int i = 0; i < MANY; i++)
        CHECK_OK(bine_close(all[i].fd));
    free(all);
    close_pair(fds);
}

TEST(hazard_17_select_keeps_its_promises)
{
    int fds[2];
    make(fds);
    fd_set readable, writable, exceptional;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_ZERO(&exceptional);
    FD_SET(fds[0], &readable);
    FD_SET(fds[0], &exceptional);
    FD_SET(fds[1], &exceptional);
    /* No time at all; time that passes; and what is left of it. */
    struct timeval time = {0, 0};
    CHECK_EQ(bine_select(fds[1] + 1, &readable, NULL, &exceptional, &time), 0);
    CHECK(!FD_ISSET(fds[0], &readable));
    CHECK(!FD_ISSET(fds[0], &exceptional));
    FD_SET(fds[0], &readable);
    time = (struct timeval){0, 3000};
    int64_t begun = clock_now();
    CHECK_EQ(bine_select(fds[1] + 1, &readable, NULL, &exceptional, &time), 0);
    CHECK_GE(clock_now() - begun, 3 * BINE_MS);
    CHECK_EQ(time.tv_sec, 0);
    CHECK_EQ(time.tv_usec, 0);
    FD_SET(fds[0], &readable);
    bine_greenlet *g = bine_spawn(write_after_a_while, &fds[1]);
    time = (struct timeval){100, 0};
    begun = clock_now();
    CHECK_EQ(bine_select(fds[1] + 1, &readable, NULL, &exceptional, &time), 1);
    CHECK(FD_ISSET(fds[0], &readable));
    int64_t left = time.tv_sec * BINE_SECOND + time.tv_usec * BINE_US;
    CHECK_LE(left, 100 * BINE_SECOND - 3 * BINE_MS);
    CHECK_GE(left, 100 * BINE_SECOND - (clock_now() - begun) - BINE_US);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    /* Ready at once in two sets: counted twice. */
    FD_SET(fds[0], &writable);
    CHECK_EQ(bine_select(fds[1] + 1, &readable, &writable, NULL, NULL), 2);
    close_pair(fds);
}

TEST(select_says_what_is_wrong_with_its_arguments)
{
    int fds[2];
    make(fds);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    struct timeval time = {-1, 0};
    CHECK_ERROR(bine_select(fds[0] + 1, &set, NULL, NULL, &time), EINVAL);
    time = (struct timeval){0, -1};
    CHECK_ERROR(bine_select(fds[0] + 1, &set, NULL, NULL, &time), EINVAL);
    CHECK_ERROR(bine_select(-1, NULL, NULL, NULL, NULL), EINVAL);
    int closed = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
    CHECK_OK(closed);
    CHECK_OK(close(closed));
    FD_SET(closed, &set);
    CHECK_ERROR(bine_select(closed + 1, &set, NULL, NULL, NULL), EBADF);
    CHECK(FD_ISSET(fds[0], &set)); /* unchanged */
    FD_CLR(closed, &set);
    struct timespec precise = {0, 1000000000};
    CHECK_ERROR(bine_pselect(fds[0] + 1, &set, NULL, NULL, &precise, NULL), EINVAL);
    /* More than a million microseconds are taken. */
    time = (struct timeval){0, 1000001};
    bine_greenlet *g = bine_spawn(write_after_a_while, &fds[1]);
    CHECK_EQ(bine_select(fds[0] + 1, &set, NULL, NULL, &time), 1);
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    close_pair(fds);
}

TEST(epoll_wait_waits_on_the_program_s_own_epoll)
{
    int fds[2];
    make(fds);
    int set = announced(epoll_create1(EPOLL_CLOEXEC), BINE_FD_STREAM);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 42}, got[4];
    CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, fds[0], &event));
    CHECK_EQ(bine_epoll_wait(set, got, 4, 0), 0);
    int64_t begun = clock_now();
    CHECK_EQ(bine_epoll_wait(set, got, 4, 5), 0);
    CHECK_GE(clock_now() - begun, 5 * BINE_MS);
    for (int i = 0; i < 3; i++) {
        bine_greenlet *g = bine_spawn(write_after_a_while, &fds[1]);
        CHECK_EQ(bine_epoll_wait(set, got, 4, -1), 1);
        CHECK_EQ(got[0].data.u64, 42u);
        char byte;
        CHECK_EQ(bine_read(fds[0], &byte, 1), 1);
        CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    }
    struct timespec time = {0, 1500000};
    begun = clock_now();
    CHECK_EQ(bine_epoll_pwait2(set, got, 4, &time, NULL), 0);
    CHECK_GE(clock_now() - begun, 1500000);
    CHECK_ERROR(bine_epoll_wait(set, got, 0, -1), EINVAL);
    CHECK_ERROR(bine_epoll_wait(fds[0], got, 1, -1), EINVAL);
    CHECK_ERROR(bine_epoll_wait(-1, got, 1, -1), EBADF);
    CHECK_OK(bine_close(set));
    close_pair(fds);
}

/* ---- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    signals++;
}

/* Again and again: the first may come before the call that it is to interrupt. */
static void alarms_every(int flags, int64_t interval)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    struct itimerval timer = {{0, interval / BINE_US}, {0, interval / BINE_US}};
    signals = 0;
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
}

static void no_more_alarms(void)
{
    CHECK_OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
    CHECK_GE(signals, 1);
}

static void skip_if_simulated(void)
{
    const char *poller = getenv("BINE_POLLER");
    if (poller && strncmp(poller, "sim", 3) == 0)
        SKIP("the simulator's time is not the signal's");
}

TEST(a_signal_ends_poll_select_and_epoll_wait_with_eintr)
{
    int fds[2];
    skip_if_simulated();
    make(fds);
    struct pollfd silent = {.fd = fds[0], .events = POLLIN};
    alarms_every(SA_RESTART, 10 * BINE_MS); /* these are never restarted */
    CHECK_ERROR(bine_poll(&silent, 1, -1), EINTR);
    no_more_alarms();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    alarms_every(0, 10 * BINE_MS);
    CHECK_ERROR(bine_select(fds[0] + 1, &set, NULL, NULL, NULL), EINTR);
    no_more_alarms();
    CHECK(FD_ISSET(fds[0], &set));
    int poller = announced(epoll_create1(EPOLL_CLOEXEC), BINE_FD_STREAM);
    struct epoll_event event;
    alarms_every(0, 10 * BINE_MS);
    CHECK_ERROR(bine_epoll_wait(poller, &event, 1, -1), EINTR);
    no_more_alarms();
    CHECK_OK(bine_close(poller));
    close_pair(fds);
}

TEST(ppoll_takes_a_pending_signal_that_its_mask_lets_through)
{
    int fds[2];
    skip_if_simulated();
    make(fds);
    sigset_t blocked, before, none, pending;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, &before));
    struct pollfd silent = {.fd = fds[0], .events = POLLIN};
    /* Pending before the call. */
    alarms_every(0, BINE_MS);
    do
        CHECK_EQ(bine_ppoll(&silent, 1, &(struct timespec){0, 2000000}, NULL), 0);
    while (sigpending(&pending) == 0 && !sigismember(&pending, SIGALRM));
    CHECK_EQ(signals, 0);
    CHECK_ERROR(bine_ppoll(&silent, 1, NULL, &none), EINTR);
    no_more_alarms();
    /* And during it. */
    alarms_every(0, 10 * BINE_MS);
    CHECK_ERROR(bine_ppoll(&silent, 1, NULL, &none), EINTR);
    no_more_alarms();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    alarms_every(0, 10 * BINE_MS);
    CHECK_ERROR(bine_pselect(fds[0] + 1, &set, NULL, NULL, NULL, &none), EINTR);
    no_more_alarms();
    /* The mask is the old one again. */
    sigset_t now;
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGALRM));
    signal(SIGALRM, SIG_IGN); /* one may still be pending */
    CHECK_OK(sigprocmask(SIG_SETMASK, &before, NULL));
    close_pair(fds);
}

static void *write_after_signals(void *arg)
{
    while (signals < 3)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_write(*(int *)arg, "x", 1), 1);
    return NULL;
}

TEST(a_read_with_so_rcvtimeo_is_interrupted_and_one_without_is_restarted)
{
    int fds[2];
    char byte;
    skip_if_simulated();
    make(fds);
    struct timeval timeout = {60, 0};
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    bine_descriptor_option_changed(fds[0], SOL_SOCKET, SO_RCVTIMEO);
    alarms_every(SA_RESTART, 10 * BINE_MS);
    CHECK_ERROR(bine_read(fds[0], &byte, 1), EINTR);
    no_more_alarms();
    alarms_every(SA_RESTART, 2 * BINE_MS);
    bine_greenlet *g = bine_spawn(write_after_signals, &fds[0]);
    CHECK_EQ(bine_read(fds[1], &byte, 1), 1); /* no timeout there */
    CHECK_GE(signals, 3);
    no_more_alarms();
    CHECK_OK(bine_join(g, NULL, BINE_SECOND));
    close_pair(fds);
}

TEST(kill_and_timeouts_end_poll_and_select)
{
    int fds[2];
    make(fds);
    bine_timeout scope;
    struct pollfd silent = {.fd = fds[0], .events = POLLIN};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    CHECK_OK(bine_timeout_begin(&scope, 3 * BINE_MS));
    CHECK_ERROR(bine_poll(&silent, 1, -1), ETIMEDOUT);
    CHECK_ERROR(bine_select(fds[0] + 1, &set, NULL, NULL, NULL), ETIMEDOUT);
    CHECK(FD_ISSET(fds[0], &set));
    CHECK_EQ(bine_timeout_end(&scope), 1);
    close_pair(fds);
}

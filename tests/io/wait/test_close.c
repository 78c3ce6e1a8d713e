/* close: whoever waits is told, whatever it waits in, and whichever hub it lives on (hazard 15). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "io/one_call.h"

static void check_closed(bine_greenlet *g, struct one_call *call)
{
    let_run();
    CHECK(!call->done);
    CHECK_OK(bine_close(call->fd));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call->result, -1);
    CHECK_EQ(call->error, EBADF);
}

TEST(hazard_15_close_wakes_whoever_reads)
{
    int fds[2];
    char byte;
    for (int kind = 0; kind < 3; kind++) {
        kind == 0 ? unix_pair(fds) : kind == 1 ? tcp_pair(fds) : pipe_pair(fds);
        struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
        check_closed(bine_spawn(call_read, &call), &call);
        CHECK_OK(bine_close(fds[1]));
    }
}

TEST(hazard_15_close_wakes_whoever_accepts)
{
    struct sockaddr_in address;
    struct one_call call = {.fd = tcp_listener(&address, 1)};
    check_closed(bine_spawn(call_accept, &call), &call);
}

TEST(hazard_15_close_wakes_a_writer_which_reports_what_went)
{
    int fds[2];
    unix_pair(fds);
    size_t size = 2000000;
    struct one_call call = {.fd = fds[0], .size = size, .buffer = calloc(1, size)};
    bine_greenlet *g = bine_spawn(call_write, &call);
    let_run();
    CHECK(!call.done);
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_GT(call.result, 0);
    CHECK_LT(call.result, (ssize_t)size);
    free(call.buffer);
    CHECK_OK(bine_close(fds[1]));
}

TEST(hazard_15_many_waiters_on_one_descriptor_are_all_woken)
{
    enum {
        MANY = 20
    };
    int fds[2];
    char byte[MANY];
    unix_pair(fds);
    struct one_call calls[MANY];
    bine_greenlet *all[MANY];
    for (int i = 0; i < MANY; i++) {
        calls[i] = (struct one_call){.fd = fds[0], .size = 1, .buffer = &byte[i]};
        all[i] = bine_spawn(i % 2 ? call_read : call_recv, &calls[i]);
    }
    let_run();
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_joinall(all, MANY, 5 * BINE_SECOND));
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(calls[i].error, EBADF);
    CHECK_OK(bine_close(fds[1]));
}

TEST(hazard_15_a_number_that_is_reused_at_once_is_another_file)
{
    for (int round = 0; round < 20; round++) {
        int old[2], new[2];
        char byte = 0, other = 0;
        unix_pair(old);
        struct one_call call = {.fd = old[0], .size = 1, .buffer = &byte};
        bine_greenlet *g = bine_spawn(call_read, &call);
        let_run();
        CHECK_OK(bine_close(old[0]));
        unix_pair(new); /* takes the number, before the waiter has run */
        CHECK_EQ(new[0], old[0]);
        CHECK_EQ(bine_write(new[1], "n", 1), 1);
        CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
        CHECK_EQ(call.error, EBADF);
        CHECK_EQ(bine_read(new[0], &other, 1), 1); /* nobody stole it */
        CHECK_EQ(other, 'n');
        /* And waiting works on the new one. */
        call = (struct one_call){.fd = new[0], .size = 1, .buffer = &byte};
        g = bine_spawn(call_read, &call);
        let_run();
        CHECK(!call.done);
        CHECK_EQ(bine_write(new[1], "m", 1), 1);
        CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
        CHECK_EQ(byte, 'm');
        close_pair(new);
        CHECK_OK(bine_close(old[1]));
    }
}

struct polling {
    struct pollfd fds[2];
    int result, error;
    bool done;
};

static void *call_poll(void *arg)
{
    struct polling *call = arg;
    call->result = bine_poll(call->fds, 2, -1);
    call->error = errno;
    call->done = true;
    return NULL;
}

struct selecting {
    int fd, result, error;
    bool done;
};

static void *call_select(void *arg)
{
    struct selecting *call = arg;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(call->fd, &set);
    call->result = bine_select(call->fd + 1, &set, NULL, NULL, NULL);
    call->error = errno;
    call->done = true;
    return NULL;
}

static void *call_epoll_wait(void *arg)
{
    struct selecting *call = arg;
    struct epoll_event event;
    call->result = bine_epoll_wait(call->fd, &event, 1, -1);
    call->error = errno;
    call->done = true;
    return NULL;
}

TEST(hazard_15_close_wakes_poll_select_and_epoll_wait)
{
    int fds[2];
    unix_pair(fds);
    struct polling polling = {
        .fds = {{.fd = fds[1], .events = POLLIN}, {.fd = fds[0], .events = POLLIN}}};
    bine_greenlet *g = bine_spawn(call_poll, &polling);
    let_run();
    CHECK(!polling.done);
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_GE(polling.result, 1);
    CHECK_EQ(polling.fds[1].revents, POLLNVAL);
    CHECK_OK(bine_close(fds[1]));

    unix_pair(fds);
    struct selecting selecting = {.fd = fds[0]};
    g = bine_spawn(call_select, &selecting);
    let_run();
    CHECK(!selecting.done);
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(selecting.result, -1);
    CHECK_EQ(selecting.error, EBADF);
    CHECK_OK(bine_close(fds[1]));

    selecting = (struct selecting){.fd = announced(epoll_create1(EPOLL_CLOEXEC), BINE_FD_STREAM)};
    g = bine_spawn(call_epoll_wait, &selecting);
    let_run();
    CHECK(!selecting.done);
    CHECK_OK(bine_close(selecting.fd));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(selecting.result, -1);
    CHECK_EQ(selecting.error, EBADF);
}

TEST(shutdown_wakes_whoever_waits)
{
    int fds[2];
    char byte;
    tcp_pair(fds);
    struct one_call call = {.fd = fds[0], .size = 1, .buffer = &byte};
    bine_greenlet *g = bine_spawn(call_read, &call);
    let_run();
    CHECK(!call.done);
    CHECK_OK(shutdown(fds[0], SHUT_RD));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call.result, 0);
    close_pair(fds);

    struct sockaddr_in address;
    call = (struct one_call){.fd = tcp_listener(&address, 1)};
    g = bine_spawn(call_accept, &call);
    let_run();
    CHECK(!call.done);
    CHECK_OK(shutdown(call.fd, SHUT_RDWR));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(call.error, EINVAL);
    CHECK_OK(bine_close(call.fd));
}

/* ---- other threads --------------------------------------------------------------------------- */

struct elsewhere {
    struct one_call call;
    atomic_bool waiting, ended;
};

static void *tell_waiting(void *arg)
{
    let_run();
    atomic_store(&((struct elsewhere *)arg)->waiting, true);
    return NULL;
}

static void *other_hub(void *arg)
{
    struct elsewhere *elsewhere = arg;
    bine_greenlet *teller = bine_spawn(tell_waiting, elsewhere);
    call_read(&elsewhere->call);
    atomic_store(&elsewhere->ended, true);
    bine_join(teller, NULL, BINE_SECOND);
    return NULL;
}

static void check_close_from(bool with_hub)
{
    int fds[2];
    char byte;
    pthread_t thread;
    unix_pair(fds);
    if (with_hub)
        CHECK_OK(bine_sleep(0));
    struct elsewhere elsewhere = {.call = {.fd = fds[0], .size = 1, .buffer = &byte}};
    CHECK_EQ(pthread_create(&thread, NULL, other_hub, &elsewhere), 0);
    while (!atomic_load(&elsewhere.waiting))
        usleep(500);
    CHECK(!atomic_load(&elsewhere.ended));
    CHECK_OK(bine_close(fds[0]));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(elsewhere.call.error, EBADF);
    CHECK_OK(bine_close(fds[1]));
}

TEST(hazard_15_close_on_a_thread_without_a_hub_wakes_the_greenlet_elsewhere)
{
    check_close_from(false);
}

TEST(hazard_15_close_on_another_hub_wakes_the_greenlet_elsewhere)
{
    check_close_from(true);
}

TEST(hazard_15_a_descriptor_that_two_hubs_wait_for_wakes_both)
{
    int fds[2];
    char bytes[2];
    pthread_t thread;
    unix_pair(fds);
    struct elsewhere elsewhere = {.call = {.fd = fds[0], .size = 1, .buffer = &bytes[0]}};
    struct one_call here = {.fd = fds[0], .size = 1, .buffer = &bytes[1]};
    bine_greenlet *g = bine_spawn(call_read, &here);
    CHECK_EQ(pthread_create(&thread, NULL, other_hub, &elsewhere), 0);
    while (!atomic_load(&elsewhere.waiting))
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_close(fds[0]));
    CHECK_OK(bine_join(g, NULL, 5 * BINE_SECOND));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(here.error, EBADF);
    CHECK_EQ(elsewhere.call.error, EBADF);
    CHECK_OK(bine_close(fds[1]));
}

/* ---- SO_LINGER ------------------------------------------------------------------------------- */

/* Send all that goes into the socket and its peer's, who does not read. Returns how much. */
static size_t fill(int fd)
{
    static char zeroes[65536];
    size_t sent = 0;
    for (ssize_t more; (more = send(fd, zeroes, sizeof zeroes, MSG_DONTWAIT)) > 0;)
        sent += (size_t)more;
    CHECK_EQ(errno, EAGAIN);
    return sent;
}

/* Read to the end of file. */
static size_t drain(int fd)
{
    static char bytes[65536];
    size_t got = 0;
    for (ssize_t more; (more = bine_read(fd, bytes, sizeof bytes)) != 0; got += (size_t)more)
        CHECK_GT(more, 0);
    return got;
}

struct lingering {
    int fd, result, error, then;
    bool done;
};

static void *call_close(void *arg)
{
    struct lingering *call = arg;
    errno = ENOTTY; /* what nobody touches stays */
    call->result = bine_close(call->fd);
    call->error = errno;
    call->done = true;
    call->then = bine_sleep(0) < 0 ? errno : 0;
    return NULL;
}

/* Until the kernel is at it: the number is free from then on. */
static void await_free(int fd)
{
    while (fcntl(fd, F_GETFD) >= 0)
        CHECK_OK(bine_sleep(BINE_MS));
}

static void check_lingering(bool killed)
{
    int fds[2];
    tcp_pair(fds);
    size_t sent = fill(fds[0]);
    set_linger(fds[0], 600);
    struct lingering call = {.fd = fds[0]};
    bine_greenlet *g = bine_spawn(call_close, &call);
    CHECK_OK(bine_sleep(0));
    await_free(fds[0]);
    if (killed)
        CHECK_OK(bine_kill(g));
    let_run();
    CHECK(!call.done);
    CHECK_EQ(drain(fds[1]), sent);
    /* The simulator's clock does not wait for threads. */
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(call.result);
    CHECK_EQ(call.error, ENOTTY);
    CHECK_EQ(call.then, killed ? ECANCELED : 0);
    CHECK_OK(bine_close(fds[1]));
}

TEST(close_of_a_socket_that_lingers_lets_others_run)
{
    harness_not_under_valgrind("its close() lets no other thread run");
    check_lingering(false);
}

TEST(close_of_a_socket_that_lingers_goes_on_when_its_greenlet_is_killed)
{
    harness_not_under_valgrind("its close() lets no other thread run");
    check_lingering(true);
}

static void *set_flag(void *arg)
{
    *(bool *)arg = true;
    return NULL;
}

TEST(close_of_a_socket_that_does_not_linger_does_not_switch)
{
    for (int seconds = -1; seconds < 1; seconds++) {
        int fds[2];
        bool ran = false;
        tcp_pair(fds);
        fill(fds[0]);
        if (seconds == 0)
            set_linger(fds[0], 0); /* reset the connection */
        bine_greenlet *g = bine_spawn(set_flag, &ran);
        CHECK_OK(bine_close(fds[0]));
        CHECK(!ran);
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        CHECK_OK(bine_close(fds[1]));
    }
}

static void *leave_lingering(void *arg)
{
    struct lingering *call = arg;
    CHECK_OK(bine_go(call_close, call));
    CHECK_OK(bine_sleep(0));
    await_free(call->fd);
    return NULL;
}

TEST(the_end_of_a_thread_does_not_wait_for_a_socket_that_lingers)
{
    harness_not_under_valgrind("its close() lets no other thread run");
    int fds[2];
    pthread_t thread;
    tcp_pair(fds);
    size_t sent = fill(fds[0]);
    set_linger(fds[0], 600);
    struct lingering call = {.fd = fds[0]};
    CHECK_EQ(pthread_create(&thread, NULL, leave_lingering, &call), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(!call.done);
    CHECK_EQ(drain(fds[1]), sent); /* nothing is lost */
    CHECK_OK(bine_close(fds[1]));
}

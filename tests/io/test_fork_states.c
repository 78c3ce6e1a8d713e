/*
 * fork in every state: greenlets are parked in each kind of wait, the pool works, messages are
 * pending, locks are held, the forker is a link, a thread, a job of the pool. The child does what
 * programs do (I/O, sleeps, look-ups, locks, greenlets), and the parent's greenlets find their
 * waits as they were.
 */
#include <bine.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fork.h"
#include "harness.h"
#include "libc/libc.h"

/* ---- greenlets parked in each kind of wait --------------------------------------------------- */

static struct {
    int pair[2], polled[2], listener, epoll;
    struct sockaddr_storage address;
    socklen_t length;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_rwlock_t rwlock;
    sem_t semaphore;
    bine_event *event;
    bool go;
} waits;

static void *in_read(void *unused)
{
    char byte = 0;
    CHECK_EQ(read(waits.pair[0], &byte, 1), 1);
    CHECK_EQ(byte, 'r');
    return unused;
}

static void *in_poll(void *unused)
{
    struct pollfd wait = {.fd = waits.polled[0], .events = POLLIN};
    CHECK_EQ(poll(&wait, 1, -1), 1);
    return unused;
}

static void *in_epoll(void *unused)
{
    struct epoll_event event = {.events = EPOLLIN};
    CHECK_EQ(epoll_ctl(waits.epoll, EPOLL_CTL_ADD, waits.polled[0], &event), 0);
    CHECK_EQ(epoll_wait(waits.epoll, &event, 1, -1), 1);
    CHECK_EQ(epoll_ctl(waits.epoll, EPOLL_CTL_DEL, waits.polled[0], NULL), 0);
    return unused;
}

static void *in_accept(void *unused)
{
    int fd = accept(waits.listener, NULL, NULL);
    CHECK_GE(fd, 0);
    CHECK_EQ(close(fd), 0);
    return unused;
}

static void *in_mutex(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&waits.mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&waits.mutex), 0);
    return unused;
}

static void *in_rwlock(void *unused)
{
    CHECK_EQ(pthread_rwlock_wrlock(&waits.rwlock), 0);
    CHECK_EQ(pthread_rwlock_unlock(&waits.rwlock), 0);
    return unused;
}

static pthread_mutex_t condition_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *in_condition(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&condition_mutex), 0);
    while (!waits.go)
        CHECK_EQ(pthread_cond_wait(&waits.condition, &condition_mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&condition_mutex), 0);
    return unused;
}

static void *in_semaphore(void *unused)
{
    CHECK_EQ(sem_wait(&waits.semaphore), 0);
    return unused;
}

static void *in_event(void *unused)
{
    CHECK_OK(bine_event_wait(waits.event, BINE_FOREVER));
    return unused;
}

static void *in_sleep(void *unused)
{
    CHECK_OK(bine_sleep(50 * BINE_MS));
    return unused;
}

static void *nap_there(void *unused)
{
    bine_libc.usleep(20000);
    return unused;
}

static void *in_offload(void *unused)
{
    CHECK_OK(bine_offload(nap_there, NULL, NULL));
    return unused;
}

static void begin_waits(void)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, waits.pair), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, waits.polled), 0);
    waits.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    waits.address.ss_family = AF_UNIX;
    CHECK_EQ(
        bind(waits.listener, (struct sockaddr *)&waits.address, sizeof waits.address.ss_family), 0);
    CHECK_EQ(listen(waits.listener, 5), 0);
    waits.length = sizeof waits.address;
    CHECK_EQ(getsockname(waits.listener, (struct sockaddr *)&waits.address, &waits.length), 0);
    waits.epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK_GE(waits.epoll, 0);
    pthread_mutex_init(&waits.mutex, NULL);
    pthread_cond_init(&waits.condition, NULL);
    pthread_rwlock_init(&waits.rwlock, NULL);
    sem_init(&waits.semaphore, 0, 0);
    waits.event = bine_event_new(0);
    CHECK_EQ(pthread_mutex_lock(&waits.mutex), 0);
    CHECK_EQ(pthread_rwlock_rdlock(&waits.rwlock), 0);
}

static void end_waits(void)
{
    CHECK_EQ(close(waits.polled[0]) | close(waits.polled[1]), 0);
    CHECK_EQ(close(waits.pair[0]) | close(waits.pair[1]) | close(waits.listener) |
                 close(waits.epoll),
             0);
    bine_event_free(waits.event);
    sem_destroy(&waits.semaphore);
}

static void *(*const all_waits[])(void *) = {in_poll,  in_epoll,  in_read,      in_accept,
                                             in_mutex, in_rwlock, in_condition, in_semaphore,
                                             in_event, in_sleep,  in_offload,   in_name};
enum {
    WAITS = sizeof all_waits / sizeof *all_waits
};

static void release_waits(void)
{
    CHECK_EQ(write(waits.pair[1], "r", 1), 1);
    CHECK_EQ(write(waits.polled[1], "r", 1), 1);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(client, (struct sockaddr *)&waits.address, waits.length), 0);
    CHECK_EQ(close(client), 0);
    CHECK_EQ(pthread_mutex_unlock(&waits.mutex), 0);
    CHECK_EQ(pthread_rwlock_unlock(&waits.rwlock), 0);
    CHECK_EQ(pthread_mutex_lock(&condition_mutex), 0);
    waits.go = true;
    pthread_cond_broadcast(&waits.condition);
    CHECK_EQ(pthread_mutex_unlock(&condition_mutex), 0);
    CHECK_EQ(sem_post(&waits.semaphore), 0);
    bine_event_set(waits.event);
}

TEST(fork_while_greenlets_are_parked_in_each_kind_of_wait)
{
    begin_waits();
    for (int i = 0; i < WAITS; i++) {
        waits.go = false;
        bine_greenlet *g = bine_spawn(all_waits[i], NULL);
        CHECK_OK(bine_sleep(BINE_MS));
        fork_here();
        if (all_waits[i] == in_read)
            CHECK_EQ(write(waits.pair[1], "r", 1), 1);
        if (all_waits[i] == in_poll || all_waits[i] == in_epoll)
            CHECK_EQ(write(waits.polled[1], "r", 1), 1);
        if (all_waits[i] == in_accept) {
            int client = socket(AF_UNIX, SOCK_STREAM, 0);
            CHECK_EQ(connect(client, (struct sockaddr *)&waits.address, waits.length), 0);
            CHECK_EQ(close(client), 0);
        }
        if (all_waits[i] == in_mutex)
            CHECK_EQ(pthread_mutex_unlock(&waits.mutex), 0);
        if (all_waits[i] == in_rwlock)
            CHECK_EQ(pthread_rwlock_unlock(&waits.rwlock), 0);
        if (all_waits[i] == in_condition) {
            waits.go = true;
            CHECK_EQ(pthread_cond_signal(&waits.condition), 0);
        }
        if (all_waits[i] == in_semaphore)
            CHECK_EQ(sem_post(&waits.semaphore), 0);
        if (all_waits[i] == in_event)
            bine_event_set(waits.event);
        join(g);
        if (all_waits[i] == in_poll || all_waits[i] == in_epoll) {
            char byte;
            CHECK_EQ(read(waits.polled[0], &byte, 1), 1);
        }
    }
    end_waits();
}

TEST(fork_while_greenlets_are_parked_in_all_kinds_of_wait_at_once)
{
    harness_not_under_address_sanitizer(NOT_UNDER_ASAN);
    begin_waits();
    bine_greenlet *all[WAITS];
    for (int i = 0; i < WAITS; i++)
        all[i] = bine_spawn(all_waits[i], NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 3; i++)
        fork_here();
    release_waits();
    for (int i = 0; i < WAITS; i++)
        join(all[i]);
    end_waits();
}

/* The forker is an ordinary greenlet, others wait; the child's children fork, too. */
static void *fork_twice(void *unused)
{
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        alarm(20);
        live();
        fork_here();
        _exit(0);
    }
    check_child(child);
    return unused;
}

TEST(fork_in_a_greenlet_and_again_in_its_child)
{
    harness_not_under_address_sanitizer(NOT_UNDER_ASAN);
    harness_not_under_emulator("a child of a process with threads ends in an assertion of its");
    begin_waits();
    bine_greenlet *all[WAITS];
    for (int i = 0; i < WAITS; i++)
        all[i] = bine_spawn(all_waits[i], NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    join(bine_spawn(fork_twice, NULL));
    release_waits();
    for (int i = 0; i < WAITS; i++)
        join(all[i]);
    end_waits();
}

/* ---- the forker is no greenlet --------------------------------------------------------------- */

static void fork_in_link(bine_greenlet *g, void *sleep_error)
{
    (void)g;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        alarm(20);
        errno = 0;
        /* A link may not wait, in the child neither. */
        _exit(bine_sleep(BINE_MS) == -1 && errno == EDEADLK ? 0 : 1);
    }
    int status = -1;
    bine_libc.waitpid(child, &status, 0);
    *(int *)sleep_error = status;
}

static void *do_nothing(void *unused)
{
    return unused;
}

static void fork_in_last_link(bine_greenlet *g, void *status)
{
    (void)g;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        alarm(20);
        return; /* the greenlet ends, and with it the child */
    }
    bine_libc.waitpid(child, status, 0);
}

TEST(hazard_111_fork_in_a_link_of_the_last_greenlet)
{
    CHECK_OK(bine_patch_all());
    int status = -1;
    bine_greenlet *g = bine_spawn(do_nothing, NULL);
    CHECK_OK(bine_link(g, fork_in_last_link, &status));
    join(g);
    CHECK_EQ(status, 0);
}

TEST(hazard_111_fork_in_a_link)
{
    CHECK_OK(bine_patch_all());
    int status = -1;
    bine_greenlet *g = bine_spawn(do_nothing, NULL);
    CHECK_OK(bine_link(g, fork_in_link, &status));
    join(g);
    CHECK_EQ(status, 0);
}

static void *fork_as_thread(void *unused)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        live(); /* makes its hub */
        _exit(0);
    }
    int status = -1;
    bine_libc.waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    return unused;
}

TEST(fork_in_a_thread_without_a_hub)
{
    harness_not_under_address_sanitizer(NOT_UNDER_ASAN);
    harness_not_under_emulator("a child of a process with threads ends in an assertion of its");
    begin_waits();
    bine_greenlet *all[WAITS];
    for (int i = 0; i < WAITS; i++)
        all[i] = bine_spawn(all_waits[i], NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, fork_as_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    release_waits();
    for (int i = 0; i < WAITS; i++)
        join(all[i]);
    end_waits();
}

TEST(fork_in_a_thread_of_the_pool)
{
    CHECK_OK(bine_patch_all());
    for (int i = 0; i < 3; i++)
        CHECK_OK(bine_offload(fork_as_thread, NULL, NULL));
}

static void count(void *counter)
{
    ++*(int *)counter;
}

struct poster {
    bine_hub *hub;
    int counter;
};

static void *post_many(void *arg)
{
    struct poster *poster = arg;
    for (int i = 0; i < 100; i++)
        CHECK_OK(bine_post(poster->hub, count, &poster->counter));
    return NULL;
}

/* The child has nothing to do with them, the parent gets all. */
TEST(fork_while_messages_are_pending)
{
    CHECK_OK(bine_patch_all());
    struct poster poster = {.hub = bine_hub_get()};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, post_many, &poster), 0);
    bine_libc.usleep(20000);
    pid_t child = fork_and_live();
    check_child(child);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(poster.counter, 100);
}

/* See fork.h. */
#include "fork.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *echo(void *pair)
{
    int *fds = pair;
    char byte;
    while (read(fds[1], &byte, 1) == 1)
        CHECK_EQ(write(fds[1], &byte, 1), 1);
    close(fds[1]);
    return NULL;
}

static void *lock_and_nap(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&free_mutex), 0);
    usleep(1000);
    CHECK_EQ(pthread_mutex_unlock(&free_mutex), 0);
    return unused;
}

static void *double_it(void *value)
{
    return (void *)(2 * (intptr_t)value);
}

void *in_name(void *unused)
{
    struct addrinfo *found = NULL;
    if (getaddrinfo("localhost", "80", NULL, &found) == 0)
        freeaddrinfo(found);
    return unused;
}

void live(void)
{
    int pair[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    bine_greenlet *all[3] = {bine_spawn(echo, pair), bine_spawn(lock_and_nap, NULL),
                             bine_spawn(lock_and_nap, NULL)};
    char byte = 'x';
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(write(pair[0], &byte, 1), 1);
        CHECK_EQ(read(pair[0], &byte, 1), 1);
    }
    struct pollfd wait = {.fd = pair[0], .events = POLLIN};
    CHECK_EQ(poll(&wait, 1, 1), 0);
    CHECK_EQ(close(pair[0]), 0);
    CHECK_OK(bine_joinall(all, 3, 10 * BINE_SECOND));
    in_name(NULL);
    CHECK(getpwuid(0) != NULL);
    void *value;
    CHECK_OK(bine_offload(double_it, (void *)21, &value));
    CHECK_EQ((intptr_t)value, 42);
    FILE *file = tmpfile();
    CHECK(file != NULL);
    CHECK_GT(fprintf(file, "%s", "text"), 0);
    CHECK_EQ(fclose(file), 0);
}

/* In the child: prove that it lives; its failures are the parent's. */
pid_t fork_and_live(void)
{
    harness_not_under_emulator("a child of a process with threads ends in an assertion of its");
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        alarm(20);
        live();
        _exit(0);
    }
    return child;
}

void check_child(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0)
        CHECK_EQ(errno, EINTR);
    CHECK_EQ(status, 0);
}

void fork_here(void)
{
    check_child(fork_and_live());
}

void join(bine_greenlet *g)
{
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

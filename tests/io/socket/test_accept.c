/*
 * A listener of several processes, by a poller that cannot accept by itself: between "there is a
 * connection" and the call that fetches it another process may have been quicker, and the next one
 * may never come.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "io/one_call.h"
#include "libc/libc.h"

static __typeof__(bine_libc.accept4) real_accept4;
static atomic_int stolen;

static int accept_too_late(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    if (!stolen++)
        CHECK_OK(close(real_accept4(fd, NULL, NULL, SOCK_CLOEXEC)));
    return real_accept4(fd, address, length, flags);
}

static int client_of(const struct sockaddr_in *address)
{
    int client = tcp_socket();
    CHECK_OK(bine_connect(client, (const struct sockaddr *)address, sizeof *address));
    return client;
}

/* A greenlet that accepts, and has lost the only connection to another process. */
static bine_greenlet *accept_in_vain(struct one_call *call, struct sockaddr_in *address)
{
    *call = (struct one_call){.fd = tcp_listener(address, 8)};
    share_with_a_child();
    stolen = 0;
    if (!real_accept4)
        real_accept4 = bine_libc.accept4;
    bine_libc.accept4 = accept_too_late;
    bine_greenlet *g = bine_spawn(call_accept, call);
    CHECK_OK(bine_close(client_of(address)));
    while (!stolen)
        CHECK_OK(bine_sleep(BINE_MS));
    let_run();
    CHECK(!call->done);
    return g;
}

TEST(who_is_too_late_waits_for_the_next_connection_and_lets_others_run)
{
    struct sockaddr_in address;
    struct one_call call;
    bine_greenlet *g = accept_in_vain(&call, &address);
    int client = client_of(&address);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(call.result);
    CHECK_OK(bine_close((int)call.result));
    CHECK_OK(bine_close(client));
    CHECK_OK(bine_close(call.fd));
}

TEST(who_is_too_late_can_be_killed)
{
    struct sockaddr_in address;
    struct one_call call;
    bine_greenlet *g = accept_in_vain(&call, &address);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(call.error, ECANCELED);
    /* Nothing is lost. */
    int client = client_of(&address), next = bine_accept4(call.fd, NULL, NULL, SOCK_CLOEXEC);
    CHECK_OK(next);
    CHECK_OK(bine_close(next));
    CHECK_OK(bine_close(client));
    CHECK_OK(bine_close(call.fd));
}

TEST(hazard_15_who_is_too_late_is_told_of_a_close)
{
    struct sockaddr_in address;
    struct one_call call;
    bine_greenlet *g = accept_in_vain(&call, &address);
    CHECK_OK(bine_close(call.fd));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(call.error, EBADF);
}

TEST(who_is_too_late_obeys_a_scope)
{
    struct sockaddr_in address;
    struct one_call call;
    bine_timeout scope;
    bine_greenlet *g = accept_in_vain(&call, &address);
    CHECK_OK(bine_timeout_begin(&scope, 50 * BINE_MS));
    CHECK_ERROR(bine_accept4(call.fd, NULL, NULL, SOCK_CLOEXEC), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_close(call.fd));
}

static void *end_in_vain(void *arg)
{
    struct sockaddr_in *address = arg;
    static struct one_call call;
    bine_detach(accept_in_vain(&call, address));
    return (void *)(intptr_t)call.fd;
}

TEST(a_thread_that_ends_meanwhile_leaves_the_listener_to_others)
{
    struct sockaddr_in address;
    pthread_t thread;
    void *listener;
    CHECK(bine_getcurrent() != NULL); /* this thread has a hub, too */
    CHECK_EQ(pthread_create(&thread, NULL, end_in_vain, &address), 0);
    CHECK_EQ(pthread_join(thread, &listener), 0);
    int client = client_of(&address),
        made = bine_accept4((int)(intptr_t)listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK_OK(made);
    CHECK_OK(bine_close(made));
    CHECK_OK(bine_close(client));
    CHECK_OK(bine_close((int)(intptr_t)listener));
}

TEST(many_greenlets_do_not_need_many_threads)
{
    enum {
        COUNT = 40
    };
    struct sockaddr_in address;
    int listener = tcp_listener(&address, COUNT), clients[COUNT];
    struct one_call calls[COUNT] = {0};
    bine_greenlet *all[COUNT];
    share_with_a_child();
    for (int i = 0; i < COUNT; i++) {
        calls[i].fd = listener;
        all[i] = bine_spawn(call_accept, &calls[i]);
    }
    let_run();
    for (int i = 0; i < COUNT; i++)
        clients[i] = client_of(&address);
    CHECK_OK(bine_joinall(all, COUNT, BINE_FOREVER));
    if (!harness_instrumented())
        CHECK_LT(harness_threads(), 5u);
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(calls[i].result);
        CHECK_OK(bine_close((int)calls[i].result));
        CHECK_OK(bine_close(clients[i]));
    }
    CHECK_OK(bine_close(listener));
}

/* ---- two processes that both mean it --------------------------------------------------------- */

enum {
    ROUNDS = 300
};

static void *serve(void *arg)
{
    const struct one_call *call = arg;
    for (int fd; (fd = bine_accept4(call->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        CHECK_EQ(bine_write(fd, call->buffer, 1), 1);
        CHECK_OK(bine_close(fd));
    }
    return NULL;
}

static void become_worker(struct one_call *call)
{
    CHECK_OK(bine_go(serve, call));
    bine_sleep(BINE_FOREVER);
    _exit(1);
}

TEST(two_processes_accept_on_one_listener, .seconds = 60)
{
    struct sockaddr_in address;
    struct one_call here = {.fd = tcp_listener(&address, 8), .buffer = "p"},
                    there = {.fd = here.fd, .buffer = "c"};
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        become_worker(&there);
    bine_greenlet *g = bine_spawn(serve, &here);
    /* One after the other, so that who is too late gets nothing until this thread goes on. */
    int by_child = 0;
    for (int i = 0; i < ROUNDS || !by_child; i++) {
        char who = 0;
        int client = client_of(&address);
        CHECK_EQ(bine_read(client, &who, 1), 1);
        by_child += who == 'c';
        CHECK_OK(bine_close(client));
    }
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(kill(child, SIGKILL));
    CHECK_EQ(waitpid(child, NULL, 0), child);
    CHECK_OK(bine_close(here.fd));
}

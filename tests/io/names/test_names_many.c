/* Many look-ups at once, of names that strangers have chosen and whose name server does not
 * answer. */
#include "harness.h"

#include <arpa/inet.h>
#include <bine.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/offload/offload.h"
#include "libc/libc.h"

enum {
    WAITING = 4096, /* look-ups that may wait for a thread */
    MORE = 100
};

static sem_t answer; /* each look-up takes one */
static atomic_int asked;

static int slow_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                            struct addrinfo **result)
{
    asked++;
    while (sem_wait(&answer) != 0)
        ;
    sem_post(&answer);
    return EAI_NONAME;
}

static int slow_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                            socklen_t host_size, char *service, socklen_t service_size, int flags)
{
    return slow_getaddrinfo(NULL, NULL, NULL, NULL);
}

static int slow_gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size,
                                struct hostent **result, int *h_error)
{
    slow_getaddrinfo(NULL, NULL, NULL, NULL);
    *result = NULL;
    *h_error = HOST_NOT_FOUND;
    return 0;
}

static void begin(const char *threads)
{
    setenv("BINE_OFFLOAD_THREADS", threads, 1);
    sem_init(&answer, 0, 0);
    bine_libc.getaddrinfo = slow_getaddrinfo;
    bine_libc.getnameinfo = slow_getnameinfo;
    bine_libc.gethostbyname_r = slow_gethostbyname_r;
}

static int outcomes[WAITING + MORE + 64];

static void *look_up(void *number)
{
    char name[64];
    struct addrinfo *result;
    snprintf(name, sizeof name, "%ld.of-an-attacker.example", (long)(intptr_t)number);
    outcomes[(intptr_t)number] = bine_getaddrinfo(name, "80", NULL, &result);
    return NULL;
}

static void *look_up_backwards(void *number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char host[64];
    outcomes[(intptr_t)number] = bine_getnameinfo((struct sockaddr *)&address, sizeof address, host,
                                                  sizeof host, NULL, 0, NI_NAMEREQD);
    return NULL;
}

static void *look_up_as_of_old(void *number)
{
    bine_gethostbyname("name.example");
    outcomes[(intptr_t)number] = h_errno;
    return NULL;
}

static void *work(void *arg)
{
    return arg;
}

static void look_up_in(bine_pool *pool, bine_run *run, int from, int to)
{
    for (int i = from; i < to; i++)
        CHECK(bine_pool_spawn(pool, run, (void *)(intptr_t)i) != NULL);
    CHECK_OK(bine_sleep(20 * BINE_MS));
}

TEST(hazard_88_names_leave_threads_to_everything_else)
{
    begin("4");
    bine_pool *pool = bine_pool_new(0, 0);
    look_up_in(pool, look_up, 0, 10);
    look_up_in(pool, look_up_backwards, 10, 20);
    look_up_in(pool, look_up_as_of_old, 20, 30);
    CHECK_EQ(asked, 2); /* half of the threads */
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 10 * BINE_SECOND));
    void *value;
    CHECK_OK(bine_offload(work, (void *)7, &value));
    CHECK_EQ((intptr_t)value, 7);
    CHECK_EQ(bine_timeout_end(&scope), 0);
    CHECK_EQ(sem_post(&answer), 0);
    CHECK_OK(bine_pool_join(pool, BINE_FOREVER));
    CHECK_EQ(asked, 30);
    for (int i = 0; i < 30; i++)
        CHECK_EQ(outcomes[i], i < 20 ? EAI_NONAME : HOST_NOT_FOUND);
    CHECK_OK(bine_pool_free(pool));
}

TEST(hazard_88_one_thread_serves_names_too)
{
    begin("1");
    CHECK_EQ(sem_post(&answer), 0);
    look_up(0);
    CHECK_EQ(outcomes[0], EAI_NONAME);
}

TEST(hazard_88_look_ups_beyond_what_may_wait_are_told_to_come_again, .seconds = 60)
{
    begin("2");
    bine_pool *pool = bine_pool_new(0, 0);
    look_up_in(pool, look_up, 0, 1 + WAITING); /* one has a thread */
    CHECK_EQ(bine_offload_queued(), (size_t)WAITING);
    look_up_in(pool, look_up, 1 + WAITING, 1 + WAITING + 10);
    look_up_in(pool, look_up_backwards, 1 + WAITING + 10, 1 + WAITING + 20);
    look_up_in(pool, look_up_as_of_old, 1 + WAITING + 20, 1 + WAITING + 30);
    for (int i = 0; i < 30; i++) {
        while (!outcomes[1 + WAITING + i])
            CHECK_OK(bine_sleep(BINE_MS));
        CHECK_EQ(outcomes[1 + WAITING + i], i < 20 ? EAI_AGAIN : TRY_AGAIN);
    }
    CHECK_EQ(bine_offload_queued(), (size_t)WAITING);
    /* They can be killed, oldest or newest first: each is taken out of the queue at once. */
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    CHECK_EQ(bine_offload_queued(), 0u);
    CHECK_EQ(sem_post(&answer), 0);
    CHECK_OK(bine_pool_free(pool));
}

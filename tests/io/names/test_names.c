/*
 * Names: real look-ups compared with libc's, and slow ones simulated by putting a function of the
 * test's in the place of libc's getaddrinfo in the table of originals.
 */
#include "harness.h"

#include <arpa/inet.h>
#include <bine.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/offload/offload.h"
#include "libc/libc.h"

/* ---- a slow name service --------------------------------------------------------------------- */

static sem_t answer;       /* each look-up takes one */
static atomic_int asked;   /* look-ups begun */
static atomic_int replied; /* ... and ended */
static int fake_status, fake_errno;

/* A result as libc makes it: real, for a numeric host, with a canonical name. */
static int slow_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                            struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        getaddrinfo;
    asked++;
    while (sem_wait(&answer) != 0)
        ;
    int status = fake_status;
    if (status == 0) {
        struct addrinfo canonical = {.ai_flags = AI_CANONNAME | AI_NUMERICHOST};
        status = real("127.0.0.9", service, &canonical, result);
    }
    errno = fake_errno;
    replied++;
    return status;
}

static void make_slow(void)
{
    sem_init(&answer, 0, 0);
    bine_libc.getaddrinfo = slow_getaddrinfo;
}

static void await_asked(int count)
{
    while (asked < count)
        CHECK_OK(bine_sleep(BINE_MS));
}

struct question {
    const char *node, *service;
    struct addrinfo *hints, *result;
    int status, error;
};

static void *ask(void *arg)
{
    struct question *question = arg;
    question->status =
        bine_getaddrinfo(question->node, question->service, question->hints, &question->result);
    question->error = errno;
    return NULL;
}

static bool is_the_fake_answer(const struct addrinfo *result)
{
    return result && result->ai_family == AF_INET && result->ai_canonname &&
           strcmp(result->ai_canonname, "127.0.0.9") == 0 &&
           ((struct sockaddr_in *)result->ai_addr)->sin_addr.s_addr == inet_addr("127.0.0.9");
}

TEST(hazard_06_many_slow_lookups_wait_together_while_greenlets_run)
{
    make_slow();
    enum {
        COUNT = 20
    };
    struct question questions[COUNT];
    char names[COUNT][32];
    bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "host-%d.example", i);
        questions[i] = (struct question){.node = names[i], .service = "80"};
        CHECK_NE(all[i] = bine_spawn(ask, &questions[i]), NULL);
    }
    /* All are under way at once, and this greenlet, which lets them answer, runs meanwhile. */
    await_asked(COUNT);
    CHECK_EQ(replied, 0);
    for (int i = 0; i < COUNT; i++)
        sem_post(&answer);
    CHECK_OK(bine_joinall(all, COUNT, BINE_FOREVER));
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(questions[i].status, 0);
        CHECK(is_the_fake_answer(questions[i].result));
        freeaddrinfo(questions[i].result);
    }
}

TEST(hazard_06_numeric_hosts_are_answered_at_once)
{
    CHECK_NE(bine_getcurrent(), NULL);
    static const char *const hosts[] = {"127.0.0.1",      "127.1",      "0x7f000001", "::1",
                                        "::ffff:1.2.3.4", "fe80::1%lo", NULL};
    struct addrinfo passive = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    for (int i = 0; i < 7; i++) {
        struct addrinfo *result = NULL;
        CHECK_EQ(bine_getaddrinfo(hosts[i], "8080", &passive, &result), 0);
        CHECK_EQ(ntohs(((struct sockaddr_in *)result->ai_addr)->sin_port), 8080);
        freeaddrinfo(result);
    }
    struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *result = NULL;
    CHECK_EQ(bine_getaddrinfo("not-a-number", NULL, &numeric, &result), EAI_NONAME);
    CHECK_NE(bine_gethostbyname("10.1.2.3"), NULL);
    char text[64], port[16];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.1.2.3"), .sin_port = htons(99)};
    CHECK_EQ(bine_getnameinfo((struct sockaddr *)&address, sizeof address, text, sizeof text, port,
                              sizeof port, NI_NUMERICHOST | NI_NUMERICSERV),
             0);
    CHECK_STRING(text, "10.1.2.3");
    CHECK_STRING(port, "99");
    CHECK_EQ(bine_offload_threads(), 0);
}

TEST(equal_lookups_under_way_are_made_once)
{
    make_slow();
    enum {
        COUNT = 10
    };
    struct question questions[COUNT];
    bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        questions[i] = (struct question){.node = "same.example", .service = "80"};
        CHECK_NE(all[i] = bine_spawn(ask, &questions[i]), NULL);
    }
    await_asked(1);
    sem_post(&answer);
    CHECK_OK(bine_joinall(all, COUNT, BINE_FOREVER));
    CHECK_EQ(asked, 1);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(questions[i].status, 0);
        CHECK(is_the_fake_answer(questions[i].result));
        for (int j = 0; j < i; j++)
            CHECK_NE(questions[i].result, questions[j].result);
    }
    for (int i = 0; i < COUNT; i++)
        freeaddrinfo(questions[i].result);
    /* One that comes later asks anew. */
    struct question later = {.node = "same.example", .service = "80"};
    sem_post(&answer);
    ask(&later);
    CHECK_EQ(asked, 2);
    freeaddrinfo(later.result);
}

TEST(different_lookups_are_not_shared)
{
    make_slow();
    struct addrinfo stream = {.ai_socktype = SOCK_STREAM}, datagram = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo v6 = {.ai_family = AF_INET6}, flags = {.ai_flags = AI_CANONNAME};
    struct question questions[] = {{"a.example", "80", NULL},    {"b.example", "80", NULL},
                                   {"a.example", "81", NULL},    {"a.example", NULL, NULL},
                                   {"a.example", "80", &stream}, {"a.example", "80", &datagram},
                                   {"a.example", "80", &v6},     {"a.example", "80", &flags}};
    enum {
        COUNT = sizeof questions / sizeof *questions
    };
    bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++)
        CHECK_NE(all[i] = bine_spawn(ask, &questions[i]), NULL);
    await_asked(COUNT);
    for (int i = 0; i < COUNT; i++)
        sem_post(&answer);
    CHECK_OK(bine_joinall(all, COUNT, BINE_FOREVER));
    for (int i = 0; i < COUNT; i++)
        freeaddrinfo(questions[i].result);
}

TEST(killed_while_waiting_the_caller_goes_at_once)
{
    make_slow();
    struct question question = {.node = "slow.example"};
    bine_greenlet *victim = bine_spawn(ask, &question);
    await_asked(1);
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_join(victim, NULL, BINE_FOREVER));
    CHECK_EQ(replied, 0);
    CHECK_EQ(question.status, EAI_SYSTEM);
    CHECK_EQ(question.error, ECANCELED);
    /* The abandoned look-up is joined by nobody: the next one is new. */
    struct question next = {.node = "slow.example"};
    bine_greenlet *follower = bine_spawn(ask, &next);
    await_asked(2);
    sem_post(&answer);
    sem_post(&answer);
    CHECK_OK(bine_join(follower, NULL, BINE_FOREVER));
    CHECK(is_the_fake_answer(next.result));
    freeaddrinfo(next.result);
    while (replied < 2)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_sleep(10 * BINE_MS)); /* its end is delivered, and frees it: leak checkers look */
}

TEST(a_scope_ends_the_wait)
{
    make_slow();
    struct question question = {.node = "slow.example"};
    bine_timeout scope;
    /* The server has been asked by then. */
    CHECK_OK(bine_timeout_begin(&scope, 20 * BINE_MS * harness_slower()));
    ask(&question);
    CHECK_EQ(question.status, EAI_SYSTEM);
    CHECK_EQ(question.error, ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    sem_post(&answer);
    while (replied < 1)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_sleep(10 * BINE_MS));
}

TEST(killing_one_of_those_who_share_leaves_the_others_waiting)
{
    make_slow();
    struct question questions[3] = {
        {.node = "x.example"}, {.node = "x.example"}, {.node = "x.example"}};
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        CHECK_NE(all[i] = bine_spawn(ask, &questions[i]), NULL);
    await_asked(1);
    CHECK_OK(bine_kill(all[0])); /* the very one that began it */
    CHECK_OK(bine_join(all[0], NULL, BINE_FOREVER));
    CHECK_EQ(questions[0].error, ECANCELED);
    sem_post(&answer);
    CHECK_OK(bine_joinall(all + 1, 2, BINE_FOREVER));
    CHECK_EQ(asked, 1);
    for (int i = 1; i < 3; i++) {
        CHECK(is_the_fake_answer(questions[i].result));
        freeaddrinfo(questions[i].result);
    }
}

TEST(failures_carry_status_and_errno)
{
    make_slow();
    CHECK_NE(bine_getcurrent(), NULL);
    fake_status = EAI_SYSTEM;
    fake_errno = ENETDOWN;
    sem_post(&answer);
    struct question question = {.node = "x.example"};
    ask(&question);
    CHECK_EQ(question.status, EAI_SYSTEM);
    CHECK_EQ(question.error, ENETDOWN);
    fake_status = EAI_AGAIN;
    sem_post(&answer);
    ask(&question);
    CHECK_EQ(question.status, EAI_AGAIN);
}

TEST(after_fork_the_child_joins_no_lookup_of_the_parent)
{
    harness_not_under_emulator("a child of a process with threads cannot make threads there");
    make_slow();
    struct question question = {.node = "x.example"};
    bine_greenlet *waiting = bine_spawn(ask, &question);
    await_asked(1);
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        sem_init(&answer, 0, 1);
        struct question again = {.node = "x.example"};
        ask(&again);
        _exit(again.status == 0 && asked == 2 ? 7 : 8);
    }
    int status;
    while (waitpid(child, &status, WNOHANG) == 0)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
    sem_post(&answer);
    CHECK_OK(bine_join(waiting, NULL, BINE_FOREVER));
    freeaddrinfo(question.result);
}

/* ---- against libc ---------------------------------------------------------------------------- */

static void check_same_addresses(const struct addrinfo *ours, const struct addrinfo *theirs)
{
    for (; ours && theirs; ours = ours->ai_next, theirs = theirs->ai_next) {
        CHECK_EQ(ours->ai_flags, theirs->ai_flags);
        CHECK_EQ(ours->ai_family, theirs->ai_family);
        CHECK_EQ(ours->ai_socktype, theirs->ai_socktype);
        CHECK_EQ(ours->ai_protocol, theirs->ai_protocol);
        CHECK_EQ(ours->ai_addrlen, theirs->ai_addrlen);
        CHECK_MEMORY(ours->ai_addr, theirs->ai_addr, ours->ai_addrlen);
        CHECK_EQ(!ours->ai_canonname, !theirs->ai_canonname);
        if (ours->ai_canonname)
            CHECK_STRING(ours->ai_canonname, theirs->ai_canonname);
    }
    CHECK_EQ(!ours, !theirs);
}

TEST(real_lookups_answer_as_libc_does)
{
    CHECK_NE(bine_getcurrent(), NULL);
    struct addrinfo hints[] = {{0},
                               {.ai_flags = AI_CANONNAME},
                               {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM},
                               {.ai_family = AF_INET6, .ai_flags = AI_V4MAPPED | AI_ALL},
                               {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_DGRAM},
                               {.ai_flags = AI_NUMERICSERV},
                               {.ai_flags = AI_IDN},
                               {.ai_family = 12345},
                               {.ai_socktype = 99},
                               {.ai_flags = 1 << 30}};
    static const char *const nodes[] = {"localhost", "127.0.0.1", "::1", NULL, ""};
    static const char *const services[] = {"http", "80", NULL, "no-such-service", ""};
    for (int h = -1; h < (int)(sizeof hints / sizeof *hints); h++)
        for (int n = 0; n < 5; n++)
            for (int s = 0; s < 5; s++) {
                if (nodes[n] && !*nodes[n])
                    continue; /* asks a server, if there is one */
                struct addrinfo *ours = NULL, *theirs = NULL, *hint = h < 0 ? NULL : &hints[h];
                int our_status = bine_getaddrinfo(nodes[n], services[s], hint, &ours);
                int their_status = bine_libc.getaddrinfo(nodes[n], services[s], hint, &theirs);
                CHECK_EQ(our_status, their_status);
                if (our_status == 0) {
                    check_same_addresses(ours, theirs);
                    freeaddrinfo(ours);
                    freeaddrinfo(theirs);
                }
            }
}

/* A machine whose /etc/hosts does not know ::1 asks a name server, which may be slow. */
TEST(getnameinfo_answers_as_libc_does, .seconds = 60)
{
    CHECK_NE(bine_getcurrent(), NULL);
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(25), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr strange = {.sa_family = 200};
    const struct sockaddr *addresses[] = {(struct sockaddr *)&v4, (struct sockaddr *)&v6, &strange};
    socklen_t lengths[] = {sizeof v4, sizeof v6, sizeof strange};
    int flags[] = {0,        NI_NUMERICHOST, NI_NUMERICSERV,
                   NI_DGRAM, NI_NAMEREQD,    NI_NUMERICHOST | NI_NUMERICSERV};
    socklen_t sizes[] = {0, 1, 4, 200};
    for (int a = 0; a < 3; a++)
        for (int f = 0; f < 6; f++)
            for (int h = 0; h < 4; h++)
                for (int s = 0; s < 4; s++) {
                    if (!(flags[f] & NI_NUMERICHOST) && (s == 1 || s == 2))
                        continue;
                    char our_host[200] = "?", our_service[200] = "?", host[200] = "?",
                         service[200] = "?";
                    int ours = bine_getnameinfo(addresses[a], lengths[a], our_host, sizes[h],
                                                our_service, sizes[s], flags[f]);
                    int theirs = bine_libc.getnameinfo(addresses[a], lengths[a], host, sizes[h],
                                                       service, sizes[s], flags[f]);
                    CHECK_EQ(ours, theirs);
                    if (ours == 0) {
                        CHECK_STRING(our_host, host);
                        CHECK_STRING(our_service, service);
                    }
                }
}

static void check_inside(const void *pointer, const char *buffer, size_t size)
{
    CHECK((const char *)pointer >= buffer);
    CHECK((const char *)pointer < buffer + size);
}

TEST(reentrant_forms_fill_the_buffer_as_libc_does)
{
    CHECK_NE(bine_getcurrent(), NULL);
    char ours[2048], theirs[2048];
    for (size_t size = 0; size < 600; size += size < 64 ? 1 : 37)
        for (size_t skew = 0; skew < 3; skew++) {
            struct passwd our_user, their_user, *our_result, *their_result;
            int our_status = bine_getpwnam_r("root", &our_user, ours + skew, size, &our_result);
            int their_status =
                bine_libc.getpwnam_r("root", &their_user, theirs + skew, size, &their_result);
            CHECK_EQ(our_status, their_status);
            CHECK_EQ(!our_result, !their_result);
            if (our_result) {
                CHECK_EQ(our_result, &our_user);
                CHECK_STRING(our_user.pw_name, "root");
                CHECK_STRING(our_user.pw_dir, their_user.pw_dir);
                CHECK_STRING(our_user.pw_shell, their_user.pw_shell);
                check_inside(our_user.pw_dir, ours + skew, size);
            }
            struct hostent our_host, their_host, *our_found, *their_found;
            int our_error = 0, their_error = 0;
            our_status = bine_gethostbyname2_r("localhost", AF_INET, &our_host, ours + skew, size,
                                               &our_found, &our_error);
            their_status = bine_libc.gethostbyname2_r(
                "localhost", AF_INET, &their_host, theirs + skew, size, &their_found, &their_error);
            CHECK_EQ(our_status, their_status);
            CHECK_EQ(our_error, their_error);
            CHECK_EQ(!our_found, !their_found);
            if (our_found) {
                CHECK_STRING(our_host.h_name, their_host.h_name);
                CHECK_MEMORY(our_host.h_addr_list[0], their_host.h_addr_list[0], 4);
                check_inside(our_host.h_addr_list, ours + skew, size);
                check_inside(our_host.h_addr_list[0], ours + skew, size);
            }
            struct servent our_service, their_service, *our_port, *their_port;
            our_status =
                bine_getservbyname_r("http", "tcp", &our_service, ours + skew, size, &our_port);
            their_status = bine_libc.getservbyname_r("http", "tcp", &their_service, theirs + skew,
                                                     size, &their_port);
            CHECK_EQ(our_status, their_status);
            CHECK_EQ(!our_port, !their_port);
            if (our_port) {
                CHECK_EQ(our_service.s_port, their_service.s_port);
                CHECK_STRING(our_service.s_proto, "tcp");
            }
            struct group our_group, their_group, *our_gid, *their_gid;
            our_status = bine_getgrgid_r(0, &our_group, ours + skew, size, &our_gid);
            their_status = bine_libc.getgrgid_r(0, &their_group, theirs + skew, size, &their_gid);
            CHECK_EQ(our_status, their_status);
            CHECK_EQ(!our_gid, !their_gid);
            if (our_gid)
                CHECK_STRING(our_group.gr_name, their_group.gr_name);
        }
}

TEST(what_is_not_found_is_reported_as_libc_does)
{
    CHECK_NE(bine_getcurrent(), NULL);
    char buffer[1024];
    struct passwd user, *found = &user;
    CHECK_EQ(bine_getpwnam_r("no-such-user-here", &user, buffer, sizeof buffer, &found),
             bine_libc.getpwnam_r("no-such-user-here", &user, buffer, sizeof buffer, &found));
    CHECK_EQ(found, NULL);
    errno = 0;
    CHECK_EQ(bine_getpwuid(987654321), NULL);
    int ours = errno;
    errno = 0;
    CHECK_EQ(bine_libc.getpwuid(987654321), NULL);
    CHECK_EQ(ours, errno);
    CHECK_EQ(bine_getgrnam("no-such-group-here"), NULL);
    CHECK_EQ(bine_getservbyport(0, "tcp"), NULL);
}

static void *own_storage(void *unused)
{
    struct passwd *root = bine_getpwuid(0);
    CHECK_NE(root, NULL);
    CHECK_OK(bine_sleep(0));
    struct hostent *host = bine_gethostbyname("localhost");
    CHECK_NE(host, NULL);
    CHECK_OK(bine_sleep(0));
    CHECK_STRING(root->pw_name, "root");
    CHECK_STRING(host->h_name, "localhost");
    return root;
}

TEST(static_results_belong_to_the_greenlet)
{
    bine_greenlet *first = bine_spawn(own_storage, NULL);
    void *mine = own_storage(NULL), *other = NULL;
    CHECK_OK(bine_join(first, &other, BINE_FOREVER));
    CHECK_NE(mine, other);
    CHECK_STRING(((struct passwd *)mine)->pw_name, "root");
    CHECK_STRING(bine_getgrgid(0)->gr_name, "root");
    CHECK_EQ(ntohs((uint16_t)bine_getservbyname("http", "tcp")->s_port), 80);
    uint32_t loopback = htonl(INADDR_LOOPBACK);
    CHECK_NE(bine_gethostbyaddr(&loopback, 4, AF_INET), NULL);
    CHECK_STRING(((struct passwd *)mine)->pw_name, "root");
}

TEST(group_lists_answer_as_libc_does)
{
    CHECK_NE(bine_getcurrent(), NULL);
    gid_t ours[64], theirs[64];
    for (int room = 0; room < 3; room++) {
        int our_count = room, their_count = room;
        CHECK_EQ(bine_getgrouplist("root", 4242, ours, &our_count),
                 bine_libc.getgrouplist("root", 4242, theirs, &their_count));
        CHECK_EQ(our_count, their_count);
    }
    int count = 64;
    CHECK_GE(bine_getgrouplist("root", 4242, ours, &count), 1);
    CHECK_EQ(ours[0], 4242);
}

static void *without_hub(void *unused)
{
    struct addrinfo *result = NULL;
    CHECK_EQ(bine_getaddrinfo("localhost", "80", NULL, &result), 0);
    freeaddrinfo(result);
    CHECK_NE(bine_getpwuid(0), NULL);
    CHECK_EQ(bine_offload_threads(), 0);
    return NULL;
}

TEST(hazard_07_a_thread_without_a_hub_calls_libc)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, without_hub, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

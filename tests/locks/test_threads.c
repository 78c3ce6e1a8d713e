/* Real threads joined without blocking the hub; threads that are greenlets; libcurl's threaded
 * resolver. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <threads.h>
#include <unistd.h>

#include "libc/libc.h"
#include "locks.h"

/* ---- real threads ---------------------------------------------------------------------------- */

static void *nap_and_return(void *arg)
{
    struct timespec t = {0, 20 * BINE_MS};
    bine_libc.nanosleep(&t, NULL);
    return arg;
}

static pthread_t start_real(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

static struct ticker ticker;

static void *await_and_return(void *arg)
{
    await_ticks(&ticker);
    return arg;
}

TEST(hazard_07_joining_a_real_thread_does_not_block_the_hub)
{
    CHECK_OK(bine_patch_thread());
    bine_greenlet *g = bine_spawn(tick, &ticker);
    int marker;
    void *value;
    CHECK_EQ(pthread_join(start_real(await_and_return, &marker), &value), 0);
    CHECK(value == &marker);
    ticker.stop = true;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

TEST(timed_and_tried_joins_answer_as_libcs)
{
    SKIP_UNDER_TSAN("it does not know thrd_join");
    CHECK_OK(bine_patch_thread());
    bine_getcurrent();
    pthread_t thread = start_real(await_and_return, NULL); /* until we say so */
    void *value;
    CHECK_EQ(pthread_tryjoin_np(thread, &value), EBUSY);
    struct timespec until = from_now(CLOCK_REALTIME, 2 * BINE_MS);
    CHECK_EQ(pthread_timedjoin_np(thread, &value, &until), ETIMEDOUT);
    atomic_store(&ticker.ticks, SOME_TICKS);
    until = from_now(CLOCK_MONOTONIC, 60 * BINE_SECOND);
    CHECK_EQ(pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &until), 0);
    CHECK_EQ(pthread_join(pthread_self(), NULL), EDEADLK);
    int result = -1;
    thrd_t c11 = start_real(nap_and_return, (void *)7);
    CHECK_EQ(thrd_join(c11, &result), thrd_success);
    CHECK_EQ(result, 7);
}

static void *join_killed(void *thread)
{
    CHECK_EQ(pthread_join(*(pthread_t *)thread, NULL), 0);
    return NULL;
}

TEST(a_kill_does_not_end_a_join_because_what_follows_frees_what_the_thread_uses)
{
    CHECK_OK(bine_patch_thread());
    pthread_t thread = start_real(nap_and_return, NULL);
    bine_greenlet *g = bine_spawn(join_killed, &thread);
    bine_sleep(0);
    bine_kill(g);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

/* ---- libcurl --------------------------------------------------------------------------------- */

static int listen_here(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    CHECK_OK(bind(fd, (struct sockaddr *)&address, length));
    CHECK_OK(listen(fd, 16));
    CHECK_OK(getsockname(fd, (struct sockaddr *)&address, &length));
    *port = ntohs(address.sin_port);
    return fd;
}

static void *serve(void *listener)
{
    for (int i = 0; i < 3; i++) {
        char request[4096];
        int fd = accept((int)(intptr_t)listener, NULL, NULL);
        CHECK_OK(fd);
        CHECK_GT(read(fd, request, sizeof request), 0);
        static const char answer[] =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        CHECK_EQ(write(fd, answer, sizeof answer - 1), (ssize_t)sizeof answer - 1);
        close(fd);
    }
    return NULL;
}

static size_t swallow(char *data, size_t size, size_t count, void *total)
{
    *(size_t *)total += size * count;
    return size * count;
}

static void *fetch(void *url)
{
    size_t total = 0;
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, (char *)url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &total);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4);
    CURLcode code = curl_easy_perform(easy);
    if (code != CURLE_OK)
        FAIL("curl: %s", curl_easy_strerror(code));
    CHECK_EQ(total, 5);
    curl_easy_cleanup(easy);
    return NULL;
}

TEST(hazard_07_libcurls_threaded_resolver_works_in_greenlets,
     .leaves = "the poller's and the resolver's descriptors")
{
    CHECK(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS);
    CHECK_EQ(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
    CHECK_OK(
        bine_patch(BINE_PATCH_SOCKET | BINE_PATCH_SELECT | BINE_PATCH_TIME | BINE_PATCH_THREAD));
    int port;
    int listener = listen_here(&port);
    char url[64];
    snprintf(url, sizeof url, "http://localhost:%d/", port);
    bine_greenlet *all[4] = {bine_spawn(serve, (void *)(intptr_t)listener)};
    for (int i = 1; i < 4; i++)
        all[i] = bine_spawn(fetch, url);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    close(listener);
    curl_global_cleanup();
}

/* ---- threads that are greenlets -------------------------------------------------------------- */

static void threads_are_greenlets(void)
{
    CHECK_OK(bine_patch_threads_as_greenlets("")); /* the program itself */
    CHECK_OK(bine_patch(BINE_PATCH_THREAD | BINE_PATCH_TIME));
}

static pthread_t selves[4];
static int steps;

static void *note_self(void *place)
{
    selves[(intptr_t)place] = pthread_self();
    for (int i = 0; i < 3; i++) {
        steps++;
        usleep(1000);
        CHECK(pthread_equal(pthread_self(), selves[(intptr_t)place]));
    }
    return place;
}

TEST(threads_of_a_chosen_object_are_greenlets_of_one_thread_with_an_identity_each)
{
    threads_are_greenlets();
    size_t threads = harness_threads();
    pthread_t all[4], self = pthread_self();
    for (intptr_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&all[i], NULL, note_self, (void *)i), 0);
    CHECK_EQ(harness_threads(), threads);
    CHECK_EQ(bine_hub_greenlets(), 4);
    for (intptr_t i = 0; i < 4; i++) {
        void *value;
        CHECK_EQ(pthread_join(all[i], &value), 0);
        CHECK_EQ((intptr_t)value, i);
        CHECK(pthread_equal(all[i], selves[i]));
        for (int j = 0; j < i; j++)
            CHECK(!pthread_equal(all[i], all[j]));
    }
    CHECK_EQ(steps, 12);
    CHECK(pthread_equal(pthread_self(), self));
    CHECK_EQ(harness_threads(), threads);
}

static bool cleaned;

static void clean(void *arg)
{
    cleaned = true;
}

static volatile int deepest = 5;

static void exit_deeply(int depth)
{
    if (depth == deepest)
        pthread_exit((void *)99);
    if (deepest)
        exit_deeply(depth + 1);
    steps++; /* never reached */
}

static void *exit_with_cleanup(void *arg)
{
    pthread_cleanup_push(clean, NULL);
    exit_deeply(0);
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(pthread_exit_ends_the_greenlet_with_its_value_after_cleanup)
{
    threads_are_greenlets();
    pthread_t thread;
    void *value;
    CHECK_EQ(pthread_create(&thread, NULL, exit_with_cleanup, NULL), 0);
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK_EQ((intptr_t)value, 99);
    CHECK(cleaned);
    CHECK_EQ(steps, 0);
}

static void *loop_until_cancelled(void *arg)
{
    while (!*(volatile bool *)arg) {
        usleep(1000);
        pthread_testcancel();
    }
    return NULL;
}

TEST(a_cancelled_greenlet_ends_at_its_next_cancellation_point)
{
    threads_are_greenlets();
    pthread_t thread;
    void *value;
    bool stop = false;
    CHECK_EQ(pthread_create(&thread, NULL, loop_until_cancelled, &stop), 0);
    usleep(2000);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK(value == PTHREAD_CANCELED);
}

static void *detach_self(void *arg)
{
    CHECK_EQ(pthread_detach(pthread_self()), 0);
    CHECK_EQ(pthread_detach(pthread_self()), EINVAL);
    steps++;
    return NULL;
}

static void *join_self(void *arg)
{
    CHECK_EQ(pthread_join(pthread_self(), NULL), EDEADLK);
    while (!*(bool *)arg)
        usleep(1000);
    return NULL;
}

TEST(detached_greenlets_forget_themselves_and_mistakes_are_answered_as_by_libc)
{
    threads_are_greenlets();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, detach_self, NULL), 0);
    usleep(1000);
    CHECK_EQ(steps, 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    CHECK_EQ(pthread_create(&thread, &attributes, note_self, (void *)0), 0);
    CHECK_EQ(pthread_join(thread, NULL), EINVAL);
    usleep(20000);
    CHECK_EQ(bine_hub_greenlets(), 0);
    bool stop = false;
    CHECK_EQ(pthread_create(&thread, NULL, join_self, &stop), 0);
    CHECK_EQ(pthread_tryjoin_np(thread, NULL), EBUSY);
    struct timespec past = {0, 0};
    CHECK_EQ(pthread_timedjoin_np(thread, NULL, &past), ETIMEDOUT);
    stop = true;
    usleep(10000);
    CHECK_EQ(pthread_tryjoin_np(thread, NULL), 0);
}

static size_t stack_seen;

static void *look_at_attributes(void *arg)
{
    pthread_attr_t attributes;
    void *bottom;
    char name[16];
    CHECK_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    CHECK_EQ(pthread_attr_getstack(&attributes, &bottom, &stack_seen), 0);
    CHECK((char *)&bottom > (char *)bottom && (char *)&bottom < (char *)bottom + stack_seen);
    pthread_attr_destroy(&attributes);
    CHECK_EQ(pthread_setname_np(pthread_self(), "worker-7"), 0);
    CHECK_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STRING(name, "worker-7");
    clockid_t clock;
    CHECK_EQ(pthread_getcpuclockid(pthread_self(), &clock), 0);
    struct timespec time;
    CHECK_OK(clock_gettime(clock, &time));
    int policy;
    struct sched_param parameters;
    CHECK_EQ(pthread_getschedparam(pthread_self(), &policy, &parameters), 0);
    CHECK_EQ(pthread_kill(pthread_self(), 0), 0);
    return NULL;
}

TEST(a_greenlet_has_the_stack_it_asked_for_and_answers_for_name_clock_and_schedule)
{
    threads_are_greenlets();
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 512 * 1024);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, &attributes, look_at_attributes, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_GE(stack_seen, 512 * 1024);
    CHECK_LT(stack_seen, 1024 * 1024);
    pthread_attr_destroy(&attributes);
}

/* Touches so much of its stack, a page at a time, from the end that is farthest. */
static void *uses_stack(void *size)
{
    volatile char *frame = __builtin_alloca((size_t)size);
    for (size_t at = 0; at < (size_t)size; at += 4096)
        frame[at] = 1;
    return NULL;
}

TEST(hazard_98_a_thread_that_became_a_greenlet_has_the_stack_of_a_thread)
{
    threads_are_greenlets();
    pthread_attr_t attributes;
    size_t usual;
    pthread_t thread;
    pthread_attr_init(&attributes);
    CHECK_EQ(pthread_attr_getstacksize(&attributes, &usual), 0);
    CHECK_GE(usual, (size_t)1 << 20);
    void *nearly_all = (void *)(usual - 65536);
    CHECK_EQ(pthread_create(&thread, NULL, uses_stack, nearly_all), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, uses_stack, nearly_all), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    /* What was asked for, more or less than that. */
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 2 * usual), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, uses_stack, (void *)(2 * usual - 65536)), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, look_at_attributes, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_GE(stack_seen, 128 * 1024);
    CHECK_LT(stack_seen, 256 * 1024);
    pthread_attr_destroy(&attributes);
}

static pthread_t joined_by_thread;

static void *join_from_thread(void *arg)
{
    void *value;
    CHECK_EQ(pthread_join(joined_by_thread, &value), 0);
    return value;
}

TEST(a_thread_without_a_hub_joins_a_greenlet)
{
    threads_are_greenlets();
    CHECK_EQ(pthread_create(&joined_by_thread, NULL, note_self, (void *)3), 0);
    void *value;
    CHECK_EQ(pthread_join(start_real(join_from_thread, NULL), &value), 0);
    CHECK_EQ((intptr_t)value, 3);
    bine_sleep(0);
}

static int c11_run(void *arg)
{
    thrd_exit(11);
    return 0;
}

TEST(c11_threads_are_greenlets_too)
{
    threads_are_greenlets();
    thrd_t thread;
    int result;
    size_t threads = harness_threads();
    CHECK_EQ(thrd_create(&thread, c11_run, NULL), thrd_success);
    CHECK_EQ(harness_threads(), threads);
    CHECK_EQ(thrd_join(thread, &result), thrd_success);
    CHECK_EQ(result, 11);
}

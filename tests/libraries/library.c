/* The questions asked of every library. See library.h. */
#include "library.h"

#include <bine.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REQUESTS = 10,
    ANSWER = 300
};

struct request {
    const struct library *library;
    int port, number;
    bool slow, good;
    char answer[ANSWER];
};

int library_port(const char *variable)
{
    const char *text = getenv(variable);
    if (!text)
        SKIP("run by servers.py only: %s is not set", variable);
    return atoi(text);
}

static void *request(void *arg)
{
    struct request *request = arg;
    void *connection = request->library->open(request->port);
    if (connection) {
        request->good = request->library->ask(connection, request->number, request->slow,
                                              request->answer, ANSWER);
        request->library->close(connection);
    }
    return NULL;
}

static void fill(struct request *requests, const struct library *library, int port, bool slow)
{
    for (int i = 0; i < REQUESTS; i++)
        requests[i] = (struct request){.library = library, .port = port, .number = i, .slow = slow};
}

static void spawn_and_join(struct request *requests)
{
    bine_greenlet *all[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        CHECK((all[i] = bine_spawn(request, &requests[i])) != NULL);
    CHECK_OK(bine_joinall(all, REQUESTS, BINE_FOREVER));
    for (int i = 0; i < REQUESTS; i++)
        if (!requests[i].good)
            FAIL("request %d failed: %s", i, requests[i].answer);
}

void library_overlaps(const struct library *library)
{
    struct request requests[REQUESTS];
    int port = library_port(library->port_variable);
    CHECK_OK(bine_patch_all());
    if (!library->server_can_be_slow)
        port = proxy_start(port, 0, 200 * BINE_MS);
    fill(requests, library, port, true);
    request(&requests[0]); /* warm: libraries initialise themselves */
    fill(requests, library, port, true);
    int64_t begin = harness_now();
    spawn_and_join(requests);
    int64_t taken = harness_now() - begin;
    CHECK_GE(taken, 200 * BINE_MS);
    /* One after the other would be 2 s. */
    CHECK_LT(taken, 200 * BINE_MS * REQUESTS / 2 * harness_slower());
    if (!library->server_can_be_slow)
        proxy_stop();
}

static int64_t longest_gap;

static void *beats(void *arg)
{
    for (int64_t last = harness_now(); bine_sleep(5 * BINE_MS) == 0;) {
        int64_t now = harness_now();
        if (now - last > longest_gap)
            longest_gap = now - last;
        last = now;
    }
    return arg;
}

void library_heartbeat(const struct library *library)
{
    struct request one = {.library = library, .number = 3};
    CHECK_OK(bine_patch_all());
    one.port = library_port(library->port_variable);
    request(&one);
    CHECK(one.good);
    /* In the middle of the first answer, whatever it is. */
    one.port = proxy_start(one.port, 3, 500 * BINE_MS);
    one.good = false;
    bine_greenlet *heart = bine_spawn(beats, NULL), *g = bine_spawn(request, &one);
    int64_t begin = harness_now();
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(one.good);
    CHECK_GE(harness_now() - begin, 500 * BINE_MS);
    CHECK_OK(bine_killall(&heart, 1, BINE_FOREVER));
    CHECK_OK(bine_join(heart, NULL, 0));
    CHECK_GT(longest_gap, 0);
    CHECK_LT(longest_gap, 250 * BINE_MS * harness_slower());
    proxy_stop();
}

void library_threads(const struct library *library)
{
    struct request on_greenlets[REQUESTS], on_threads[REQUESTS];
    int port = library_port(library->port_variable);
    pthread_t threads[REQUESTS];
    fill(on_threads, library, port, false);
    request(&on_threads[0]); /* libraries initialise themselves in one thread */
    for (int i = 0; i < REQUESTS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, request, &on_threads[i]), 0);
    for (int i = 0; i < REQUESTS; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(bine_patch_all());
    fill(on_greenlets, library, port, false);
    spawn_and_join(on_greenlets);
    for (int i = 0; i < REQUESTS; i++) {
        CHECK(on_threads[i].good);
        CHECK_STRING(on_greenlets[i].answer, on_threads[i].answer);
    }
    CHECK(strcmp(on_greenlets[0].answer, on_greenlets[1].answer) != 0);
}

static void *request_in_scope(void *arg)
{
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 50 * BINE_MS));
    request(arg);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    return NULL;
}

void library_cancel(const struct library *library)
{
    struct request cut[REQUESTS], after[REQUESTS];
    if (library->goes_on)
        SKIP("%s", library->goes_on);
    int direct = library_port(library->port_variable);
    CHECK_OK(bine_patch_all());
    int stalling = proxy_start(direct, 3, 2 * BINE_SECOND);
    fill(cut, library, stalling, false);
    fill(after, library, direct, false);
    request(&after[0]);
    bine_greenlet *killed = bine_spawn(request, &cut[0]),
                  *timed = bine_spawn(request_in_scope, &cut[1]);
    bine_sleep(30 * BINE_MS);
    CHECK_OK(bine_kill(killed));
    int64_t begin = harness_now();
    CHECK_OK(bine_join(killed, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(timed, NULL, BINE_FOREVER));
    /* Before the stall was over. */
    CHECK_LT(harness_now() - begin, 1500 * BINE_MS * harness_slower());
    CHECK(!cut[0].good && !cut[1].good);
    spawn_and_join(after);
    proxy_stop();
}

/* Hubs: other threads, deadlock, fork, exit. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/hub/hub.h"
#include "core/schedule/park.h"
#include "harness.h"

static atomic_int posted;
static int last_posted = -1, out_of_order;
static bine_greenlet *sleeper;

static void on_post(void *number)
{
    if ((int)(intptr_t)number != last_posted + 1)
        out_of_order++;
    last_posted = (int)(intptr_t)number;
    posted++;
    bine_unpark(sleeper);
}

enum {
    POSTS = 20000
};

static void *poster(void *hub)
{
    for (intptr_t i = 0; i < POSTS; i++)
        while (bine_post(hub, on_post, (void *)i) < 0)
            ;
    return NULL;
}

TEST(posts_from_a_thread_arrive_in_order_and_wake_the_hub)
{
    pthread_t thread;
    sleeper = bine_getcurrent();
    CHECK_EQ(pthread_create(&thread, NULL, poster, bine_hub_get()), 0);
    while (posted < POSTS)
        CHECK_EQ(bine_park(bine_hub_here(), "posts", 0, INT64_MAX, 0), 0);
    CHECK_EQ(out_of_order, 0);
    pthread_join(thread, NULL);
}

TEST(post_checks_its_arguments)
{
    CHECK_ERROR(bine_post(NULL, on_post, NULL), EINVAL);
    CHECK_ERROR(bine_post(bine_hub_get(), NULL, NULL), EINVAL);
}

static void *count_to(void *n)
{
    for (int i = 0; i < 1000; i++)
        bine_sleep(0);
    return n;
}

static void *own_hub(void *result)
{
    bine_greenlet *all[50];
    void *value;
    intptr_t sum = 0;
    for (intptr_t i = 0; i < 50; i++)
        all[i] = bine_spawn(count_to, (void *)i);
    for (int i = 0; i < 50; i++)
        if (bine_join(all[i], &value, BINE_FOREVER) == 0)
            sum += (intptr_t)value;
    *(bine_hub **)result = bine_hub_get();
    return (void *)sum;
}

TEST(several_threads_each_have_a_hub)
{
    pthread_t threads[4];
    bine_hub *hubs[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, own_hub, &hubs[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *sum;
        CHECK_EQ(pthread_join(threads[i], &sum), 0);
        CHECK_EQ((intptr_t)sum, 1225);
    }
    /* Their threads have ended: a stale hub says so. */
    CHECK_ERROR(bine_post(hubs[0], on_post, NULL), ESRCH);
}

static void *leaves_greenlets(void *arg)
{
    for (int i = 0; i < 10; i++)
        CHECK_OK(bine_go(count_to, NULL));
    bine_detach(bine_spawn_later(BINE_SECOND, count_to, NULL));
    bine_sleep(0);
    CHECK_OK(bine_go(count_to, NULL));
    return arg;
}

TEST(a_thread_may_end_while_greenlets_are_parked)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, leaves_greenlets, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

static void *root_exits(void *arg)
{
    CHECK_OK(bine_go(count_to, NULL));
    bine_exit(arg);
}

TEST(bine_exit_in_a_threads_root_ends_the_thread)
{
    pthread_t thread;
    void *value;
    CHECK_EQ(pthread_create(&thread, NULL, root_exits, "v"), 0);
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK_STRING(value, "v");
}

static void *waits_for_ever(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return arg;
}

static int child_status(void (*body)(void), char *text, size_t size)
{
    int pipes[2];
    CHECK_OK(pipe(pipes));
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        close(pipes[1]);
        body();
        exit(0);
    }
    close(pipes[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(pipes[0], text + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    text[got] = 0;
    close(pipes[0]);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void deadlock(void)
{
    bine_greenlet *g = bine_spawn(waits_for_ever, (void *)3);
    if (bine_join(g, NULL, BINE_FOREVER) == 0 || errno != EDEADLK)
        _exit(1);
    /* The hub still works. */
    if (bine_killall(&g, 1, BINE_FOREVER) < 0 || bine_join(g, NULL, 0) < 0)
        _exit(2);
    _exit(0);
}

TEST(deadlock_is_edeadlk_with_a_dump_of_who_waits_for_what)
{
    harness_only_one_thread();
    char text[4000];
    int status = child_status(deadlock, text, sizeof text);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    CHECK(strstr(text, "deadlock") != NULL);
    CHECK(strstr(text, "waits_for_ever(3)>: parked in sleep") != NULL);
    CHECK(strstr(text, "test_hub.c:") != NULL);
    CHECK(strstr(text, "root>: parked in join") != NULL);
}

/* What a wait for several things waits for. */
static void wait_for_several(void)
{
    bine_greenlet *g = bine_spawn(waits_for_ever, (void *)3);
    bine_event *events[] = {bine_event_new(0), bine_event_new(0), bine_event_new(0),
                            bine_event_new(0)};
    void *all[] = {events[3], g, events[0], events[1], events[2]};
    bine_event_set(events[3]); /* ready: it is not waited for any more */
    if (bine_wait(all, 5, NULL, 5, BINE_FOREVER) != -1 || errno != EDEADLK)
        _exit(1);
    fprintf(stderr, "%p %p\n", (void *)events[0], (void *)events[1]);
    _exit(0);
}

TEST(a_dump_says_for_what_a_wait_waits)
{
    harness_only_one_thread();
    char text[4000], wanted[300];
    void *events[2];
    int status = child_status(wait_for_several, text, sizeof text);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    const char *last = strrchr(text, '\n') ? text + strlen(text) - 1 : text;
    while (last > text && last[-1] != '\n')
        last--;
    CHECK_EQ(sscanf(last, "%p %p", &events[0], &events[1]), 2);
    snprintf(wanted, sizeof wanted, "waits_for_ever(3)>, event %p, event %p, and 1 more", events[0],
             events[1]);
    if (!strstr(text, "root>: parked in wait for <Greenlet") || !strstr(text, wanted))
        FAIL("%s is not in %s", wanted, text);
}

static void *rescues(void *hub)
{
    usleep(20000);
    bine_post(hub, on_post, (void *)0);
    return NULL;
}

TEST(while_another_thread_lives_waiting_is_no_deadlock)
{
    pthread_t thread;
    sleeper = bine_getcurrent();
    CHECK_EQ(pthread_create(&thread, NULL, rescues, bine_hub_get()), 0);
    CHECK_EQ(bine_park(bine_hub_here(), "rescue", 0, INT64_MAX, 0), 0);
    pthread_join(thread, NULL);
}

static void *forks(void *arg)
{
    bine_sleep(BINE_MS);
    pid_t child = fork();
    if (child == 0) {
        /* Only this greenlet lives on, and it can spawn, sleep and join. */
        if (bine_hub_greenlets() != 0)
            _exit(1);
        bine_greenlet *all[10];
        for (int i = 0; i < 10; i++)
            all[i] = bine_spawn(count_to, (void *)1);
        if (bine_sleep(2 * BINE_MS) < 0 || bine_joinall(all, 10, BINE_FOREVER) < 0)
            _exit(2);
        if (!bine_dead(arg) || bine_error(arg) != ECANCELED)
            _exit(3);
        return NULL; /* ends the child: nobody else is left */
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    return NULL;
}

TEST(hazard_25_after_fork_only_the_forking_greenlet_lives)
{
    bine_greenlet *other = bine_spawn(waits_for_ever, NULL), *g = bine_spawn(forks, other);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(!bine_dead(other));
    CHECK_OK(bine_killall(&other, 1, BINE_FOREVER));
    CHECK_OK(bine_join(other, NULL, 0));
}

static void exit_while_parked(void)
{
    CHECK_OK(bine_go(waits_for_ever, NULL));
    bine_detach(bine_spawn_later(BINE_SECOND, waits_for_ever, NULL));
    bine_sleep(0);
    exit(0);
}

static void *exits_process(void *arg)
{
    exit((int)(intptr_t)arg);
}

static void exit_in_greenlet(void)
{
    bine_join(bine_spawn(exits_process, (void *)7), NULL, BINE_FOREVER);
}

TEST(hazard_14_exit_while_greenlets_are_parked)
{
    char text[1000];
    int status = child_status(exit_while_parked, text, sizeof text);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = child_status(exit_in_greenlet, text, sizeof text);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static const char *dumped(void)
{
    static char text[4000];
    int pipes[2];
    CHECK_OK(pipe(pipes));
    CHECK_OK(bine_dump(pipes[1]));
    close(pipes[1]);
    ssize_t n = read(pipes[0], text, sizeof text - 1);
    close(pipes[0]);
    CHECK_GT(n, 0);
    text[n] = 0;
    return text;
}

TEST(dump_names_everybody)
{
    bine_spawn_options options = {.name = "the-waiter"};
    bine_greenlet *g = bine_spawn_with(&options, waits_for_ever, NULL);
    CHECK(strstr(dumped(), "1 greenlet besides the root") != NULL);
    bine_greenlet *late = bine_spawn_later(BINE_SECOND, count_to, NULL);
    bine_sleep(0);
    const char *text = dumped();
    CHECK(strstr(text, "2 greenlets besides the root") != NULL);
    CHECK(strstr(text, "the-waiter>: parked in sleep") != NULL);
    CHECK(strstr(text, "not started, until") != NULL);
    CHECK(strstr(text, "root>: running") != NULL);
    bine_greenlet *both[] = {g, late};
    CHECK_OK(bine_killall(both, 2, BINE_FOREVER));
    CHECK_OK(bine_joinall(both, 2, 0));
}

static void *ready_for_ever(void *stop)
{
    while (!*(volatile bool *)stop)
        bine_sleep(0);
    return NULL;
}

static void set_flag(void *flag)
{
    *(bool *)flag = true;
}

static void *posts_stop(void *arg)
{
    void **both = arg;
    bine_post(both[0], set_flag, both[1]);
    return NULL;
}

TEST(ready_greenlets_cannot_starve_messages_and_timers)
{
    bool stop = false, also = false;
    bine_greenlet *all[] = {bine_spawn(ready_for_ever, &stop), bine_spawn(ready_for_ever, &stop),
                            NULL};
    pthread_t thread;
    void *both[] = {bine_hub_get(), &also};
    CHECK_EQ(pthread_create(&thread, NULL, posts_stop, both), 0);
    CHECK_OK(bine_sleep(3 * BINE_MS));
    while (!also)
        CHECK_OK(bine_sleep(0));
    stop = true;
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    pthread_join(thread, NULL);
}

/* ---- the end of a thread --------------------------------------------------------------------- */

static int respawned;

static void *sleep_forever(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return arg;
}

static void respawn(bine_greenlet *g, void *arg)
{
    (void)g;
    if (++respawned > 1000)
        return; /* so that this test ends where threads do not */
    bine_greenlet *next = bine_spawn(sleep_forever, NULL);
    CHECK(next != NULL);
    CHECK_OK(bine_link(next, respawn, arg));
    bine_detach(next);
}

static void *end_with_links(void *arg)
{
    for (int i = 0; i < 3; i++)
        respawn(NULL, NULL);
    CHECK_OK(bine_sleep(0));
    respawned = 0;
    return arg;
}

TEST(hazard_102_a_link_that_respawns_ends_with_its_thread)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, end_with_links, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(respawned, 3);
}

static void *make_a_hub(void *arg)
{
    CHECK(bine_hub_get() != NULL);
    return arg;
}

/* A visitor allocates and writes to descriptors: other threads must not spin for a lock
 * meanwhile. */
static void visit(struct bine_hub *hub, void *count)
{
    (void)hub;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, make_a_hub, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    ++*(int *)count;
}

TEST(hazard_112_hubs_are_made_and_ended_while_others_are_visited)
{
    int visited = 0;
    CHECK(bine_hub_get() != NULL);
    bine_hub_each(visit, &visited);
    CHECK_EQ(visited, 1);
}

enum {
    ADDERS = 4
};
static atomic_int called[ADDERS];
static pthread_barrier_t at_once;

#define HOOK(n)                              \
    static void hook_##n(struct bine_hub *h) \
    {                                        \
        (void)h;                             \
        atomic_fetch_add(&called[n], 1);     \
    }
HOOK(0)
HOOK(1)
HOOK(2)
HOOK(3)

static void *add_hook_at_once(void *n)
{
    static void (*const hooks[ADDERS])(struct bine_hub *) = {hook_0, hook_1, hook_2, hook_3};
    pthread_barrier_wait(&at_once);
    bine_hub_on_end(hooks[(intptr_t)n]);
    bine_hub_on_end(hooks[(intptr_t)n]); /* again is no error */
    return NULL;
}

TEST(hazard_105_hooks_are_added_by_several_threads_at_once)
{
    pthread_t threads[ADDERS];
    CHECK_EQ(pthread_barrier_init(&at_once, NULL, ADDERS), 0);
    for (intptr_t i = 0; i < ADDERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, add_hook_at_once, (void *)i), 0);
    for (int i = 0; i < ADDERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(pthread_create(&threads[0], NULL, make_a_hub, NULL), 0);
    CHECK_EQ(pthread_join(threads[0], NULL), 0);
    for (int i = 0; i < ADDERS; i++)
        CHECK_EQ(called[i], 1);
}

/* ---- records that are used again ------------------------------------------------------------- */

static _Atomic(struct bine_hub *) known;

static void *live(void *arg)
{
    atomic_store(&known, bine_hub_get());
    return arg;
}

static atomic_bool watching;
static atomic_uint unwakeable;

/* What a late waker does with the address of a hub that it knew, but for the call. */
static void *watch(void *arg)
{
    while (atomic_load(&watching)) {
        struct bine_hub *hub = atomic_load(&known);
        struct bine_driver *driver = hub ? __atomic_load_n(&hub->driver, __ATOMIC_ACQUIRE) : NULL;
        if (hub && (!driver || !*(void (*volatile *)(struct bine_driver *)) & driver->wake))
            atomic_fetch_add(&unwakeable, 1);
    }
    return arg;
}

TEST(hazard_106_the_driver_of_a_hub_can_be_woken_at_any_moment)
{
    pthread_t watcher, thread;
    atomic_store(&watching, true);
    CHECK_EQ(pthread_create(&watcher, NULL, watch, NULL), 0);
    for (int lives = 0; lives < 3000 / (int)harness_slower(); lives++) {
        CHECK_EQ(pthread_create(&thread, NULL, live, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    atomic_store(&watching, false);
    CHECK_EQ(pthread_join(watcher, NULL), 0);
    CHECK_EQ(atomic_load(&unwakeable), 0u);
}

TEST(errors_have_words)
{
    CHECK_STRING(bine_strerror(ECANCELED), "The greenlet was killed");
    CHECK_STRING(bine_strerror(ESRCH), "Its thread has ended");
    CHECK_STRING(bine_strerror(EOVERFLOW), "More was given back than was taken");
    CHECK_STRING(bine_strerror(ETIMEDOUT), "The time is up");
    CHECK_STRING(bine_strerror(EDEADLK), "Nothing is left that could end the wait");
    CHECK_STRING(bine_strerror(ENODATA), "The stream ended in the middle");
    CHECK_STRING(bine_strerror(ENOENT), strerror(ENOENT));
    CHECK_STRING(bine_strerror(99999), strerror(99999));
}

/* ---- parks by verb --------------------------------------------------------------------------- */

static uint64_t parks_of(const char *verb)
{
    bine_park_count counts[32];
    size_t count = bine_hub_read_park_counts(counts, 32);
    CHECK_LE(count, (size_t)32);
    for (size_t i = 1; i < count; i++)
        CHECK_GE(counts[i - 1].parks, counts[i].parks);
    for (size_t i = 0; i < count; i++)
        if (strcmp(counts[i].verb, verb) == 0)
            return counts[i].parks;
    return 0;
}

static void *sleep_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_OK(bine_sleep(1));
    return arg;
}

TEST(parks_are_counted_by_verb_once_that_is_asked_for)
{
    CHECK_OK(bine_sleep(1));
    CHECK_EQ(bine_hub_read_park_counts(NULL, 0), (size_t)0);
    CHECK_OK(bine_hub_count_parks());
    CHECK_OK(bine_hub_count_parks());
    bine_greenlet *g = bine_spawn(sleep_thrice, NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(parks_of("sleep"), (uint64_t)3);
    CHECK_EQ(parks_of("join"), (uint64_t)1);
    uint64_t yields = parks_of("yield");
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(parks_of("yield"), yields + 1);
    CHECK_EQ(parks_of("sleep"), (uint64_t)3);
    CHECK_GE(bine_hub_read_park_counts(NULL, 0), (size_t)3);
}

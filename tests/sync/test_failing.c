/* Each allocation of the synchronisation objects fails once: the call says so, nothing is lost,
 * nothing leaks. */
#include "failing.h"

#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>

#include "libc/libc.h"

static void *returns(void *arg)
{
    return arg;
}

static void make_all(void)
{
    bine_event *event = bine_event_new(BINE_SHARED);
    bine_async_result *result = event ? bine_async_result_new(0) : NULL;
    bine_semaphore *semaphore = result ? bine_semaphore_new(1, BINE_SHARED) : NULL;
    bine_rlock *lock = semaphore ? bine_rlock_new(0) : NULL;
    bine_condition *condition = lock ? bine_condition_new(NULL, 0) : NULL;
    bine_rwlock *rwlock = condition ? bine_rwlock_new(0) : NULL;
    bine_barrier *barrier = rwlock ? bine_barrier_new(2, 0) : NULL;
    bine_channel *channel = barrier ? bine_channel_new(10, 0) : NULL;
    bine_mailbox *mailbox = channel ? bine_mailbox_new(10) : NULL;
    if (!mailbox)
        failing_excuse();
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_async_result_free(result));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_rlock_free(lock));
    CHECK_OK(bine_condition_free(condition));
    CHECK_OK(bine_rwlock_free(rwlock));
    CHECK_OK(bine_barrier_free(barrier));
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_mailbox_free(mailbox));
}

TEST(constructors_say_that_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(make_all), 9u);
}

static void fill_queue(enum bine_queue_order order)
{
    bine_queue *queue = bine_queue_new_with(&(bine_queue_options){.order = order});
    if (!queue)
        return failing_excuse();
    size_t put = 0;
    for (intptr_t i = 0; i < 100; i++) {
        if (bine_queue_put(queue, (void *)i, BINE_FOREVER) == 0)
            put++;
        else
            failing_excuse();
    }
    CHECK_EQ(bine_queue_size(queue), put);
    CHECK_EQ(bine_queue_unfinished(queue), put);
    void *item;
    for (; put > 0; put--)
        CHECK_OK(bine_queue_get(queue, &item, 0));
    CHECK_ERROR(bine_queue_get(queue, &item, 0), ETIMEDOUT);
    CHECK_OK(bine_queue_free(queue));
}

static void fill_ring(void)
{
    fill_queue(BINE_FIFO);
}

static void fill_heap(void)
{
    fill_queue(BINE_PRIORITY);
}

TEST(queue_keeps_what_it_has_when_it_cannot_grow, .seconds = 60)
{
    CHECK_GT(failing_each(fill_ring), 3u);
    CHECK_GT(failing_each(fill_heap), 3u);
}

static void map_in_pool(void)
{
    bine_pool *pool = bine_pool_new(3, 0);
    if (!pool)
        return failing_excuse();
    void *items[20], *results[20];
    for (intptr_t i = 0; i < 20; i++)
        items[i] = (void *)i;
    if (bine_pool_map(pool, returns, items, 20, results, BINE_FOREVER) != 0)
        failing_excuse();
    else
        for (intptr_t i = 0; i < 20; i++)
            CHECK_EQ((intptr_t)results[i], i);
    bine_imap *imap = bine_pool_imap(pool, returns, items, 20);
    if (!imap)
        failing_excuse();
    bine_imap_result result;
    int next = 0;
    while (imap && (next = bine_imap_next(imap, &result, BINE_FOREVER)) == 1)
        CHECK_EQ(result.value, result.item);
    if (next < 0)
        failing_excuse();
    bine_imap_end(imap);
    CHECK_EQ(bine_pool_count(pool), 0u);
    CHECK_EQ(bine_pool_free_count(pool), 3u);
    CHECK_OK(bine_pool_free(pool));
}

TEST(pool_loses_no_place_when_memory_is_out, .seconds = 120)
{
    CHECK_GT(failing_each(map_in_pool), 10u);
}

static int arguments_run, arguments_discarded;

static void *run_argument(void *arg)
{
    arguments_run++;
    return arg;
}

static void discard_argument(void *arg)
{
    (void)arg;
    arguments_discarded++;
}

/* Of those that were spawned each argument is run or discarded, of those that were not neither. */
static void spawn_with_discard(void)
{
    bine_pool *pool = bine_pool_new(0, 0);
    if (!pool)
        return failing_excuse();
    bine_spawn_options options = {.name = "named", .discard = discard_argument};
    int spawned = 0;
    arguments_run = arguments_discarded = 0;
    for (int i = 0; i < 4; i++) {
        if (bine_pool_spawn_with(pool, &options, run_argument, NULL, BINE_FOREVER))
            spawned++;
        else
            failing_excuse();
    }
    CHECK_EQ(arguments_discarded, 0);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(arguments_run, spawned);
    if (bine_pool_spawn_with(pool, &options, run_argument, NULL, BINE_FOREVER))
        spawned++;
    else
        failing_excuse();
    CHECK_OK(bine_pool_kill(pool, BINE_FOREVER));
    CHECK_EQ(arguments_run + arguments_discarded, spawned);
    CHECK_OK(bine_pool_free(pool));
}

TEST(arguments_are_run_or_discarded_or_still_the_callers, .seconds = 120)
{
    CHECK_GT(failing_each(spawn_with_discard), 5u);
}

static void *returns_with(void *item, void *context)
{
    (void)context;
    return item;
}

/* Each item has a result or an error, also when not all could be begun. */
static void map_with(void)
{
    bine_pool *pool = bine_pool_new(3, 0);
    if (!pool)
        return failing_excuse();
    void *items[20], *results[20] = {NULL};
    int errors[20];
    bine_map_options options = {.results = results, .errors = errors};
    for (intptr_t i = 0; i < 20; i++) {
        items[i] = (void *)(i + 1);
        errors[i] = -1;
    }
    if (bine_pool_map_with(pool, &options, returns_with, items, 20, BINE_FOREVER) != 0)
        failing_excuse();
    for (int i = 0; i < 20; i++)
        CHECK(errors[i] == 0 ? results[i] == items[i]
                             : !results[i] && (errors[i] == ECANCELED || errors[i] == -1));
    CHECK_EQ(bine_pool_free_count(pool), 3u);
    CHECK_OK(bine_pool_free(pool));
}

TEST(map_with_tells_of_each_item_when_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(map_with), 10u);
}

static void spawn_on_own_hub(void)
{
    bine_hub *hub = bine_hub_get();
    bine_greenlet *g = hub ? bine_spawn_on(hub, returns, (void *)3) : NULL;
    if (!g)
        return failing_excuse();
    void *value = NULL;
    CHECK_OK(bine_get(g, &value, BINE_FOREVER));
    CHECK_EQ((intptr_t)value, 3);
}

TEST(spawn_on_says_that_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(spawn_on_own_hub), 3u);
}

/* ---- from another thread --------------------------------------------------------------------- */

struct visit {
    bine_greenlet *g;
    bine_pool *pool;
    int interrupted, got, mapped; /* errors */
    void *value;
    atomic_bool over;
};

static void *fails_when_interrupted(void *arg)
{
    int result = bine_sleep(BINE_FOREVER);
    return result == 0 ? NULL : arg;
}

static void *visit(void *arg)
{
    struct visit *visit = arg;
    void *items[] = {visit, visit}, *results[] = {NULL, NULL};
    visit->interrupted = bine_interrupt(visit->g, EINTR) == 0 ? 0 : errno;
    if (!visit->interrupted)
        visit->got = bine_get(visit->g, &visit->value, BINE_FOREVER) == 0 ? 0 : errno;
    visit->mapped =
        bine_pool_map(visit->pool, returns, items, 2, results, BINE_FOREVER) == 0 ? 0 : errno;
    if (!visit->mapped && (results[0] != visit || results[1] != visit))
        visit->mapped = EIO;
    visit->over = true;
    return NULL;
}

static void excuse(int error)
{
    errno = error;
    if (error)
        failing_excuse();
}

static void visited(void)
{
    pthread_t thread = 0;
    struct visit it = {.g = bine_spawn(fails_when_interrupted, &it)};
    it.pool = it.g ? bine_pool_new(0, BINE_SHARED) : NULL;
    int error = it.pool ? bine_libc.pthread_create(&thread, NULL, visit, &it) : errno;
    excuse(error);
    if (!error) {
        while (!it.over)
            bine_sleep(BINE_MS); /* which may fail, too */
        pthread_join(thread, NULL);
        excuse(it.interrupted);
        excuse(it.got);
        excuse(it.mapped);
    }
    bool taken = !error && !it.interrupted && !it.got;
    if (taken)
        CHECK_EQ((uintptr_t)it.value, (uintptr_t)&it);
    else if (it.g) { /* the reference is here still */
        CHECK_OK(bine_interrupt(it.g, EINTR));
        CHECK_OK(bine_get(it.g, &it.value, BINE_FOREVER));
        CHECK_EQ((uintptr_t)it.value, (uintptr_t)&it);
    }
    CHECK_OK(bine_pool_free(it.pool));
}

TEST(what_another_thread_asks_for_says_that_memory_is_out_and_loses_nothing, .seconds = 120)
{
    CHECK_GT(failing_each(visited), 5u);
}

static void scope_with_three(void)
{
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    if (!scope)
        return failing_excuse();
    for (intptr_t i = 0; i < 3; i++)
        if (!bine_scope_spawn(scope, returns, (void *)i))
            failing_excuse();
    CHECK_OK(bine_scope_end(scope));
}

TEST(scope_survives_what_could_not_be_spawned, .seconds = 60)
{
    CHECK_GT(failing_each(scope_with_three), 3u);
}

static void choose_among_many(void)
{
    bine_channel *channel = bine_channel_new(0, 0);
    if (!channel)
        return failing_excuse();
    bine_choice choices[20];
    for (int i = 0; i < 20; i++)
        choices[i] = (bine_choice){BINE_CHOOSE_RECEIVE, channel, NULL, 0};
    CHECK_EQ(bine_choose(choices, 20, BINE_US), -1);
    if (errno != ETIMEDOUT)
        failing_excuse();
    CHECK_OK(bine_channel_free(channel));
}

TEST(choose_among_many_says_that_memory_is_out, .seconds = 60)
{
    CHECK_GT(failing_each(choose_among_many), 1u);
}

/* As parties: the block for many, the queue's room, the watch of a descriptor. */
static void choose_as_party(void)
{
    int ends[2];
    bine_queue *queue = bine_queue_new(0, 0);
    if (!queue)
        return failing_excuse();
    CHECK_OK(pipe(ends));
    bine_choice choices[21];
    for (int i = 0; i < 20; i++)
        choices[i] = (bine_choice){BINE_CHOOSE_READABLE, &ends[0], NULL, 0};
    choices[20] = (bine_choice){BINE_CHOOSE_PUT, queue, queue, 0};
    ssize_t taken = bine_choose(choices, 21, BINE_FOREVER);
    if (taken == -1)
        failing_excuse();
    else
        CHECK_EQ(taken, 20);
    CHECK_EQ(bine_queue_size(queue), (size_t)(taken == 20));
    if (bine_choose(choices, 20, BINE_US) == -1 && errno != ETIMEDOUT)
        failing_excuse();
    CHECK_OK(bine_queue_free(queue));
    close(ends[0]);
    close(ends[1]);
}

TEST(choosing_as_a_party_says_that_memory_is_out_and_has_done_nothing, .seconds = 60)
{
    CHECK_GT(failing_each(choose_as_party), 4u);
}

static void *worker(void *arg)
{
    return arg;
}

static void start_workers(void)
{
    bine_workers *workers = bine_workers_start(2, worker, (void *)1);
    if (!workers)
        return failing_excuse();
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
}

TEST(workers_start_all_or_none, .seconds = 120)
{
    CHECK_GT(failing_each(start_workers), 3u);
}

static void answer(bine_connection *connection, void *arg)
{
}

static void start_server(void)
{
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, answer, NULL);
    if (!server)
        return failing_excuse();
    if (bine_server_start(server) != 0)
        failing_excuse();
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_server_stop(server, 0));
    CHECK_OK(bine_server_free(server));
}

TEST(server_that_cannot_be_made_leaves_nothing_behind, .seconds = 120)
{
    CHECK_GT(failing_each(start_server), 5u);
}

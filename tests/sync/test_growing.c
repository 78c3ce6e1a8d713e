/* Structs that later releases make larger: options of a program that is newer than the library,
 * figures for one that is older. */
#include <bine.h>
#include <string.h>

#include "harness.h"

static int ran;

static void *run(void *arg)
{
    ran++;
    return arg;
}

static void *run_with(void *item, void *context)
{
    (void)context;
    return run(item);
}

static void on_connection(bine_connection *connection, void *arg)
{
    (void)connection, (void)arg;
}

static void on_datagram(bine_datagram *datagram, void *arg)
{
    (void)datagram, (void)arg;
}

/* Call with options in which one word of `reserved` after the other is set. */
#define NEWER_FAILS(call, ...)                         \
    for (size_t word = 0;; word++) {                   \
        __typeof__(__VA_ARGS__) options = __VA_ARGS__; \
        if (word == sizeof options.reserved / 8)       \
            break;                                     \
        options.reserved[word] = (uintptr_t)1 << 63;   \
        errno = 0;                                     \
        CHECK((call) == 0);                            \
        CHECK_EQ(errno, EINVAL);                       \
    }

TEST(a_newer_programs_options_are_refused_and_cost_nothing)
{
    bine_pool *pool = bine_pool_new(1, 0);
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    void *item = pool;
    NEWER_FAILS(bine_spawn_with(&options, run, NULL), (bine_spawn_options){.name = "newer"});
    NEWER_FAILS(bine_pool_spawn_with(pool, &options, run, NULL, BINE_FOREVER),
                (bine_spawn_options){.name = "newer"});
    NEWER_FAILS(bine_scope_spawn_with(scope, &options, run, NULL),
                (bine_spawn_options){.name = "newer"});
    NEWER_FAILS(bine_pool_map_with(pool, &options, run_with, &item, 1, BINE_FOREVER) + 1,
                (bine_map_options){.context = pool});
    NEWER_FAILS(bine_channel_new_with(&options), (bine_channel_options){.buffer = 1});
    NEWER_FAILS(bine_queue_new_with(&options), (bine_queue_options){.capacity = 1});
    NEWER_FAILS(bine_mailbox_new_with(&options), (bine_mailbox_options){.capacity = 2});
    NEWER_FAILS(bine_server_new(&options, on_connection, NULL),
                (bine_server_options){.address = "127.0.0.1:0"});
    NEWER_FAILS(bine_datagram_server_new(&options, on_datagram, NULL),
                (bine_server_options){.address = "127.0.0.1:0"});
    /* The pool's place was given back. */
    CHECK(bine_pool_spawn(pool, run, NULL) != NULL);
    CHECK_OK(bine_pool_join(pool, BINE_SECOND));
    CHECK_EQ(ran, 1);
    CHECK_OK(bine_scope_end(scope));
    CHECK_OK(bine_pool_free(pool));
}

TEST(figures_fit_into_the_callers_struct)
{
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"}, on_connection, NULL);
    struct {
        bine_server_figures known;
        uint64_t later;
        uint64_t behind;
    } newer;
    CHECK(server != NULL);
    memset(&newer, 0xff, sizeof newer);
    CHECK_OK(bine_server_read_figures(server, &newer.known, sizeof newer - sizeof newer.behind));
    CHECK_EQ(newer.known.connections, 0u);
    CHECK_EQ(newer.known.short_of_files, 0u);
    CHECK_EQ(newer.later, 0u);
    CHECK_EQ(newer.behind, UINT64_MAX);

    bine_server_figures older;
    memset(&older, 0xff, sizeof older);
    CHECK_OK(bine_server_read_figures(server, &older, sizeof older - sizeof older.short_of_files));
    CHECK_EQ(older.accepted, 0u);
    CHECK_EQ(older.short_of_files, UINT64_MAX);
    CHECK_OK(bine_server_free(server));
}

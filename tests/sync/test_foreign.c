/*
 * Every public function that takes an object is called from a thread to which the object does not
 * belong: one without a hub, one with a hub of its own, and after the owner has ended; for objects
 * of one thread and for shared ones. Each answers, hands over, or fails with one of the errors that
 * the row names. The last test compares the rows with the headers. Fit for TSan.
 */
#include <bine.h>
#include <bine/backdoor.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

struct world {
    bine_event *event, *signalled;
    bine_async_result *result;
    bine_semaphore *semaphore, *bounded;
    bine_rlock *rlock, *held;
    bine_rwlock *rwlock;
    bine_barrier *barrier;
    bine_condition *condition;
    bine_queue *queue;
    bine_channel *channel;
    bine_mailbox *mailbox;
    bine_pool *pool;
    bine_imap *imap;
    bine_iwait *iteration;
    bine_scope *scope;
    bine_workers *workers;
    bine_server *server;
    bine_datagram_server *datagrams;
    bine_greenlet *greenlet, *dead;
    bine_hub *hub;
    bine_timeout timeout;
};

#define SHORT (20 * BINE_MS * harness_slower())

/* ---- calls, each 0 or an error number -------------------------------------------------------- */

static int outcome(long result)
{
    return result >= 0 ? 0 : errno;
}

static int pointer(const void *result)
{
    errno = result ? 0 : errno;
    return errno;
}

static void *item;

static void *nothing(void *arg)
{
    return arg;
}

static bool truth(void *arg)
{
    (void)arg;
    return true;
}

static void link_function(bine_greenlet *g, void *arg)
{
    (void)g, (void)arg;
}

static void post_function(void *arg)
{
    (void)arg;
}

static void on_connection(bine_connection *connection, void *arg)
{
    (void)connection, (void)arg;
}

static void on_datagram(bine_datagram *datagram, void *arg)
{
    (void)datagram, (void)arg;
}

/* Deprecated calls, too. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define CALL(name, expression)              \
    static int call_##name(struct world *w) \
    {                                       \
        return expression;                  \
    }
/* Calls that only look, or return nothing: they come back. */
#define LOOK(name, expression)              \
    static int call_##name(struct world *w) \
    {                                       \
        (void)(expression);                 \
        return 0;                           \
    }
#define END(name, call, member)             \
    static int call_##name(struct world *w) \
    {                                       \
        call;                               \
        w->member = NULL;                   \
        return 0;                           \
    }

/* A row: the name, then what is allowed while the owner lives for an object of one thread and for a
 * shared one, and once it has ended for either. Errors are separated by | of bits. */
enum {
    OK = 1 << 0,
    PERM = 1 << 1,
    SRCH = 1 << 2,
    TIME = 1 << 3,
    AGAIN = 1 << 4,
    BUSY = 1 << 5,
    INVAL = 1 << 6,
    CANCELED = 1 << 7,
    NOENT = 1 << 8,
    PIPE = 1 << 9,
};

static int bit_of(int error)
{
    static const int errors[] = {0,     EPERM,  ESRCH,     ETIMEDOUT, EAGAIN,
                                 EBUSY, EINVAL, ECANCELED, ENOENT,    EPIPE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] == error)
            return 1 << i;
    return 0;
}

#include "foreign.h"

/* Those that take no object, or make one, or act on the current greenlet; descriptors, names, files
 * and patches have tests of their own. */
static const char *const without_object[] = {
    "bine_event_new",
    "bine_async_result_new",
    "bine_semaphore_new",
    "bine_semaphore_new_bounded",
    "bine_rlock_new",
    "bine_rwlock_new",
    "bine_barrier_new",
    "bine_queue_new",
    "bine_queue_new_with",
    "bine_channel_new",
    "bine_channel_new_with",
    "bine_mailbox_new",
    "bine_mailbox_new_with",
    "bine_pool_new",
    "bine_group_new",
    "bine_scope_begin",
    "bine_server_new",
    "bine_datagram_server_new",
    "bine_backdoor_start",
    "bine_signal_event_new",
    "bine_workers_start",
    "bine_workers_run",
    "bine_worker",
    "bine_spawn_at",
    "bine_go_at",
    "bine_spawn_later_at",
    "bine_spawn_with_at",
    "bine_getcurrent",
    "bine_sleep",
    "bine_idle",
    "bine_exit",
    "bine_fail",
    "bine_shield_begin",
    "bine_shield_end",
    "bine_timeout_begin",
    "bine_within_end",
    "bine_key_create",
    "bine_key_delete",
    "bine_getspecific",
    "bine_setspecific",
    "bine_dump",
    "bine_hub_get",
    "bine_hub_exists",
    "bine_hub_count_parks",
    "bine_hub_read_park_counts",
    "bine_check",
    "bine_error_passes",
    "bine_interruptions",
    "bine_hub_greenlets",
    "bine_poller_name",
    "bine_simulate",
    "bine_guard_name",
    "bine_version",
    "bine_strerror",
    "bine_offload",
    "bine_offload_threads",
    "bine_offload_confine",
    "bine_offload_renew",
    "bine_hub_read_figures",
    "bine_own_thread_refusal",
    "bine_datagram_reply", /* of the datagram that its handler is given: sendto */
};
/* Headers of which no function takes an object of Bine's; a TLS connection is used by one greenlet
 * at a time. */
static const char *const headers_without_objects[] = {
    "clock.h", "io.h",     "file.h", "names.h",   "process.h", "patch.h",    "tls.h",
    "dial.h",  "reader.h", "http.h", "metrics.h", "trace.h",   "watchdog.h", "preempt.h"};

static bine_iwait *begun;

static const void *keep_iteration(bine_iwait *iteration)
{
    begun = iteration;
    return iteration;
}

static void fail_test(const char *why)
{
    printf("%s\n", why);
    abort();
}

static int join_dead(struct world *w)
{
    int result = bine_join(w->dead, NULL, BINE_FOREVER);
    if (result == 0)
        w->dead = NULL;
    return result;
}

static int get_dead(struct world *w)
{
    int result = bine_get(w->dead, NULL, BINE_FOREVER);
    if (result == 0)
        w->dead = NULL;
    return result;
}

static int spawn_on(struct world *w)
{
    bine_greenlet *g = bine_spawn_on(w->hub, nothing, NULL);
    int error = pointer(g);
    bine_detach(g);
    return error;
}

static void *nothing_with(void *arg, void *context)
{
    (void)context;
    return arg;
}

static int join_workers(struct world *w)
{
    int error = outcome(bine_workers_join(w->workers, BINE_FOREVER));
    if (!error)
        w->workers = NULL;
    return error;
}

static int freed(int result, void **member)
{
    if (result == 0)
        *member = NULL;
    return result == 0 ? 0 : errno;
}

/* What uses the pool goes first, as the header says. */
static int free_pool(struct world *w)
{
    bine_imap_end(w->imap);
    w->imap = NULL;
    if (bine_pool_free(w->pool) != 0)
        return errno;
    w->pool = NULL;
    return 0;
}

static const struct sockaddr_in nobody = {.sin_family = AF_INET};

static int share_server(struct world *w)
{
    bine_server *server = bine_server_share(w->server);
    return server ? outcome(bine_server_free(server)) : errno;
}

static int share_datagrams(struct world *w)
{
    bine_datagram_server *server = bine_datagram_server_share(w->datagrams);
    return server ? outcome(bine_datagram_server_free(server)) : errno;
}

#define CALL_ROW(name, expression, ...) CALL(name, expression)
#define CALL_LOOK(name, expression) LOOK(name, expression)
#define CALL_END(name, call, member) END(name, call, member)
ROWS(CALL_ROW, CALL_LOOK, CALL_END)

static const struct row {
    const char *name;
    int (*call)(struct world *w);
    int allowed[4]; /* unshared and shared while the owner lives, and after its end */
} rows[] = {
#define TABLE_ROW(name, expression, ...) {#name, call_##name, {__VA_ARGS__}},
#define TABLE_LOOK(name, expression) {#name, call_##name, {OK, OK, OK, OK}},
#define TABLE_END(name, call, member) {#name, call_##name, {OK, OK, OK, OK}},
    ROWS(TABLE_ROW, TABLE_LOOK, TABLE_END)};

/* ---- the world ------------------------------------------------------------------------------- */

static struct world world;
static unsigned flags;
static bine_event *ready; /* main's */
static bine_event *stop;  /* the owner's */
static bool owner_ends_first, with_hub;
static const struct row *row;
static int error_seen;

static void *sleep_forever(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return arg;
}

static void make_world(struct world *w)
{
    static void *items[2];
    *w = (struct world){.event = bine_event_new(flags),
                        .signalled = bine_signal_event_new(SIGUSR1),
                        .result = bine_async_result_new(flags),
                        .semaphore = bine_semaphore_new(1, flags),
                        .bounded = bine_semaphore_new_bounded(1, flags),
                        .rlock = bine_rlock_new(flags),
                        .held = bine_rlock_new(flags),
                        .rwlock = bine_rwlock_new(flags),
                        .barrier = bine_barrier_new(2, flags),
                        .condition = bine_condition_new(NULL, flags),
                        .queue = bine_queue_new(2, flags),
                        .channel = bine_channel_new(1, flags),
                        .mailbox = bine_mailbox_new(4),
                        .pool = bine_pool_new(2, flags),
                        .workers = bine_workers_start(1, nothing, NULL),
                        .server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:0"},
                                                  on_connection, NULL),
                        .datagrams = bine_datagram_server_new(
                            &(bine_server_options){.address = "127.0.0.1:0"}, on_datagram, NULL),
                        .greenlet = bine_spawn(sleep_forever, NULL),
                        .dead = bine_spawn(nothing, NULL),
                        .hub = bine_hub_get()};
    CHECK_OK(bine_timeout_begin(&w->timeout, BINE_SECOND * 100));
    w->scope = bine_scope_begin(BINE_FOREVER);
    w->imap = bine_pool_imap(w->pool, nothing, items, 1);
    w->iteration = bine_iwait_begin((void *[]){w->event}, 1);
    CHECK_OK(bine_rlock_acquire(w->held, BINE_FOREVER));
    CHECK_OK(bine_semaphore_acquire(w->bounded, BINE_FOREVER));
    CHECK_OK(bine_queue_put_nowait(w->queue, NULL));
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_sleep(0));
}

static void end_greenlets(struct world *w)
{
    if (w->greenlet)
        bine_kill(w->greenlet);
    bine_detach(w->greenlet);
    bine_detach(w->dead);
}

/* A lock that a caller still holds cannot be freed: leak checkers find it here. */
static bool keep(void *lock)
{
    static void *kept[1024];
    static size_t count;
    CHECK_LT(count, sizeof kept / sizeof *kept);
    kept[count++] = lock;
    return errno == EBUSY;
}

/* By its own thread, or by another one after its end. `own`: everything can still be waited for. */
static void free_world(struct world *w, bool own)
{
    bine_iwait_end(w->iteration);
    bine_imap_end(w->imap);
    if (own) {
        if (w->scope)
            CHECK_OK(bine_scope_end(w->scope));
        CHECK(bine_timeout_end(&w->timeout) >= 0);
        if (w->workers)
            CHECK_OK(bine_workers_join(w->workers, BINE_FOREVER));
        bine_pool_kill(w->pool, BINE_FOREVER);
        if (w->held)
            bine_rlock_release(w->held);
        if (w->server)
            bine_server_stop(w->server, 0);
        if (w->datagrams)
            bine_datagram_server_stop(w->datagrams, 0);
    } else if (w->workers) {
        CHECK_OK(bine_workers_join(w->workers, BINE_FOREVER));
    }
    /* What the caller took, and left with its thread, stays taken while the owner lives. */
    CHECK_OK(bine_event_free(w->event));
    CHECK_OK(bine_signal_event_free(w->signalled));
    CHECK_OK(bine_async_result_free(w->result));
    CHECK_OK(bine_semaphore_free(w->semaphore));
    CHECK_OK(bine_semaphore_free(w->bounded));
    CHECK(bine_rlock_free(w->rlock) == 0 || keep(w->rlock));
    CHECK_OK(bine_rlock_free(w->held));
    CHECK(bine_rwlock_free(w->rwlock) == 0 || keep(w->rwlock));
    CHECK_OK(bine_barrier_free(w->barrier));
    CHECK_OK(bine_condition_free(w->condition));
    CHECK_OK(bine_queue_free(w->queue));
    CHECK_OK(bine_channel_free(w->channel));
    CHECK_OK(bine_mailbox_free(w->mailbox));
    CHECK_OK(bine_pool_free(w->pool));
    CHECK_OK(bine_server_free(w->server));
    CHECK_OK(bine_datagram_server_free(w->datagrams));
}

static void *own(void *arg)
{
    make_world(&world);
    stop = bine_event_new(BINE_SHARED);
    CHECK_OK(bine_event_set(ready));
    if (owner_ends_first) {
        bine_detach(bine_ref(world.greenlet));
        bine_exit(arg); /* with a scope and a timeout open */
    }
    CHECK_OK(bine_event_wait(stop, BINE_FOREVER));
    CHECK_OK(bine_sleep(0)); /* what was sent has arrived */
    end_greenlets(&world);
    free_world(&world, true);
    CHECK_OK(bine_event_free(stop));
    return arg;
}

static void *call(void *arg)
{
    if (with_hub)
        CHECK(bine_hub_get() != NULL);
    errno = 0;
    error_seen = row->call(&world);
    if (begun)
        bine_iwait_end(begun);
    begun = NULL;
    return arg;
}

static void try_row(void)
{
    pthread_t owner, caller;
    if (getenv("BINE_TEST_ROWS"))
        fprintf(stderr, "%s\n", row->name);
    ready = bine_event_new(BINE_SHARED);
    CHECK_EQ(pthread_create(&owner, NULL, own, NULL), 0);
    CHECK_OK(bine_event_wait(ready, BINE_FOREVER));
    if (owner_ends_first)
        CHECK_EQ(pthread_join(owner, NULL), 0);
    CHECK_EQ(pthread_create(&caller, NULL, call, NULL), 0);
    CHECK_EQ(pthread_join(caller, NULL), 0);
    int allowed = row->allowed[2 * owner_ends_first + (flags == BINE_SHARED)];
    if (!(bit_of(error_seen) & allowed))
        printf("%s: %s (shared %d, owner ended %d, with a hub %d)\n", row->name,
               strerror(error_seen), flags == BINE_SHARED, owner_ends_first, with_hub);
    CHECK(bit_of(error_seen) & allowed);
    if (owner_ends_first) {
        free_world(&world, false);
        CHECK_OK(bine_event_free(stop));
    } else {
        CHECK_OK(bine_event_set(stop));
        CHECK_EQ(pthread_join(owner, NULL), 0);
    }
    CHECK_OK(bine_event_free(ready));
}

static void try_all(bool hub, bool ends)
{
    with_hub = hub;
    owner_ends_first = ends;
    for (unsigned shared = 0; shared < 2; shared++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            row = &rows[i];
            flags = shared ? BINE_SHARED : 0;
            try_row();
        }
}

TEST(every_call_from_a_thread_without_a_hub, .seconds = 120)
{
    try_all(false, false);
}

TEST(every_call_from_a_thread_with_another_hub, .seconds = 120)
{
    try_all(true, false);
}

TEST(hazard_77_every_call_after_the_owner_has_ended, .seconds = 120)
{
    try_all(false, true);
    try_all(true, true);
}

/* ---- are these all? -------------------------------------------------------------------------- */

static bool listed(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < sizeof without_object / sizeof *without_object; i++)
        if (strcmp(without_object[i], name) == 0)
            return true;
    return false;
}

/* Functions are declared on one line that begins with BINE_API. */
static int check_header(const char *path)
{
    char line[400], name[100];
    int functions = 0;
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file)) {
        const char *open = strncmp(line, "BINE_API ", 9) == 0 ? strchr(line, '(') : NULL,
                   *begin = open;
        while (begin && begin > line &&
               (begin[-1] == '_' || (begin[-1] >= '0' && begin[-1] <= '9') ||
                (begin[-1] >= 'a' && begin[-1] <= 'z')))
            begin--;
        if (!begin)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(open - begin), begin);
        if (!listed(name))
            printf("%s: %s is in neither list\n", path, name);
        CHECK(listed(name));
        functions++;
    }
    fclose(file);
    return functions;
}

TEST(every_public_function_is_in_the_table_or_takes_no_object)
{
    DIR *folder = opendir(BINE_HEADERS);
    CHECK(folder != NULL);
    int functions = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[600];
        bool skip = strlen(entry->d_name) < 3 ||
                    strcmp(entry->d_name + strlen(entry->d_name) - 2, ".h") != 0;
        for (size_t i = 0; i < sizeof headers_without_objects / sizeof *headers_without_objects;
             i++)
            skip |= strcmp(headers_without_objects[i], entry->d_name) == 0;
        if (skip)
            continue;
        snprintf(path, sizeof path, "%s/%s", BINE_HEADERS, entry->d_name);
        functions += check_header(path);
    }
    closedir(folder);
    CHECK_GT(functions, 150);
}

/* bine_spawn_options.own_thread: a greenlet that is a thread to what it calls. Nothing is
 * patched. */
#include <dlfcn.h>
#include <fenv.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

static _Thread_local int of_program = 5;

/* ---- thread-local variables ------------------------------------------------------------------ */

struct variables {
    int *(*a)(void);
    char *(*b)(void);
    size_t (*b_size)(void);
};

static struct variables variables_of(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW);
    if (!handle)
        SKIP("%s", dlerror());
    struct variables found;
    *(void **)&found.a = dlsym(handle, "variable_a");
    *(void **)&found.b = dlsym(handle, "variable_b");
    *(void **)&found.b_size = dlsym(handle, "variable_b_size");
    CHECK(found.a && found.b && found.b_size);
    return found;
}

struct use {
    const struct variables *of;
    int id;
};

static void *use_variables(void *arg)
{
    const struct use *use = arg;
    int id = use->id;
    CHECK_EQ(of_program, 5);
    CHECK_EQ(*use->of->a(), 7);
    char *b = use->of->b();
    size_t size = use->of->b_size();
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(b[i], 0);
    of_program = *use->of->a() = id;
    memset(b, id, size);
    for (int round = 0; round < 5; round++) {
        CHECK_OK(bine_sleep(round % 2 ? BINE_MS : 0));
        CHECK_EQ(of_program, id);
        CHECK_EQ(*use->of->a(), id);
        CHECK(use->of->b() == b);
        for (size_t i = 0; i < size; i++)
            CHECK_EQ(b[i], (char)id);
    }
    return NULL;
}

/* The root and an ordinary greenlet share the thread's; four have their own. */
static void check_variables(const char *library)
{
    needs_own_threads();
    struct variables of = variables_of(library);
    *of.a() = 100;
    of_program = 200;
    bine_greenlet *all[4];
    struct use uses[4];
    for (int i = 0; i < 4; i++) {
        uses[i] = (struct use){&of, i + 20};
        all[i] = spawn_own(use_variables, &uses[i]);
    }
    for (int i = 0; i < 4; i++)
        join(all[i]);
    CHECK_EQ(*of.a(), 100);
    CHECK_EQ(of_program, 200);
}

TEST(variables_of_a_library_by_the_general_dynamic_model)
{
    check_variables(OWN_LIBRARIES "/libown-dynamic.so");
}

TEST(variables_of_a_library_by_descriptors)
{
    check_variables(OWN_LIBRARIES "/libown-descriptors.so");
}

TEST(variables_of_a_library_in_the_static_block)
{
    check_variables(OWN_LIBRARIES "/libown-static.so");
}

struct late {
    bine_event *loaded;
    struct variables of;
};

static void *use_late(void *arg)
{
    struct late *late = arg;
    CHECK_OK(bine_event_wait(late->loaded, BINE_FOREVER));
    CHECK_EQ(*late->of.a(), 7);
    *late->of.a() = 9;
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(*late->of.a(), 9);
    return NULL;
}

static void check_late(const char *library)
{
    needs_own_threads();
    struct late late = {.loaded = bine_event_new(0)};
    bine_greenlet *a = spawn_own(use_late, &late), *b = spawn_own(use_late, &late);
    CHECK_OK(bine_sleep(0));
    late.of = variables_of(library);
    *late.of.a() = 100;
    CHECK_OK(bine_event_set(late.loaded));
    join(a);
    join(b);
    CHECK_EQ(*late.of.a(), 100);
    bine_event_free(late.loaded);
}

TEST(variables_of_a_library_that_is_loaded_later)
{
    check_late(OWN_LIBRARIES "/libown-dynamic.so");
}

TEST(variables_of_a_library_that_is_loaded_later_by_descriptors)
{
    check_late(OWN_LIBRARIES "/libown-descriptors.so");
}

/* ---- what libc keeps for a thread ------------------------------------------------------------ */

static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(usleep(1), 0);
    destroyed++;
    free(value);
}

static void *use_thread(void *arg)
{
    pthread_t self = pthread_self();
    CHECK(!pthread_equal(self, *(pthread_t *)arg));
    CHECK(pthread_getspecific(key) == NULL);
    void *value = malloc(100);
    CHECK_EQ(pthread_setspecific(key, value), 0);
    errno = (int)(intptr_t)value & 0xffff;
    int number = errno;
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(bine_sleep(0), 0);
        CHECK_EQ(errno, number);
        CHECK(pthread_equal(self, pthread_self()));
        CHECK(pthread_getspecific(key) == value);
        CHECK_EQ(fegetround(), FE_UPWARD);
    }
    return &destroyed;
}

TEST(identity_errno_keys_and_rounding_are_its_own)
{
    needs_own_threads();
    CHECK_EQ(pthread_key_create(&key, destroy), 0);
    pthread_t root = pthread_self();
    bine_greenlet *all[10];
    for (int i = 0; i < 10; i++)
        all[i] = spawn_own(use_thread, &root);
    errno = 3;
    for (int i = 0; i < 10; i++)
        CHECK(join(all[i]) == &destroyed);
    CHECK_EQ(errno, 3);
    CHECK_EQ(destroyed, 10);
    CHECK_EQ(fegetround(), FE_TONEAREST);
    CHECK_EQ(harness_threads(), 1);
}

static int cleaned;

static void clean(void *arg)
{
    CHECK_EQ(cleaned, (int)(intptr_t)arg);
    cleaned++;
}

static void *leave_by_pthread_exit(void *arg)
{
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)0);
    CHECK_OK(bine_sleep(0));
    pthread_exit(arg);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *leave_by_bine_exit(void *arg)
{
    CHECK_OK(bine_sleep(0));
    bine_exit(arg);
}

static void *leave_by_bine_fail(void *arg)
{
    CHECK_OK(bine_sleep(0));
    bine_fail(ENOSPC);
}

TEST(it_ends_by_pthread_exit_and_by_bine_exit)
{
    needs_own_threads();
    join(spawn_own(leave_by_pthread_exit, NULL));
    CHECK_EQ(cleaned, 2);
    CHECK(join(spawn_own(leave_by_bine_exit, &cleaned)) == &cleaned);
    bine_greenlet *g = spawn_own(leave_by_bine_fail, NULL);
    void *value;
    CHECK_ERROR(bine_get(g, &value, BINE_FOREVER), ENOSPC);
    bine_detach(g);
}

/* ---- kill and timeouts ----------------------------------------------------------------------- */

static void *sleep_long(void *arg)
{
    int result = bine_sleep(BINE_FOREVER);
    CHECK_EQ(result, -1);
    *(int *)arg = errno;
    return NULL;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

TEST(it_is_killed_while_it_waits_and_before_it_began)
{
    needs_own_threads();
    int error = 0, discarded = 0;
    bine_greenlet *g = spawn_own(sleep_long, &error);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_kill(g));
    join(g);
    CHECK_EQ(error, ECANCELED);

    g = bine_spawn_with(&(bine_spawn_options){.own_thread = 1, .discard = count}, sleep_long,
                        &discarded);
    CHECK(g);
    CHECK_OK(bine_kill(g));
    void *value;
    CHECK_ERROR(bine_get(g, &value, BINE_FOREVER), ECANCELED);
    bine_detach(g);
    CHECK_EQ(discarded, 1);
}

static void *time_out(void *arg)
{
    bine_timeout timeout;
    bine_timeout_begin(&timeout, BINE_MS);
    int result = bine_sleep(BINE_FOREVER), error = errno;
    bine_timeout_end(&timeout);
    CHECK_EQ(result, -1);
    CHECK_EQ(error, ETIMEDOUT);
    return arg;
}

TEST(a_timeout_ends_its_wait)
{
    needs_own_threads();
    CHECK(join(spawn_own(time_out, &destroyed)) == &destroyed);
}

/* ---- spawning -------------------------------------------------------------------------------- */

TEST(bad_options_are_refused)
{
    needs_own_threads();
    int error;
    CHECK_ERROR(bine_spawn_with(&(bine_spawn_options){.own_thread = 2}, sleep_long, &error),
                EINVAL);
    CHECK_ERROR(
        bine_spawn_with(&(bine_spawn_options){.own_thread = 1, .delay = 1}, sleep_long, &error),
        EINVAL);
    CHECK_ERROR(bine_spawn_with(&(bine_spawn_options){.own_thread = 1}, NULL, &error), EINVAL);
    CHECK_ERROR(
        bine_spawn_with(&(bine_spawn_options){.own_thread = 1, .stack_size = (size_t)2 << 30},
                        sleep_long, &error),
        EINVAL);
    CHECK_ERROR(bine_spawn_with(&(bine_spawn_options){.reserved = {0, 0, 1}}, sleep_long, &error),
                EINVAL);
}

static void *on_other_thread(void *arg)
{
    CHECK_ERROR(bine_spawn_with(&(bine_spawn_options){.own_thread = 1}, sleep_long, arg), ENOTSUP);
    CHECK(bine_own_thread_refusal() != NULL);
    return NULL;
}

TEST(other_threads_refuse)
{
    needs_own_threads();
    pthread_t thread;
    int error;
    CHECK_EQ(pthread_create(&thread, NULL, on_other_thread, &error), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    join(spawn_own(time_out, NULL));
}

TEST(a_filter_that_forbids_prctl_is_named)
{
#ifndef __x86_64__
    SKIP("not on this processor");
#endif
    if (harness_instrumented())
        SKIP("a sanitizer is the reason that is named first");
    harness_refuse(SYS_prctl, false);
    int error;
    CHECK_ERROR(bine_spawn_with(&(bine_spawn_options){.own_thread = 1}, sleep_long, &error),
                ENOTSUP);
    const char *reason = bine_own_thread_refusal();
    CHECK(reason && (strstr(reason, "seccomp") || strstr(reason, "Linux 5.11")));
}

static void *touch(void *arg)
{
    of_program++;
    CHECK_EQ(of_program, 6);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(of_program, 6);
    return arg;
}

TEST(ten_thousand_at_once_are_one_thread, .seconds = 120)
{
    needs_own_threads();
    enum {
        COUNT = 10000
    };
    static bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++)
        CHECK(all[i] = bine_spawn_with(&(bine_spawn_options){.own_thread = 1, .stack_size = 16384},
                                       touch, NULL));
    CHECK_EQ(bine_hub_greenlets(), COUNT);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(harness_threads(), 1);
    CHECK_OK(bine_joinall(all, COUNT, BINE_FOREVER));
}

static void *spawn_inside(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    bine_greenlet *own = depth ? spawn_own(spawn_inside, (void *)(depth - 1)) : NULL;
    bine_greenlet *ordinary = bine_spawn(touch, NULL);
    CHECK(ordinary);
    of_program = 5; /* this greenlet's; the ordinary one has the carrier's */
    CHECK_OK(bine_kill(ordinary));
    CHECK_OK(bine_join(ordinary, NULL, BINE_FOREVER));
    if (own)
        join(own);
    return NULL;
}

TEST(they_spawn_each_other_and_ordinary_ones)
{
    needs_own_threads();
    join(spawn_own(spawn_inside, (void *)5));
}

/* Some end inside of others' switches: each order of own and ordinary. */
static void *mixed(void *arg)
{
    unsigned n = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < n % 7; i++)
        CHECK_OK(bine_sleep(i % 3 ? 0 : (int64_t)(n % 5) * BINE_US));
    return arg;
}

TEST(own_and_ordinary_ones_follow_each_other_in_each_order, .seconds = 60)
{
    needs_own_threads();
    enum {
        COUNT = 500
    };
    bine_greenlet *all[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        bine_spawn_options options = {.own_thread = (i * 2654435761U) >> 31};
        CHECK(all[i] = bine_spawn_with(&options, mixed, (void *)(uintptr_t)(i * 2246822519U)));
    }
    for (unsigned i = 0; i < COUNT; i++)
        CHECK(join(all[i]) == (void *)(uintptr_t)(i * 2246822519U));
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void *fork_inside(void *arg)
{
    of_program = 77;
    pthread_t self = pthread_self();
    pid_t child = fork();
    if (child == 0) {
        bool same = of_program == 77 && pthread_equal(self, pthread_self());
        bine_greenlet *own = spawn_own(touch, NULL), *ordinary = bine_spawn(time_out, NULL);
        bool done = own && ordinary && bine_join(own, NULL, BINE_FOREVER) == 0 &&
                    bine_join(ordinary, NULL, BINE_FOREVER) == 0;
        _exit(same && done ? 0 : 1);
    }
    CHECK_GT(child, 0);
    harness_join_child(child);
    return arg;
}

TEST(the_child_of_its_fork_goes_on_in_it)
{
    needs_own_threads();
    bine_greenlet *waits = spawn_own(time_out, NULL);
    join(spawn_own(fork_inside, NULL));
    join(waits);
}

static void *fork_and_return(void *arg)
{
    pid_t child = fork();
    if (child == 0)
        return NULL; /* the last thread of the child: exit(0) */
    CHECK_GT(child, 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    return arg;
}

TEST(a_child_that_returns_ends_as_a_last_thread_does)
{
    needs_own_threads();
    CHECK(join(spawn_own(fork_and_return, &destroyed)) == &destroyed);
}

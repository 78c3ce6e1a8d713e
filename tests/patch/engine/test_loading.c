/*
 * Constructors, destructors and callbacks of libc that wait: other greenlets run meanwhile, and
 * find libc's loader closed as other threads would.
 */
#include <bine.h>
#include <link.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/wait.h>

#include "core/hub/hub.h"
#include "libc/libc.h"
#include "patch/common.h"
#include "patch/libraries/meeting.h"

static bine_event *opened; /* what a meeting waits for */
static int meetings;
static char order[64];

static void say(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

static void wait_there(const char *where)
{
    meetings++;
    say(*where == 'c' ? "c" : "d");
    CHECK_OK(bine_event_wait(opened, BINE_FOREVER));
    say(*where == 'c' ? "C" : "D");
}

static void begin(void)
{
    opened = bine_event_new(BINE_SHARED);
    CHECK(opened != NULL);
    meeting_hook = wait_there;
    CHECK_OK(bine_patch_all());
}

static void end(void)
{
    meeting_hook = NULL;
    CHECK_OK(bine_unpatch_all());
    bine_event_free(opened);
}

static int state_of(void *handle)
{
    int (*state)(void) = (int (*)(void))dlsym(handle, "meets_state");
    CHECK(state != NULL);
    return state();
}

/* `beside` has one buffer. */
static void *open_here(const char *name, int flags)
{
    char path[8192];
    snprintf(path, sizeof path, "%s", beside(name));
    return dlopen(path, flags);
}

static void *load(void *name)
{
    void *handle = open_here(name, RTLD_NOW);
    CHECK(handle != NULL);
    CHECK_EQ(state_of(handle), 1);
    say("l");
    return handle;
}

static void *unload(void *handle)
{
    CHECK_EQ(dlclose(handle), 0);
    say("u");
    return NULL;
}

static void *value_of(bine_greenlet *g)
{
    void *value;
    CHECK_OK(bine_join(g, &value, BINE_FOREVER));
    return value;
}

TEST(hazard_38_a_constructor_that_waits)
{
    begin();
    bine_greenlet *a = bine_spawn(load, "libmeets.so"), *b = bine_spawn(load, "libmeets.so");
    bine_greenlet *c = bine_spawn(load, "libmeets2.so");
    CHECK_OK(bine_sleep(BINE_MS));
    /* b has not been given a library that is not constructed, c has not entered. */
    CHECK_STRING(order, "c");
    CHECK(dlsym(RTLD_DEFAULT, "usleep") != NULL); /* looking up does not wait */
    bine_event_set(opened);
    void *first = value_of(a), *second = value_of(b), *third = value_of(c);
    CHECK_STRING(order, "cCllcCl");
    CHECK_EQ(first, second);
    CHECK_EQ(dlclose(first), 0);
    CHECK_EQ(dlclose(second), 0);
    CHECK_EQ(dlclose(third), 0);
    end();
}

TEST(hazard_38_a_destructor_that_waits)
{
    begin();
    bine_event_set(opened);
    void *handle = load("libmeets.so");
    bine_event_clear(opened);
    order[0] = '\0';
    bine_greenlet *a = bine_spawn(unload, handle), *b = bine_spawn(load, "libmeets.so");
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_STRING(order, "d");
    bine_event_set(opened);
    value_of(a);
    handle = value_of(b);
    CHECK_STRING(order, "dDucCl");
    CHECK_EQ(dlclose(handle), 0);
    end();
}

static void yield_there(const char *where)
{
    (void)where;
    meetings++;
    for (int i = 0; i < 3; i++)
        bine_sleep(0);
}

static void *load_and_unload(void *n)
{
    static const char *const names[] = {"libmeets.so", "libmeets2.so", "libmeets3.so"};
    for (int i = 0; i < 30; i++) {
        void *handle = open_here(names[((long)n + i) % 3], i % 2 ? RTLD_NOW : RTLD_LAZY);
        CHECK(handle != NULL);
        CHECK_EQ(state_of(handle), 1);
        CHECK_OK(bine_sleep(0));
        CHECK_EQ(dlclose(handle), 0);
    }
    return NULL;
}

TEST(hazard_38_many_load_and_unload)
{
    begin();
    meeting_hook = yield_there;
    bine_greenlet *all[4];
    for (long i = 0; i < 4; i++)
        all[i] = bine_spawn(load_and_unload, (void *)i);
    for (int i = 0; i < 4; i++)
        value_of(all[i]);
    CHECK_GT(meetings, 12);
    end();
}

static void load_another(const char *where)
{
    if (*where != 'c' || meetings++)
        return;
    void *handle = open_here("libmeets2.so", RTLD_NOW);
    CHECK(handle != NULL);
    bine_sleep(BINE_MS);
    CHECK_EQ(state_of(handle), 1);
    CHECK_EQ(dlclose(handle), 0);
}

TEST(hazard_38_a_constructor_that_waits_and_loads)
{
    begin();
    meeting_hook = load_another;
    bine_greenlet *a = bine_spawn(load, "libmeets.so"), *b = bine_spawn(load, "libmeets2.so");
    void *first = value_of(a), *second = value_of(b);
    CHECK_EQ(dlclose(first), 0);
    CHECK_EQ(dlclose(second), 0);
    end();
}

/* ---- other threads --------------------------------------------------------------------------- */

struct other {
    pthread_barrier_t parked;
    int turns;
    void *handle;
};

static void *take_turns(void *arg)
{
    struct other *other = arg;
    for (int i = 0; i < 5; i++) {
        bine_sleep(BINE_MS);
        __atomic_fetch_add(&other->turns, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void *load_elsewhere(void *arg)
{
    struct other *other = arg;
    CHECK(bine_hub_get() != NULL);
    bine_libc.pthread_barrier_wait(&other->parked);
    bine_libc.pthread_barrier_wait(&other->parked);
    bine_greenlet *beat = bine_spawn(take_turns, other);
    bine_greenlet *loads = bine_spawn(load, "libmeets2.so");
    value_of(beat);
    other->handle = value_of(loads);
    return NULL;
}

static void run_other(struct other *other)
{
    begin();
    pthread_barrier_init(&other->parked, NULL, 2);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, load_elsewhere, other), 0);
    bine_libc.pthread_barrier_wait(&other->parked);
    bine_greenlet *a = bine_spawn(load, "libmeets.so");
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_STRING(order, "c");
    bine_libc.pthread_barrier_wait(&other->parked);
    while (__atomic_load_n(&other->turns, __ATOMIC_SEQ_CST) < 5)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_STRING(order, "c");
    bine_event_set(opened);
    void *first = value_of(a);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(other->handle != NULL);
    meeting_hook = NULL;
    CHECK_EQ(dlclose(first), 0);
    CHECK_EQ(dlclose(other->handle), 0);
    pthread_barrier_destroy(&other->parked);
    end();
}

/* The greenlets of another thread go on while one of them waits for our constructor. */
TEST(hazard_38_greenlets_of_another_thread)
{
    run_other(&(struct other){.turns = 0});
}

static void nap_as_thread(unsigned milliseconds)
{
    bine_libc.usleep(1000 * milliseconds * harness_slower());
}

static void hold_as_thread(const char *where)
{
    if (*where == 'c' && !bine_hub_here())
        nap_as_thread(100);
}

static void *load_as_thread(void *arg)
{
    struct other *other = arg;
    other->handle = open_here("libmeets.so", RTLD_NOW);
    return NULL;
}

/* A thread without a hub waits in a constructor: the greenlet that loads parks, its thread goes
 * on. */
TEST(hazard_38_a_thread_inside)
{
    begin();
    meeting_hook = hold_as_thread;
    struct other other = {.turns = 0};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, load_as_thread, &other), 0);
    nap_as_thread(20);
    bine_greenlet *a = bine_spawn(load, "libmeets2.so"), *beat = bine_spawn(take_turns, &other);
    value_of(beat);
    CHECK_STRING(order, "");
    void *handle = value_of(a);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(dlclose(handle), 0);
    CHECK_EQ(dlclose(other.handle), 0);
    end();
}

/* ---- the loader's list ----------------------------------------------------------------------- */

static int walk_and_wait(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)info, (void)size;
    int *seen = arg;
    if ((*seen)++ == 0) {
        say("w");
        bine_event_wait(opened, BINE_FOREVER);
        say("W");
    }
    return 0;
}

static void *walk(void *arg)
{
    (void)arg;
    int seen = 0;
    CHECK_EQ(dl_iterate_phdr(walk_and_wait, &seen), 0);
    CHECK_GT(seen, 2);
    return NULL;
}

TEST(hazard_38_a_walk_of_the_objects_that_waits)
{
    begin();
    meeting_hook = NULL;
    bine_greenlet *a = bine_spawn(walk, NULL), *b = bine_spawn(load, "libmeets.so");
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_STRING(order, "w");
    bine_event_set(opened);
    value_of(a);
    void *handle = value_of(b);
    CHECK_STRING(order, "wWl");
    CHECK_EQ(dlclose(handle), 0);
    end();
}

/* ---- look-ups and fork inside ---------------------------------------------------------------- */

static void look_up_there(const char *where)
{
    if (*where != 'c')
        return;
    struct addrinfo *found = NULL;
    meetings++;
    if (getaddrinfo("localhost", "80", NULL, &found) == 0)
        freeaddrinfo(found);
    CHECK(getpwuid(0) != NULL);
}

TEST(hazard_38_a_constructor_that_looks_up_a_name)
{
    begin();
    meeting_hook = look_up_there;
    void *handle = value_of(bine_spawn(load, "libmeets.so"));
    CHECK_EQ(meetings, 1);
    CHECK_EQ(dlclose(handle), 0);
    end();
}

static void check_child(pid_t child)
{
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* The greenlet inside the loader does not exist in the child, which loads all the same. */
TEST(hazard_38_fork_while_a_constructor_waits)
{
    begin();
    bine_greenlet *a = bine_spawn(load, "libmeets.so");
    CHECK_OK(bine_sleep(BINE_MS));
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        meeting_hook = NULL;
        void *handle = open_here("libmeets2.so", RTLD_NOW);
        _exit(handle && state_of(handle) == 1 && dlclose(handle) == 0 ? 0 : 1);
    }
    check_child(child);
    bine_event_set(opened);
    CHECK_EQ(dlclose(value_of(a)), 0);
    end();
}

static void fork_there(const char *where)
{
    if (*where != 'c' || meetings++)
        return;
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        void *handle = open_here("libmeets2.so", RTLD_NOW);
        _exit(handle && dlclose(handle) == 0 ? 0 : 1);
    }
    check_child(child);
}

TEST(hazard_38_fork_in_a_constructor)
{
    begin();
    meeting_hook = fork_there;
    CHECK_EQ(dlclose(value_of(bine_spawn(load, "libmeets.so"))), 0);
    CHECK_GE(meetings, 1);
    end();
}

/* ---- a C++ runtime that comes late ----------------------------------------------------------- */

static int (*late_static)(int (*wait)(void *arg), void *arg, int value);

static int wait_for_opened(void *unused)
{
    (void)unused;
    return bine_event_wait(opened, BINE_FOREVER) == 0;
}

static void *use_late_static(void *value)
{
    return (void *)(intptr_t)late_static(wait_for_opened, NULL, (int)(intptr_t)value);
}

TEST(hazard_39_a_static_of_a_library_that_was_loaded_late)
{
    if (dlsym(RTLD_DEFAULT, "__cxa_guard_acquire"))
        SKIP("this program has a C++ runtime from the beginning");
    begin();
    void *library = open_here("../locks/libcxx.so", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        SKIP("no C++ library was built: %s", dlerror());
    *(void **)&late_static = dlsym(library, "cxx_static");
    bine_greenlet *all[3];
    for (intptr_t i = 0; i < 3; i++)
        all[i] = bine_spawn(use_late_static, (void *)(42 + i));
    CHECK_OK(bine_sleep(BINE_MS));
    bine_event_set(opened);
    for (int i = 0; i < 3; i++)
        CHECK_EQ((intptr_t)value_of(all[i]), 42);
    end();
}

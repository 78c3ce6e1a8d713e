/* Thread-local variables that are greenlet-local: of a C library, of a C++ one, of one that is
 * loaded later; and the locale. */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locks.h"
#include "vars.h"

static struct vars (*here)(void) = vars_here;

static void check_new(struct vars v)
{
    CHECK_EQ(*v.zero, 0);
    CHECK_EQ(*v.first, VARS_FIRST);
    CHECK_STRING(v.text, "text");
    CHECK_EQ(v.text[VARS_TEXT - 1], 0);
}

static void fill(struct vars v, int n)
{
    *v.zero = n;
    *v.first = -n;
    memset(v.text, n, VARS_TEXT);
}

static void check_filled(struct vars v, int n)
{
    CHECK_EQ(*v.zero, n);
    CHECK_EQ(*v.first, -n);
    for (int i = 0; i < VARS_TEXT; i++)
        CHECK_EQ(v.text[i], n);
}

/* Alternates with others by every way in which a greenlet leaves. */
static void *keep_own(void *arg)
{
    int n = (int)(intptr_t)arg;
    struct vars v = here();
    check_new(v);
    bine_sleep(0);
    check_new(v);
    for (int i = 0; i < 4; i++) {
        fill(v, n + i);
        bine_sleep(i % 2 ? 0 : BINE_MS / 10);
        check_filled(v, n + i);
        CHECK(here().text == v.text);
    }
    return NULL;
}

static void *run_and_end(void *arg)
{
    struct vars v = here();
    check_new(v);
    fill(v, 99);
    if (arg)
        bine_exit(NULL);
    return NULL;
}

static void several(void)
{
    bine_greenlet *all[20];
    for (int i = 0; i < 20; i++)
        all[i] = i % 4 == 3 ? bine_spawn(run_and_end, (void *)(intptr_t)(i & 4))
                            : bine_spawn(keep_own, (void *)(intptr_t)(i + 1));
    CHECK_OK(bine_joinall(all, 20, BINE_FOREVER));
}

TEST(hazard_43_variables_of_a_named_library_are_greenlet_local)
{
    bine_getcurrent();
    fill(here(), 50); /* the root's, which is the thread's */
    CHECK_OK(bine_patch_local_tls("libvars.so*"));
    check_filled(here(), 50);
    several();
    check_filled(here(), 50);
    several();
    fill(here(), 51);
    several();
    check_filled(here(), 51);
}

TEST(hazard_43_so_they_are_in_a_simulated_order, .seconds = 60)
{
    setenv("BINE_POLLER", "sim:7", 1);
    CHECK_OK(bine_patch_local_tls("libvars.so*"));
    several();
    check_new(here());
}

static void *rule_within(void *arg)
{
    struct vars v = here();
    check_filled(v, 33);
    CHECK_OK(bine_patch_local_tls("libvars.so*"));
    check_new(v);
    fill(v, 34);
    several();
    check_filled(v, 34);
    return NULL;
}

TEST(hazard_43_what_was_there_stays_the_root_s_although_another_greenlet_made_the_rule)
{
    fill(here(), 33);
    CHECK_OK(bine_join(bine_spawn(rule_within, NULL), NULL, BINE_FOREVER));
    check_filled(here(), 33);
}

/* ---- a library that is loaded later ---------------------------------------------------------- */

static void *open_late(const char *name)
{
    char path[PATH_MAX], file[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    CHECK(length > 0);
    path[length] = '\0';
    snprintf(file, sizeof file, "%s/locks/%s", dirname(path), name);
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        FAIL("%s", dlerror());
    return handle;
}

static void *late;

static void load_late(void)
{
    late = open_late("libvars_late.so");
    *(void **)&here = dlsym(late, "vars_here");
    CHECK(here != NULL);
}

static void *load_and_use(void *arg)
{
    load_late();
    check_new(here());
    fill(here(), 60);
    several();
    check_filled(here(), 60);
    return NULL;
}

TEST(hazard_43_a_rule_holds_for_libraries_that_a_greenlet_loads_later)
{
    CHECK_OK(bine_patch_local_tls("libvars_late.so"));
    CHECK_OK(bine_join(bine_spawn(load_and_use, NULL), NULL, BINE_FOREVER));
    check_new(here());
    CHECK_OK(dlclose(late)); /* it stays: blocks of it are in use */
    several();
}

TEST(hazard_43_a_library_that_has_no_block_on_this_thread_yet_is_exchanged_all_the_same)
{
    load_late();
    CHECK_OK(bine_patch_local_tls("libvars_late.so"));
    several();
    check_new(here());
}

/* ---- threads --------------------------------------------------------------------------------- */

static pthread_barrier_t before, after;

static void *thread_with_hub(void *arg)
{
    if (arg)
        bine_getcurrent();
    fill(here(), 70);
    if (arg)
        bine_sleep(0);
    pthread_barrier_wait(&before);
    pthread_barrier_wait(&after); /* the rule was made */
    if (arg)
        bine_sleep(BINE_MS); /* it looks at its messages */
    check_filled(here(), 70);
    several();
    check_filled(here(), 70);
    return NULL;
}

static void *thread_begun_later(void *arg)
{
    bine_getcurrent();
    check_new(here());
    fill(here(), 71);
    several();
    check_filled(here(), 71);
    return NULL;
}

TEST(hazard_43_threads_keep_their_own_beside_their_greenlets)
{
    pthread_barrier_init(&before, NULL, 3);
    pthread_barrier_init(&after, NULL, 3);
    pthread_t with = real_thread(thread_with_hub, &before),
              without = real_thread(thread_with_hub, NULL);
    pthread_barrier_wait(&before);
    fill(here(), 80);
    CHECK_OK(bine_patch_local_tls("libvars.so*"));
    pthread_barrier_wait(&after);
    several();
    check_filled(here(), 80);
    CHECK_OK(pthread_join(with, NULL));
    CHECK_OK(pthread_join(without, NULL));
    CHECK_OK(pthread_join(real_thread(thread_begun_later, NULL), NULL));
}

/* ---- fork ------------------------------------------------------------------------------------ */

static int child_of(void (*run)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void in_child(void)
{
    check_filled(here(), 21);
    several();
    check_filled(here(), 21);
}

static void *fork_within(void *arg)
{
    fill(here(), 21);
    bine_sleep(0);
    CHECK_EQ(child_of(in_child), 0);
    check_filled(here(), 21);
    return NULL;
}

TEST(hazard_43_a_greenlet_that_forks_keeps_its_variables_in_the_child)
{
    CHECK_OK(bine_patch_local_tls("libvars.so*"));
    fill(here(), 20);
    CHECK_OK(bine_join(bine_spawn(fork_within, NULL), NULL, BINE_FOREVER));
    check_filled(here(), 20);
}

/* ---- what cannot be done --------------------------------------------------------------------- */

TEST(hazard_43_what_must_stay_thread_local_is_refused)
{
    CHECK_ERROR(bine_patch_local_tls(NULL), EINVAL);
    CHECK_ERROR(bine_patch_local_tls("libc.so.6"), ENOTSUP);
    open_late("libvars_none.so");
    CHECK_ERROR(bine_patch_local_tls("libvars_none.so"), ENOTSUP);
    open_late("libvars_huge.so");
    CHECK_ERROR(bine_patch_local_tls("libvars_huge.so"), ENOTSUP);
    CHECK_ERROR(bine_patch_local_tls(""), ENOTSUP); /* the program has Bine in it */
    CHECK_OK(bine_patch_local_tls("not loaded"));
    CHECK_ERROR(bine_patch_local_tls("lib*"), ENOTSUP); /* the others match, too */
    load_late();
    several();
}

/* ---- the locale ------------------------------------------------------------------------------ */

static void *use_locale(void *arg)
{
    locale_t mine = newlocale(LC_ALL_MASK, "C", NULL);
    CHECK(uselocale(NULL) == LC_GLOBAL_LOCALE);
    CHECK(uselocale(mine) == LC_GLOBAL_LOCALE);
    for (int i = 0; i < 3; i++) {
        bine_sleep(0);
        CHECK(uselocale(NULL) == mine);
    }
    if (!arg) {
        CHECK(uselocale(LC_GLOBAL_LOCALE) == mine);
        bine_sleep(0);
        CHECK(uselocale(NULL) == LC_GLOBAL_LOCALE);
    }
    return NULL; /* the locale is left as it is: the next greenlet does not find it */
}

TEST(hazard_95_the_locale_is_each_greenlet_s)
{
    CHECK_OK(bine_patch_thread());
    locale_t roots = newlocale(LC_ALL_MASK, "C", NULL);
    for (int round = 0; round < 2; round++) {
        bine_greenlet *all[6];
        for (int i = 0; i < 6; i++)
            all[i] = bine_spawn(use_locale, (void *)(intptr_t)(i % 2));
        CHECK_OK(bine_joinall(all, 6, BINE_FOREVER));
        CHECK(uselocale(NULL) == (round ? roots : LC_GLOBAL_LOCALE));
        uselocale(roots);
    }
    CHECK(uselocale(NULL) == roots);
}

/* Libraries that bear only so many greenlets inside at once (hazard 10). */
#include <bine.h>
#include <pthread.h>
#include <stdio.h>

#include "patch/common.h"
#include "patch/libraries/affine.h"

enum {
    GREENLETS = 12
};

static void *use_all(void *arg)
{
    long n = (long)arg;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(affine_sum(1, n, 0.5, 2, 3, 4, 5, n, 0.25, "A"), 15.75 + 2 * n + 'A');
        CHECK_EQ(errno, 33);
        struct affine_large large = affine_fill(n);
        for (int j = 0; j < 8; j++)
            CHECK_EQ(large.values[j], n + j);
        CHECK(affine_long_double(n + 0.5L) == 2 * n + 1.0L);
        CHECK_EQ(affine_variable(4, 1.0, 2.0, (double)n, 4.0), 7 + n);
        CHECK_EQ(affine_tail((int)n), n);
    }
    return NULL;
}

static void run_together(bine_run *function)
{
    bine_greenlet *all[GREENLETS];
    affine_reset();
    for (long i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(function, (void *)i);
    CHECK_OK(bine_joinall(all, GREENLETS, BINE_FOREVER));
}

TEST(hazard_10_without_a_limit_calls_interleave)
{
    CHECK_OK(bine_patch_all());
    run_together(use_all);
    CHECK_GT(affine_most, 1);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_10_a_limit_of_one_keeps_them_apart)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    run_together(use_all);
    CHECK_EQ(affine_most, 1);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    run_together(use_all);
    CHECK_GT(affine_most, 1);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_10_a_limit_of_three_lets_three_in)
{
    CHECK_OK(bine_patch_limit("libaffine*", 3)); /* in any order with patching */
    CHECK_OK(bine_patch_all());
    run_together(use_all);
    CHECK_EQ(affine_most, 3);
    CHECK_OK(bine_unpatch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 0));
}

/* ---- who is inside already ------------------------------------------------------------------- */

static void *call_in_again(void *arg)
{
    CHECK_EQ(affine_variable(1, 5.0), 5);
    return arg;
}

static void *call_back_and_in(void *arg)
{
    CHECK_EQ(affine_call_back(call_in_again, arg), arg);
    return NULL;
}

TEST(who_is_inside_may_call_in_again)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    run_together(call_back_and_in);
    CHECK_EQ(affine_most, 1);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    CHECK_OK(bine_unpatch_all());
}

static void *jump_out(void *arg)
{
    jmp_buf where;
    for (volatile int i = 0; i < 3; i++)
        if (setjmp(where) == 0)
            affine_jump(&where);
    CHECK_EQ(affine_variable(1, 6.0), 6);
    return NULL;
}

TEST(leaving_by_longjmp_does_not_shut_the_gate_for_ever)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    run_together(jump_out);
    CHECK_EQ(affine_most, 1);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    CHECK_OK(bine_unpatch_all());
}

static void *end_inside(void *arg)
{
    bine_exit(NULL);
}

static void *call_back_to_end(void *arg)
{
    affine_call_back(end_inside, NULL);
    return NULL;
}

TEST(ending_inside_does_not_shut_the_gate)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    run_together(call_back_to_end);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    CHECK_OK(bine_unpatch_all());
}

static void *use_once(void *arg)
{
    CHECK_EQ(affine_variable(1, 9.0), 9);
    return NULL;
}

TEST(a_killed_greenlet_leaves_the_library_usable)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(use_once, NULL);
    CHECK_OK(bine_sleep(0)); /* the first is inside, the others wait */
    CHECK_OK(bine_kill(all[0]));
    CHECK_OK(bine_kill(all[1]));
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(affine_variable(1, 7.0), 7);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    CHECK_OK(bine_unpatch_all());
}

/* ---- how calls get there --------------------------------------------------------------------- */

static int (*looked_up)(int count, ...);

static void *use_pointer(void *arg)
{
    CHECK_EQ(looked_up(2, 1.0, 2.0), 3);
    return NULL;
}

TEST(functions_that_are_looked_up_are_limited_too)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    looked_up = (int (*)(int, ...))dlsym(RTLD_DEFAULT, "affine_variable");
    CHECK(looked_up != NULL);
    run_together(use_pointer);
    CHECK_EQ(affine_most, 1);
    /* Data is not code. */
    CHECK_EQ(dlsym(RTLD_DEFAULT, "affine_most"), (void *)&affine_most);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    CHECK_EQ(dlsym(RTLD_DEFAULT, "affine_most"), (void *)&affine_most);
    CHECK_OK(bine_unpatch_all());
}

static void *plain_thread(void *arg)
{
    CHECK_EQ(affine_variable(1, 8.0), 8);
    return NULL;
}

TEST(threads_without_a_hub_are_not_limited)
{
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, plain_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
}

TEST(hazard_93_generated_code_is_not_writable_once_it_is_there)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_patch_limit("libaffine*", 1));
    run_together(use_all);
    FILE *maps = fopen("/proc/self/maps", "re");
    CHECK(maps != NULL);
    char line[400], permissions[5];
    int executable = 0, writable = 0;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "bine thunks") && sscanf(line, "%*s %4s", permissions) == 1) {
            executable += strchr(permissions, 'x') != NULL;
            writable += strchr(permissions, 'w') != NULL;
        }
    fclose(maps);
    CHECK_GE(executable, 1);
    CHECK_EQ(writable, 0);
    CHECK_OK(bine_patch_limit("libaffine*", 0));
    CHECK_OK(bine_unpatch_all());
}

TEST(impossible_limits_are_refused)
{
    CHECK_ERROR(bine_patch_limit(NULL, 1), EINVAL);
    CHECK_OK(bine_patch_limit("libno-such-library*", 1));
    CHECK_OK(bine_patch_limit("libno-such-library*", 0));
}

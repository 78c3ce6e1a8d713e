/* Thread-local objects of a C++ library that are greenlet-local: their destructors. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locks.h"
#include "vars.h"

static void *use_both(void *arg)
{
    int id = (int)(intptr_t)arg;
    CHECK_EQ(objects_use(1, id), 1);
    bine_sleep(0);
    CHECK_EQ(objects_use(2, id), 1);
    bine_sleep(0);
    CHECK_EQ(objects_use(1, id), 2);
    return NULL;
}

TEST(hazard_43_destructors_run_at_the_greenlet_s_end_in_reverse_order)
{
    CHECK_OK(bine_patch_local_tls("libobjects.so*"));
    CHECK_OK(bine_join(bine_spawn(use_both, (void *)5), NULL, BINE_FOREVER));
    /* Both are constructed when the first is used. */
    CHECK_STRING(objects_log(), "+1 +2 -2:5 -1:5 ");
    CHECK_EQ(objects_alive(), 0);
}

TEST(hazard_43_each_greenlet_has_objects_of_its_own_and_the_root_too)
{
    bine_greenlet *all[10];
    CHECK_OK(bine_patch_local_tls("libobjects.so*"));
    CHECK_EQ(objects_use(1, 50), 1);
    for (int i = 0; i < 10; i++)
        all[i] = bine_spawn(use_both, (void *)(intptr_t)(i + 1));
    bine_sleep(0);
    CHECK_EQ(objects_alive(), 22);
    CHECK_OK(bine_joinall(all, 10, BINE_FOREVER));
    CHECK_EQ(objects_alive(), 2);
    CHECK_EQ(objects_use(1, 50), 2);
}

static void *thread(void *arg)
{
    CHECK_EQ(objects_use(1, 60), 1);
    if (arg) {
        CHECK_OK(bine_join(bine_spawn(use_both, (void *)61), NULL, BINE_FOREVER));
        CHECK_STRING(objects_log(), "+1 +2 +1 +2 -2:61 -1:61 ");
    } else {
        objects_log();
    }
    CHECK_EQ(objects_use(1, 62), 2);
    return NULL;
}

TEST(hazard_43_those_of_a_thread_are_destroyed_at_its_end)
{
    CHECK_OK(bine_patch_local_tls("libobjects.so*"));
    for (int hub = 0; hub < 2; hub++) {
        CHECK_OK(pthread_join(real_thread(thread, (void *)(intptr_t)hub), NULL));
        CHECK_STRING(objects_log(), "-2:0 -1:62 ");
    }
}

static void *use_and_exit(void *arg)
{
    objects_use(1, 71);
    bine_sleep(0);
    int *reports = arg;
    dup2(reports[1], STDOUT_FILENO);
    exit(0);
}

static void report(void)
{
    const char *text = objects_log();
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

static void expect_report(int *reports, const char *wanted)
{
    char text[200] = "";
    close(reports[1]);
    CHECK_OK(read(reports[0], text, sizeof text - 1));
    CHECK_STRING(text, wanted);
    close(reports[0]);
    CHECK_OK(wait(NULL));
}

TEST(hazard_43_exit_destroys_those_of_the_greenlet_that_calls_it)
{
    int reports[2];
    CHECK_OK(pipe(reports));
    pid_t child = fork();
    if (child == 0) {
        CHECK_OK(bine_patch_local_tls("libobjects.so*"));
        atexit(report); /* after those */
        objects_use(1, 70);
        bine_join(bine_spawn(use_and_exit, reports), NULL, BINE_FOREVER);
    }
    expect_report(reports, "+1 +2 +1 +2 -2:0 -1:71 ");
}

static void *fork_and_exit(void *arg)
{
    int *reports = arg;
    objects_use(1, 81);
    objects_log();
    if (fork() == 0) {
        atexit(report);
        objects_use(1, 82);
        dup2(reports[1], STDOUT_FILENO);
        exit(0);
    }
    expect_report(reports, "-2:0 -1:82 ");
    return NULL;
}

TEST(hazard_43_in_the_child_of_a_greenlet_exit_destroys_what_that_has)
{
    int reports[2];
    CHECK_OK(pipe(reports));
    CHECK_OK(bine_patch_local_tls("libobjects.so*"));
    objects_use(1, 80);
    CHECK_OK(bine_join(bine_spawn(fork_and_exit, reports), NULL, BINE_FOREVER));
    objects_log();
}

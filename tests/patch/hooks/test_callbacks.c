/* Callbacks of libc that wait: other greenlets run meanwhile, and may make the same call. */
#include <bine.h>
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum {
    NUMBERS = 40
};

static int waits;

static void wait_here(void)
{
    waits++;
    usleep(100);
}

static int compare(const void *a, const void *b)
{
    wait_here();
    return *(const int *)a - *(const int *)b;
}

static void *sort_and_search(void *seed)
{
    int numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = (i * 17 + (int)(intptr_t)seed) % 101;
    qsort(numbers, NUMBERS, sizeof *numbers, compare);
    for (int i = 1; i < NUMBERS; i++)
        CHECK_LE(numbers[i - 1], numbers[i]);
    int wanted = numbers[NUMBERS / 3];
    int *found = bsearch(&wanted, numbers, NUMBERS, sizeof *numbers, compare);
    CHECK(found != NULL);
    CHECK_EQ(*found, wanted);
    return NULL;
}

static void run_four(void *(*run)(void *))
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *all[4];
    for (intptr_t i = 0; i < 4; i++)
        all[i] = bine_spawn(run, (void *)i);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_GT(waits, 4);
}

TEST(hazard_38_qsort_and_bsearch_whose_comparison_waits)
{
    run_four(sort_and_search);
}

static void *grow_tree(void *seed)
{
    void *tree = NULL;
    static int numbers[4][NUMBERS];
    int *mine = numbers[(intptr_t)seed];
    for (int i = 0; i < NUMBERS; i++) {
        mine[i] = (i * 17 + (int)(intptr_t)seed) % 101;
        CHECK(tsearch(&mine[i], &tree, compare) != NULL);
    }
    for (int i = 0; i < NUMBERS; i++)
        CHECK(tdelete(&mine[i], &tree, compare) != NULL);
    CHECK_EQ(tree, NULL);
    return NULL;
}

TEST(hazard_38_trees_whose_comparison_waits)
{
    run_four(grow_tree);
}

static char directory[] = "/tmp/bine-callbacks-XXXXXX";

static int visit(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)path, (void)status, (void)type, (void)where;
    wait_here();
    return 0;
}

static int choose(const struct dirent *entry)
{
    wait_here();
    return *entry->d_name == 'f';
}

static int refuse(const char *path, int error)
{
    (void)path, (void)error;
    wait_here();
    return 0;
}

static void *walk(void *unused)
{
    char pattern[sizeof directory + 8];
    snprintf(pattern, sizeof pattern, "%s/f*", directory);
    CHECK_EQ(nftw(directory, visit, 4, FTW_PHYS), 0);
    glob_t found;
    CHECK_EQ(glob(pattern, 0, refuse, &found), 0);
    CHECK_EQ(found.gl_pathc, 5u);
    globfree(&found);
    return unused;
}

static void *scan(void *unused)
{
    struct dirent **names;
    int count = scandir(directory, &names, choose, alphasort);
    CHECK_EQ(count, 5);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return unused;
}

static void run_four_in_directory(void *(*run)(void *))
{
    CHECK(mkdtemp(directory) != NULL);
    char path[sizeof directory + 8];
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/f%d", directory, i);
        FILE *file = fopen(path, "w");
        CHECK(file != NULL);
        fclose(file);
    }
    run_four(run);
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/f%d", directory, i);
        CHECK_EQ(unlink(path), 0);
    }
    CHECK_EQ(rmdir(directory), 0);
}

TEST(hazard_38_walks_of_directories_whose_callback_waits)
{
    run_four_in_directory(walk);
}

TEST(hazard_38_scans_of_directories_whose_callback_waits)
{
    harness_not_under_address_sanitizer("its scandir keeps the callbacks for the thread");
    run_four_in_directory(scan);
}

/* ---- fork's handlers ------------------------------------------------------------------------- */

static int prepared, forked, beats;
static bool beating;

static void prepare(void)
{
    prepared++;
    if (beating)
        usleep(2000);
}

static void parent(void)
{
    forked++;
    if (beating)
        usleep(2000);
}

static void child(void)
{
    if (beating)
        usleep(2000);
}

static void *beat(void *unused)
{
    while (beating) {
        beats++;
        CHECK_OK(bine_sleep(BINE_MS / 4));
    }
    return unused;
}

static void *fork_once(void *unused)
{
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        alarm(10);
        _exit(usleep(1000));
    }
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    return unused;
}

TEST(hazard_38_handlers_of_fork_that_wait)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *g = bine_spawn(beat, NULL);
    CHECK_EQ(pthread_atfork(prepare, parent, child), 0);
    beating = true;
    CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 3; i++)
        fork_once(NULL);
    CHECK_EQ(prepared, 3);
    CHECK_EQ(forked, 3);
    beating = false;
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_GT(beats, 3);
}

/* ---- the end of the process ------------------------------------------------------------------ */

static int report = -1;

static void say_late(void)
{
    usleep(2000); /* others run */
    if (write(report, beats ? "B" : "-", 1) != 1)
        _exit(9);
}

static void say_first(void)
{
    usleep(2000);
    if (write(report, "1", 1) != 1)
        _exit(9);
}

TEST(hazard_38_handlers_of_exit_that_wait)
{
    int fds[2];
    char text[8] = "";
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        alarm(10);
        report = fds[1];
        beating = true;
        CHECK_OK(bine_go(beat, NULL));
        atexit(say_late);
        atexit(say_first);
        exit(0);
    }
    CHECK_EQ(close(fds[1]), 0);
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(read(fds[0], text, sizeof text), 2);
    CHECK_STRING(text, "1B");
    CHECK_EQ(close(fds[0]), 0);
}

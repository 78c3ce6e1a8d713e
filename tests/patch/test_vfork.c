/* vfork's child shares the parent's memory: what it does to its descriptors must not reach the parent's greenlets. */
#include <bine.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static int pair[2];

static void *reads(void *arg)
{
    char c = 0;
    CHECK_EQ(read(pair[0], &c, 1), 1);
    CHECK_EQ(c, 'x');
    return arg;
}

TEST(a_vfork_child_that_closes_descriptors_wakes_nobody)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(pipe(pair));
    bine_greenlet *g = bine_spawn(reads, NULL);
    bine_sleep(BINE_MS);
    for (int i = 0; i < 3; i++) {
        pid_t child = vfork();
        if (child == 0) {
            close(pair[0]);
            dup2(1, pair[0]);
            close(pair[1]);
            execl("/bin/true", "true", (char *)NULL);
            _exit(3);
        }
        CHECK_GT(child, 0);
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        bine_sleep(BINE_MS);
        CHECK(!bine_dead(g));
    }
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(pair[0]);
    close(pair[1]);
}

/* Running out of memory while thread-local variables become greenlet-local, and in a hub that is
 * made afterwards. */
#include <sys/wait.h>
#include <unistd.h>

#include "failing.h"
#include "locks.h"
#include "vars.h"

static void *use(void *arg)
{
    CHECK_EQ(*vars_here().zero, 0);
    *vars_here().zero = (int)(intptr_t)arg;
    bine_sleep(0);
    CHECK_EQ(*vars_here().zero, (int)(intptr_t)arg);
    return NULL;
}

/* Exit statuses; that of a CHECK that fails is another. */
enum {
    STRUCK = 10,
    NOT_STRUCK
};

/* In a process of its own: the rule is made once. */
static int make_the_rule(unsigned n)
{
    bine_getcurrent();
    failing_at(n, false);
    int made = bine_patch_local_tls("libvars.so*"), error = errno;
    bool struck = failing_struck();
    failing_at(0, false);
    if (made < 0) {
        CHECK(struck);
        CHECK_EQ(error, ENOMEM);
        CHECK_OK(bine_patch_local_tls("libvars.so*"));
    }
    bine_greenlet *one = bine_spawn(use, (void *)1), *two = bine_spawn(use, (void *)2);
    CHECK_OK(bine_join(one, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(two, NULL, BINE_FOREVER));
    return struck ? STRUCK : NOT_STRUCK;
}

TEST(hazard_43_a_rule_that_could_not_be_made_can_be_made_again, .seconds = 60)
{
    int status;
    unsigned n = 0;
    do {
        n++;
        pid_t child = fork();
        if (child == 0)
            _exit(make_the_rule(n));
        CHECK_EQ(waitpid(child, &status, 0), child);
    } while (WIFEXITED(status) && WEXITSTATUS(status) == STRUCK);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), NOT_STRUCK);
    CHECK_GT(n, 4u);
}

static void *make_a_hub(void *arg)
{
    bool *failed = arg;
    if (!bine_getcurrent())
        *failed = true;
    return NULL;
}

static void begin_a_thread(void)
{
    pthread_t thread;
    bool failed = false;
    int error = pthread_create(&thread, NULL, make_a_hub, &failed);
    if (!error)
        CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(failing_struck() || (!error && !failed));
}

TEST(hazard_43_a_hub_that_cannot_have_blocks_of_its_own_is_not_made, .seconds = 60)
{
    bine_getcurrent();
    CHECK_OK(bine_patch_local_tls("libvars.so*"));
    CHECK_GT(failing_each(begin_a_thread), 3u);
}

/* A wrapper that stands before libc in the search order, as a preloaded one does: it goes on seeing
 * the calls. */
#include <bine.h>

#include "patch/common.h"

extern int wrapper_calls;

static char order[16];

static void *nap(void *arg)
{
    strcat(order, "a");
    CHECK_EQ(usleep(2000), 0);
    strcat(order, "c");
    return NULL;
}

static void *meanwhile(void *arg)
{
    strcat(order, "b");
    return NULL;
}

static void check(const char *wanted)
{
    order[0] = '\0';
    bine_greenlet *both[] = {bine_spawn(nap, NULL), bine_spawn(meanwhile, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, wanted);
}

TEST(hazard_11_a_wrapper_before_libc_and_patching_do_not_hinder_each_other)
{
    check("acb");
    CHECK_EQ(wrapper_calls, 1);
    CHECK_OK(bine_patch_all());
    check("abc"); /* greenlets step aside: the wrapper has nothing to do */
    CHECK_EQ(wrapper_calls, 1);
    /* Calling around Bine reaches what an ordinary call would reach: the wrapper, and libc by way
     * of it. */
    CHECK_EQ(((int (*)(useconds_t))bine_original("usleep"))(1), 0);
    CHECK_EQ(wrapper_calls, 2);
    CHECK_OK(bine_unpatch_all());
    check("acb");
    CHECK_EQ(wrapper_calls, 3);
}

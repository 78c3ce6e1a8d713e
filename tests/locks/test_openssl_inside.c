/* The error queue of an OpenSSL that is linked into a library statically. */
#include "openssl_inside.h"

#include "locks.h"

static void *fail_and_look(void *reason)
{
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(openssl_inside_take(), 0);
        openssl_inside_raise((int)(intptr_t)reason);
        bine_sleep(0);
        CHECK_EQ(openssl_inside_take(), (int)(intptr_t)reason);
        CHECK_EQ(openssl_inside_take(), 0);
    }
    return NULL;
}

static void fail_in_greenlets(void)
{
    bine_greenlet *all[10];
    for (int i = 0; i < 10; i++)
        all[i] = bine_spawn(fail_and_look, (void *)(intptr_t)(100 + i));
    CHECK_OK(bine_joinall(all, 10, BINE_FOREVER));
}

TEST(hazard_08_each_greenlet_sees_its_own_errors_of_an_openssl_inside_a_library)
{
    CHECK_OK(bine_patch_socket()); /* whatever is patched */
    fail_in_greenlets();
}

TEST(hazard_08_an_openssl_inside_a_library_that_was_used_before)
{
    openssl_inside_raise(7);
    CHECK_EQ(openssl_inside_take(), 7);
    CHECK_OK(bine_patch_socket());
    fail_in_greenlets();
}

/*
 * A program at fixed addresses (not position independent): it lends the addresses of its own jump
 * stubs out as addresses of libc's functions, to every library. And one that comes with functions
 * of its own named like libc's. (Hazards 12 and 13.)
 */
#include <bine.h>
#include <time.h>

#include "patch/common.h"

/* Of the program, not libc's; it is exported, so libraries that call thrd_yield reach it. */
__attribute__((visibility("default"))) int own_calls;
void thrd_yield(void);
__attribute__((visibility("default"))) void thrd_yield(void)
{
    own_calls++;
}

static char order[16];

static void *nap(void *arg)
{
    int (*call)(unsigned) = (int (*)(unsigned))arg;
    strcat(order, "a");
    CHECK_EQ(call(2000), 0);
    strcat(order, "c");
    return NULL;
}

static void *meanwhile(void *arg)
{
    strcat(order, "b");
    return NULL;
}

static int nap_directly(unsigned microseconds)
{
    return usleep(microseconds);
}

/* The address as an immediate operand: at fixed addresses that can only be one in the program
 * itself. */
static int nap_by_address(unsigned microseconds)
{
    int (*volatile address)(useconds_t) = usleep;
    return address(microseconds);
}

static void check(int (*call)(unsigned), const char *wanted)
{
    order[0] = '\0';
    bine_greenlet *both[] = {bine_spawn(nap, (void *)call), bine_spawn(meanwhile, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, wanted);
}

TEST(hazard_12_a_lent_jump_stub_does_not_lead_back_to_the_hook)
{
    const struct library *library = library_of(open_beside("libnow.so", RTLD_NOW));
    int (*volatile address)(useconds_t) = usleep;
    CHECK_NE((void *)address, bine_original("usleep"));
    CHECK_EQ((void *)address, library->address()); /* it is lent to all */
    for (int i = 0; i < 2; i++) {
        check(nap_directly, "acb");
        check(nap_by_address, "acb");
        check(library->nap, "acb");
        CHECK_OK(bine_patch_all());
        check(nap_directly, "abc");
        check(nap_by_address, "abc");
        check(library->nap, "abc");
        /* The original is libc's and not the stub, or calling it would never end. */
        check((int (*)(unsigned))bine_original("usleep"), "acb");
        CHECK_OK(bine_unpatch_all());
    }
}

TEST(hazard_13_a_function_of_the_programs_own_is_left_alone)
{
    void *original = bine_original("thrd_yield");
    CHECK(original != NULL);
    CHECK_NE(original, (void *)thrd_yield);
    CHECK_OK(bine_patch_all());
    thrd_yield();
    CHECK_EQ(own_calls, 1);
    void (*found)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "thrd_yield");
    found();
    CHECK_EQ(own_calls, 2);
    CHECK_OK(bine_unpatch_all());
}

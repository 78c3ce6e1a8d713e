/* An allocator that calls libc, and dlsym, from within: patching must not recurse into itself
 * (hazard 12). */
#include <bine.h>

#include "patch/common.h"

extern unsigned long own_malloc_calls;

static void *allocate(void *arg)
{
    for (int i = 0; i < 100; i++) {
        void *volatile memory = malloc(100);
        CHECK(memory != NULL);
        free(memory);
    }
    return NULL;
}

TEST(hazard_12_an_allocator_that_calls_what_is_patched)
{
    if (SANITIZED)
        SKIP("the sanitizer's allocator comes first");
    harness_not_under_valgrind("its allocator comes first");
    CHECK_GT(own_malloc_calls, 0);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(bine_patch_all());
        bine_greenlet *all[] = {bine_spawn(allocate, NULL), bine_spawn(allocate, NULL)};
        CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
        void *handle = open_beside("libnow.so", RTLD_NOW);
        CHECK_EQ(dlclose(handle), 0);
        CHECK_OK(bine_unpatch_all());
    }
}

static void *patch_and_unpatch(void *arg)
{
    for (int i = 0; i < 20; i++) {
        CHECK_OK(bine_unpatch(BINE_PATCH_SIGNAL));
        CHECK_OK(bine_patch(BINE_PATCH_SIGNAL));
    }
    return NULL;
}

static void *load_and_unload(void *arg)
{
    for (int i = 0; i < 20; i++)
        CHECK_EQ(dlclose(open_beside("libnow.so", RTLD_NOW)), 0);
    return NULL;
}

/* An allocator that sleeps is called in the middle of patching and of dlopen: others may not run
 * there. */
TEST(hazard_12_patching_is_not_put_aside)
{
    if (SANITIZED)
        SKIP("the sanitizer's allocator comes first");
    harness_not_under_valgrind("its allocator comes first");
    CHECK_OK(bine_patch_all());
    bine_greenlet *all[] = {bine_spawn(patch_and_unpatch, NULL), bine_spawn(load_and_unload, NULL),
                            bine_spawn(load_and_unload, NULL), bine_spawn(allocate, NULL)};
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_12_originals_are_there_before_any_constructor_of_a_program)
{
    /* Set by a constructor of this program, see below. */
    extern void *original_at_start;
    CHECK(original_at_start != NULL);
    CHECK_EQ(original_at_start, bine_original("read"));
}

void *original_at_start;

__attribute__((constructor)) static void at_start(void)
{
    original_at_start = bine_original("read");
}

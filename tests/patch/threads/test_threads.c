/* Several threads load and unload libraries while others patch, unpatch and call. */
#include <bine.h>
#include <pthread.h>
#include <stdatomic.h>

#include "patch/common.h"

static const char *const files[] = {"liblazy.so", "libnow.so", "libnoplt.so", "libsysv.so"};
static atomic_bool done;

static void *load_and_unload(void *arg)
{
    char path[8192];
    snprintf(path, sizeof path, "%s", (const char *)arg);
    long loads = 0;
    while (!atomic_load(&done)) {
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!handle)
            return NULL;
        const struct library *library = dlsym(handle, "library");
        if (!library || library->nap(0) != 0 || dlclose(handle) != 0)
            return NULL;
        loads++;
    }
    return (void *)(loads + 1);
}

TEST(threads_load_and_unload_while_patched, .seconds = 60)
{
    static char paths[4][8192];
    pthread_t threads[4];
    harness_not_under_emulator(
        "threads that load and unload crash it or hang, without Bine as well");
    CHECK_OK(bine_patch_all());
    for (int i = 0; i < 4; i++) {
        snprintf(paths[i], sizeof paths[i], "%s", beside(files[i]));
        CHECK_EQ(pthread_create(&threads[i], NULL, load_and_unload, paths[i]), 0);
    }
    CHECK_OK(bine_sleep(500 * BINE_MS));
    for (int i = 0; i < 5; i++) {
        CHECK_OK(bine_unpatch(BINE_PATCH_TIME));
        CHECK_OK(bine_patch_all());
        CHECK_OK(bine_sleep(20 * BINE_MS));
    }
    atomic_store(&done, true);
    for (int i = 0; i < 4; i++) {
        void *loads;
        CHECK_EQ(pthread_join(threads[i], &loads), 0);
        CHECK_NE(loads, NULL);
    }
    CHECK_OK(bine_unpatch_all());
}

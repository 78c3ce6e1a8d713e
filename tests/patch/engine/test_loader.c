/*
 * A hooked dlopen must not change which caller the loader sees (hazard 35): the caller's RUNPATH
 * and $ORIGIN, RTLD_NEXT and namespaces resolve as they did before.
 */
#include <bine.h>
#include <link.h>
#include <unistd.h>

#include "patch/common.h"
#include "patch/table/table.h"

static const char *path_of(void *handle)
{
    struct link_map *map = NULL;
    CHECK_EQ(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
    return map->l_name;
}

TEST(hazard_35_runpath_of_the_caller)
{
    if (SANITIZED)
        SKIP("the sanitizer's own dlopen hides the caller");
    const struct library *library = library_of(open_beside("librunpath.so", RTLD_NOW));
    CHECK_EQ(dlopen("libplugin.so", RTLD_NOW), NULL); /* the program has no such path */
    void *handle = library->load("libplugin.so", RTLD_NOW);
    CHECK(handle != NULL);
    char before[4096];
    snprintf(before, sizeof before, "%s", path_of(handle));
    CHECK_EQ(library->unload(handle), 0);

    CHECK_OK(bine_patch_all());
    CHECK_EQ(dlopen("libplugin.so", RTLD_NOW), NULL);
    handle = library->load("libplugin.so", RTLD_NOW);
    CHECK(handle != NULL);
    CHECK_STRING(path_of(handle), before);
    int (*nap)(unsigned) = (int (*)(unsigned))library->look_up(handle, "plugin_nap");
    CHECK(nap != NULL);
    CHECK_EQ(nap(1), 0);
    CHECK_EQ(library->unload(handle), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_35_origin_of_the_caller)
{
    if (SANITIZED)
        SKIP("the sanitizer's own dlopen hides the caller");
    const struct library *library = library_of(open_beside("liblazy.so", RTLD_NOW));
    CHECK_OK(bine_patch_all());
    void *handle = library->load("$ORIGIN/plugins/libplugin.so", RTLD_NOW);
    if (!handle)
        FAIL("%s", dlerror());
    CHECK_EQ(library->unload(handle), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_35_a_constructor_that_loads_another)
{
    if (SANITIZED)
        SKIP("the sanitizer's own dlopen hides the caller");
    CHECK_OK(bine_patch_all());
    void *nested = open_beside("libnested.so", RTLD_NOW);
    void *(*plugin)(void) = (void *(*)(void))dlsym(nested, "nested_plugin");
    CHECK(plugin != NULL);
    CHECK(plugin() != NULL);
    /* What came along is patched as well. */
    int (*nap)(unsigned) = (int (*)(unsigned))dlsym(plugin(), "plugin_nap");
    CHECK_EQ(nap(1), 0);
    void *wanted = dlsym(plugin(), "usleep");
    CHECK_EQ(wanted, (void *)hook_usleep);
    CHECK_EQ(dlclose(nested), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_35_next_of_the_caller)
{
    const struct library *library = library_of(open_beside("liblazy.so", RTLD_NOW));
    void *wrapper = open_beside("libwrapper.so", RTLD_NOW);
    int *calls = dlsym(wrapper, "wrapper_calls");
    int (*usleep_of_wrapper)(useconds_t) = (int (*)(useconds_t))dlsym(wrapper, "usleep");
    void *next_before = library->look_up(RTLD_NEXT, "dlsym");
    CHECK_OK(bine_patch_all());
    /* A request for the next one is never led to a hook: the wrapper would find itself again. */
    CHECK_EQ(library->look_up(RTLD_NEXT, "dlsym"), next_before);
    CHECK_EQ(dlsym(wrapper, "usleep"), (void *)usleep_of_wrapper);
    CHECK_EQ(usleep_of_wrapper(1), 0);
    CHECK_EQ(*calls, 1);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_35_namespaces)
{
    if (SANITIZED)
        SKIP("the sanitizer's own dlopen hides the caller");
    const struct library *library = library_of(open_beside("librunpath.so", RTLD_NOW));
    CHECK_OK(bine_patch_all());
    void *handle = library->load_into(LM_ID_NEWLM, "libplugin.so", RTLD_NOW);
    if (!handle)
        FAIL("%s", dlerror());
    Lmid_t space = LM_ID_BASE;
    CHECK_EQ(dlinfo(handle, RTLD_DI_LMID, &space), 0);
    CHECK_NE(space, LM_ID_BASE);
    int (*nap)(unsigned) = (int (*)(unsigned))dlsym(handle, "plugin_nap");
    CHECK_EQ(nap(1), 0);
    /* It has a libc of its own, and so an errno of its own: its calls stay with that. */
    void *its_own = dlsym(handle, "usleep");
    CHECK(its_own != NULL);
    CHECK_NE(its_own, (void *)hook_usleep);
    CHECK_NE(its_own, bine_original("usleep"));
    void *in_base = library->load_into(LM_ID_BASE, "libplugin.so", RTLD_NOW);
    CHECK(in_base != NULL);
    CHECK_EQ(dlsym(in_base, "usleep"), (void *)hook_usleep);
    CHECK_EQ(dlclose(in_base), 0);
    CHECK_EQ(dlclose(handle), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(failures_of_the_loader_are_reported_as_before)
{
    char before[512];
    errno = 0;
    CHECK_EQ(dlopen("libdoes-not-exist.so", RTLD_NOW), NULL);
    snprintf(before, sizeof before, "%s", dlerror());
    CHECK_OK(bine_patch_all());
    CHECK_EQ(dlopen("libdoes-not-exist.so", RTLD_NOW), NULL);
    CHECK_STRING(dlerror(), before);
    CHECK_EQ(dlerror(), NULL);
    CHECK_EQ(dlsym(RTLD_DEFAULT, "no_such_symbol"), NULL);
    CHECK(dlerror() != NULL);
    CHECK_EQ(dlvsym(RTLD_DEFAULT, "usleep", "NO_SUCH_VERSION"), NULL);
    CHECK(dlerror() != NULL);
    void *self = dlopen(NULL, RTLD_NOW);
    CHECK(self != NULL);
    CHECK_EQ(dlsym(self, "usleep"), (void *)hook_usleep);
    CHECK_EQ(dlclose(self), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(errno_survives_a_successful_load)
{
    CHECK_OK(bine_patch_all());
    errno = 77;
    void *handle = dlopen(beside("liblazy.so"), RTLD_NOW | RTLD_NOLOAD);
    int before = errno;
    (void)handle;
    errno = before;
    handle = open_beside("liblazy.so", RTLD_NOW);
    errno = 77;
    CHECK(dlsym(handle, "library") != NULL);
    CHECK_EQ(errno, 77);
    CHECK(dlsym(RTLD_DEFAULT, "usleep") != NULL);
    CHECK_EQ(errno, 77);
    CHECK_EQ(dlclose(handle), 0);
    CHECK_EQ(errno, 77);
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(errno, 77);
}

/* Loading takes a good deal of stack and the loader's lock: greenlets may do it, and others
 * meanwhile. */
static void *load_and_nap(void *arg)
{
    for (int i = 0; i < 10; i++) {
        void *handle = dlopen(beside("libnested.so"), RTLD_NOW);
        CHECK(handle != NULL);
        CHECK_OK(bine_sleep(0));
        CHECK_EQ(dlclose(handle), 0);
        CHECK_OK(bine_sleep(0));
    }
    return NULL;
}

TEST(greenlets_load_libraries)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(load_and_nap, NULL);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_OK(bine_unpatch_all());
}

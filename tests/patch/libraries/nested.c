/* A library whose constructor loads another. */
#include <dlfcn.h>
#include <stddef.h>

static void *plugin;

__attribute__((constructor)) static void load_another(void)
{
    plugin = dlopen("libplugin.so", RTLD_NOW);
}

__attribute__((visibility("default"))) void *nested_plugin(void);
__attribute__((visibility("default"))) void *nested_plugin(void)
{
    return plugin;
}

__attribute__((destructor)) static void unload_it(void)
{
    if (plugin)
        dlclose(plugin);
}

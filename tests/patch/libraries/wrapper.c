/* A preloaded wrapper in the usual manner: its own function, and the next one of that name for the
 * rest. */
#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>

__attribute__((visibility("default"))) int wrapper_calls;

__attribute__((visibility("default"))) int usleep(useconds_t microseconds)
{
    static int (*next)(useconds_t);
    if (!next)
        next = (int (*)(useconds_t))dlsym(RTLD_NEXT, "usleep");
    wrapper_calls++;
    return next ? next(microseconds) : -1;
}

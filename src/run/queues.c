/*
 * Queues that a program shares with the kernel: an io_uring, or libaio's context. Waits for them
 * are system calls inside liburing and libaio, which would stop all threads. So making one fails as
 * on a kernel that has none, and programs fall back on other calls. Bine's own io_uring passes.
 *
 * These functions stand before those of the libraries, because this library is preloaded.
 */
#include <bine.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#define STANDS_BEFORE __attribute__((visibility("default")))

STANDS_BEFORE int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
STANDS_BEFORE int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters);

STANDS_BEFORE int io_setup(int events, void *context);

/* Is that return address in libbine? */
static bool calls_for_bine(const void *caller)
{
    Dl_info here, bine;
    return dladdr(caller, &here) && dladdr((void *)bine_hub_get, &bine) &&
           here.dli_fbase == bine.dli_fbase;
}

int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
    int (*original)(unsigned, void *, unsigned);
    if (!calls_for_bine(__builtin_return_address(0)))
        return -ENOSYS;
    *(void **)&original = dlsym(RTLD_NEXT, "io_uring_queue_init");
    return original ? original(entries, ring, flags) : -ENOSYS;
}

int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters)
{
    int (*original)(unsigned, void *, void *);
    if (!calls_for_bine(__builtin_return_address(0)))
        return -ENOSYS;
    *(void **)&original = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
    return original ? original(entries, ring, parameters) : -ENOSYS;
}

/* libaio's. */
int io_setup(int events, void *context)
{
    (void)events, (void)context;
    return -ENOSYS;
}

/*
 * Hooks of the loader. An object that is loaded later is patched before the program can call it,
 * and pointers that are looked up by name lead to the hooks, too. See loader.h.
 *
 * A library's constructors run inside dlopen, before anything could be patched. So their calls are
 * libc's own.
 */
#include "loader.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "core/schedule/exceptions.h"
#include "patch/engine/engine.h"
#include "patch/engine/limit.h"
#include "patch/engine/loading.h"
#include "patch/engine/variant.h"
#include "patch/locals/local_tls.h"
#include "patch/table/hook.h"

/* A processor that keeps a second copy of return addresses would not let a function return to where
 * it was not called from. */
static bool returns_are_checked(void)
{
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum {
        SHADOW_STACK_STATUS = 0x5005
    }; /* ARCH_SHSTK_STATUS, Linux 6.6 */
    unsigned long status = 0;
    return syscall(SYS_arch_prctl, SHADOW_STACK_STATUS, &status) == 0 && status != 0;
#else
    return false; /* the guarded control stack of aarch64 is not known to any libc that we run on */
#endif
}

/* A return instruction in the object that `caller` lies in; NULL: the loader has to see us as the
 * caller. */
static void *return_in_object_of(void *caller)
{
    if (returns_are_checked())
        return NULL;
    bine_engine_lock();
    void *gadget = bine_engine_return_in(caller);
    bine_engine_unlock();
    return gadget;
}

/* Failing to patch what was loaded is not the caller's failure; every later call tries again. */
static void follow(void)
{
    int saved = errno;
    bine_engine_lock();
    (void)bine_engine_follow();
    bine_engine_unlock();
    errno = saved;
}

/* A library was loaded. The first that is C++ brings what exceptions need; looking for it leaves a
 * message in the loader that is not the caller's: after success there was none. */
static void loaded(void *handle)
{
    if (!handle) {
        follow();
        return;
    }
    int saved = errno;
    bine_libc_resolve_cxx();
    follow();
    bine_local_tls_follow();
    bine_exceptions_find();
    (void)dlerror();
    errno = saved;
}

void *hook_dlopen(const char *file, int flags)
{
    int saved = errno;
    void *gadget = return_in_object_of(__builtin_return_address(0));
    errno = saved;
    enum bine_loading inside = bine_loading_begin();
    if (inside == BINE_LOADING_REFUSED)
        return NULL;
    void *handle =
        gadget ? bine_call_as(gadget, (void *)bine_libc.dlopen, file, (void *)(intptr_t)flags, NULL)
               : bine_libc.dlopen(file, flags);
    loaded(handle);
    bine_loading_end(inside);
    return handle;
}

void *hook_dlmopen(Lmid_t space, const char *file, int flags)
{
    int saved = errno;
    void *gadget = return_in_object_of(__builtin_return_address(0));
    errno = saved;
    enum bine_loading inside = bine_loading_begin();
    if (inside == BINE_LOADING_REFUSED)
        return NULL;
    void *handle = gadget ? bine_call_as(gadget, (void *)bine_libc.dlmopen, (void *)(intptr_t)space,
                                         file, (void *)(intptr_t)flags)
                          : bine_libc.dlmopen(space, file, flags);
    loaded(handle);
    bine_loading_end(inside);
    return handle;
}

int hook_dlclose(void *handle)
{
    enum bine_loading inside = bine_loading_begin();
    if (inside == BINE_LOADING_REFUSED)
        return -1;
    int result = bine_libc.dlclose(handle);
    follow();
    bine_loading_end(inside);
    return result;
}

int hook_dl_iterate_phdr(int (*callback)(struct dl_phdr_info *info, size_t size, void *data),
                         void *data)
{
    return bine_loading_walk(callback, data);
}

/* What the program gets for what the loader found: the hook if it is libc's function of that name,
 * the gate if it belongs to a limited library. */
static void *translate(const struct bine_symbol *symbol, void *found)
{
    bine_engine_lock();
    if (found && symbol && bine_engine_is_libcs(symbol, found))
        found = bine_variant_hook(symbol, false);
    else if (found && bine_limit_any())
        found = bine_engine_limited(found);
    bine_engine_unlock();
    return found;
}

/* Is the symbol to be looked up our way? *symbol is its row, if it has one. RTLD_NEXT asks for
 * what comes after the caller: that wraps the function itself, and would call itself through our
 * hook. */
static bool ours(const void *handle, const char *name, const struct bine_symbol **symbol)
{
    *symbol = NULL;
    if (handle == RTLD_NEXT || !name)
        return false;
    const struct bine_symbol *row = bine_symbol_find(name);
    if (row && bine_hook_active(row->family) && *row->original)
        *symbol = row;
    return *symbol || bine_limit_any();
}

struct bine_looked_up bine_loader_dlsym(void *handle, const char *name, void *caller)
{
    int saved = errno;
    const struct bine_symbol *symbol;
    bine_loading_await();
    if (!ours(handle, name, &symbol))
        return (struct bine_looked_up){NULL, (void *)bine_libc.dlsym};
    void *gadget = return_in_object_of(caller);
    errno = saved;
    void *found = gadget ? bine_call_as(gadget, (void *)bine_libc.dlsym, handle, name, NULL)
                         : bine_libc.dlsym(handle, name);
    return (struct bine_looked_up){translate(symbol, found), NULL};
}

struct bine_looked_up bine_loader_dlvsym(void *handle, const char *name, const char *version,
                                         void *caller)
{
    int saved = errno;
    const struct bine_symbol *symbol;
    bine_loading_await();
    if (!ours(handle, name, &symbol))
        return (struct bine_looked_up){NULL, (void *)bine_libc.dlvsym};
    void *gadget = return_in_object_of(caller);
    errno = saved;
    void *found = gadget ? bine_call_as(gadget, (void *)bine_libc.dlvsym, handle, name, version)
                         : bine_libc.dlvsym(handle, name, version);
    return (struct bine_looked_up){translate(symbol, found), NULL};
}

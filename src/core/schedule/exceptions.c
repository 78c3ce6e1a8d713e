/* The known C++ runtimes, and what the records after the first hold. See exceptions.h. */
#include "exceptions.h"

#include <bine/cpp/runtime.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>

#include "core/hub/own.h"
#include "libc/libc.h"

typedef void *get_globals(void);

/* From the front; none is ever taken out. */
static get_globals *_Atomic runtimes[BINE_CXX_RUNTIMES];
static atomic_bool found_by_name;
atomic_uint bine_exceptions_runtimes;

/* A thread that fills a place has seen those before it filled, so that many are there by the time
 * it counts. */
static int add(get_globals *get)
{
    for (size_t i = 0; i < BINE_CXX_RUNTIMES; i++) {
        get_globals *there = NULL;
        if (atomic_compare_exchange_strong(&runtimes[i], &there, get)) {
            atomic_fetch_add(&bine_exceptions_runtimes, 1);
            return 0;
        }
        if (there == get)
            return 0;
    }
    return ENOSPC;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* A C++ runtime loaded with a library (RTLD_LOCAL) is not in the global scope: ask for it by
 * name. */
static void *find_runtime(void)
{
    static const char *const names[] = {"libstdc++.so.6", "libc++abi.so.1"};
    void *found = bine_libc.dlsym(RTLD_DEFAULT, "__cxa_get_globals");
    for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++) {
        void *handle = bine_libc.dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD);
        if (handle)
            found = bine_libc.dlsym(handle, "__cxa_get_globals");
    }
    return found;
}

void bine_exceptions_find(void)
{
    if (!atomic_load(&found_by_name)) {
        get_globals *found = NULL;
        *(void **)&found = find_runtime();
        if (found && add(found) == 0)
            atomic_store(&found_by_name, true);
    }
    struct bine_hub *hub = bine_hub_here();
    if (hub)
        bine_exceptions_follow(hub);
}

/* The switch calls into what it holds, and reads its variables, for good: it must stay. */
static int pin(get_globals *get)
{
    Dl_info info;
    struct link_map *map;
    if (!dladdr1(*(void **)&get, &info, (void **)&map, RTLD_DL_LINKMAP))
        return EINVAL;
    if (!map->l_name || *map->l_name == '\0')
        return 0; /* the program */
    if (bine_libc.dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE))
        return 0;
    (void)dlerror();
    return ENOMEM;
}

int bine_cxx_runtime_add(void *(*globals)(void))
{
    int saved = errno;
    bine_libc_resolve();
    int error = globals ? pin(globals) : EINVAL;
    if (!error)
        error = add(globals);
    if (error) {
        errno = error;
        return -1;
    }
    struct bine_hub *hub = bine_hub_here();
    if (hub)
        bine_exceptions_follow(hub);
    errno = saved;
    return 0;
}

/* ---- a hub's runtimes ---- */

/* The same runtime may be there by two addresses: a program that is not position independent has a
 * stub of its own for it. */
static bool knows(const struct bine_hub *hub, const struct bine_exception_globals *globals)
{
    bool known = hub->exception_globals == globals;
    for (unsigned i = 0; i < hub->further; i++)
        known |= hub->further_globals[i] == globals;
    return known;
}

/* The greenlet that asks may have a thread pointer of its own. */
static struct bine_exception_globals *globals_of_carrier(struct bine_hub *hub, get_globals *get)
{
#if BINE_ARCH_THREADS
    const struct bine_own *own = hub->owns ? bine_own_of(hub->current) : NULL;
    if (own) {
        bine_arch_set_thread_pointer(hub->thread_pointer);
        struct bine_exception_globals *globals = get();
        bine_arch_set_thread_pointer(own->thread_pointer);
        return globals;
    }
#endif
    (void)hub;
    return get();
}

void bine_exceptions_update(struct bine_hub *hub)
{
    unsigned count = atomic_load_explicit(&bine_exceptions_runtimes, memory_order_acquire);
    for (; hub->runtimes < count; hub->runtimes++) {
        struct bine_exception_globals *globals =
            globals_of_carrier(hub, atomic_load(&runtimes[hub->runtimes]));
        if (!hub->exception_globals)
            hub->exception_globals = globals;
        else if (!knows(hub, globals))
            hub->further_globals[hub->further++] = globals;
    }
    hub->attended = hub->around || hub->exception_globals;
    hub->exchanging |= hub->further > 0;
}

void bine_exceptions_leave(struct bine_hub *hub, struct bine_exceptions_away *away)
{
    away->count = hub->further;
    for (unsigned i = 0; i < away->count; i++)
        away->globals[i] = *hub->further_globals[i];
    bine_exceptions_drop(hub);
}

void bine_exceptions_return(struct bine_hub *hub, const struct bine_exceptions_away *away)
{
    for (unsigned i = 0; i < away->count; i++)
        *hub->further_globals[i] = away->globals[i];
}

void bine_exceptions_drop(struct bine_hub *hub)
{
    for (unsigned i = 0; i < hub->further; i++)
        *hub->further_globals[i] = (struct bine_exception_globals){0};
}

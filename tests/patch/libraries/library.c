/*
 * A library that knows nothing of Bine and reaches libc in every way a compiler knows. Built
 * several times, with different flags (see meson.build). It counts on nothing but being loaded.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "library.h"

typedef int nap_function(useconds_t microseconds);

/* Addresses in data: one table that the loader closes after relocation, one that stays open. */
static nap_function *const closed_table[] = {usleep};
static nap_function *open_table[] = {usleep};

static int nap(useconds_t microseconds)
{
    return usleep(microseconds);
}

static void *address(void)
{
    return (void *)usleep;
}

static void *from_closed_table(void)
{
    nap_function *const volatile *entry = closed_table;
    return (void *)*entry;
}

static void *from_open_table(void)
{
    nap_function *volatile *entry = open_table;
    return (void *)*entry;
}

static void set_open_table(void *function)
{
    open_table[0] = (nap_function *)function;
}

static void *look_up(void *handle, const char *name)
{
    void *found = dlsym(handle, name);
    /* Something after the call, so that it is a call and not a jump. */
    __asm__ volatile("" ::"r"(found));
    return found;
}

static void *look_up_version(void *handle, const char *name, const char *version)
{
    void *found = dlvsym(handle, name, version);
    __asm__ volatile("" ::"r"(found));
    return found;
}

static void *load(const char *file, int flags)
{
    void *handle = dlopen(file, flags);
    __asm__ volatile("" ::"r"(handle));
    return handle;
}

static void *load_into(long space, const char *file, int flags)
{
    void *handle = dlmopen(space, file, flags);
    __asm__ volatile("" ::"r"(handle));
    return handle;
}

__attribute__((visibility("default"))) const struct library library = {
    .nap = nap,
    .address = address,
    .from_closed_table = from_closed_table,
    .from_open_table = from_open_table,
    .set_open_table = set_open_table,
    .look_up = look_up,
    .look_up_version = look_up_version,
    .load = load,
    .load_into = load_into,
    .unload = dlclose,
};

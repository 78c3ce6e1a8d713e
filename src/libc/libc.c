/* Fills the table of originals. See libc.h. */
#include "libc.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

struct bine_libc bine_libc;

/* Where the main program lies, so that a function of its own is told from libc's. */
static uintptr_t program_start, program_end;

static void find_program(void)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    uintptr_t bias = 0;
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_PHDR)
            bias = (uintptr_t)headers - headers[i].p_vaddr;
    program_start = UINTPTR_MAX;
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type != PT_LOAD)
            continue;
        uintptr_t start = bias + headers[i].p_vaddr;
        if (start < program_start)
            program_start = start;
        if (start + headers[i].p_memsz > program_end)
            program_end = start + headers[i].p_memsz;
    }
}

static bool in_program(const void *address)
{
    return (uintptr_t)address >= program_start && (uintptr_t)address < program_end;
}

/* A sanitizer that is linked into the program has its interceptors there: those are to be
 * called. */
static bool program_holds_interceptors(void)
{
    static const char *const marks[] = {"__asan_init", "__tsan_init", "__msan_init",
                                        "__ubsan_default_options"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        void *found = dlsym(RTLD_DEFAULT, marks[i]);
        if (found && in_program(found))
            return true;
    }
    return false;
}

/*
 * What an ordinary call would reach: libc's function, or that of a preloaded library or a sanitizer
 * before it. Not what the main program offers under that name: a function of its own that happens
 * to be called `connect` is not libc's, and the address may also be a jump stub that a program with
 * fixed addresses lends out as the function's address; it leads through a slot that we shall patch,
 * so calling it would never end.
 */
static void *original(const char *name, void *libc, void *pthread, bool interceptors)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found || !in_program(found) || interceptors)
        return found;
    void *in_libc = libc ? dlsym(libc, name) : NULL;
    if (!in_libc && pthread)
        in_libc = dlsym(pthread, name);
    return in_libc;
}

void bine_libc_resolve(void)
{
    if (bine_libc.read)
        return;
    find_program();
    bool interceptors = program_holds_interceptors();
    /* Handles of what is loaded anyway; before glibc 2.34 threads were a library of their own. */
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *pthread = dlopen("libpthread.so.0", RTLD_LAZY | RTLD_NOLOAD);
#define BINE_LIBC(family, name) \
    *(void **)&bine_libc.name = original(#name, libc, pthread, interceptors);
#include "libc.def"
#undef BINE_LIBC
    /* Names that only old programs may use (__res_query) are hidden from us, and older versions of
     * libc have no others: they are the same function. */
#define BINE_LIBC(family, name)
#define BINE_LIBC_AS(family, name, like)                       \
    if (!bine_libc.name)                                       \
        *(void **)&bine_libc.name = *(void **)&bine_libc.like; \
    else if (!bine_libc.like)                                  \
        *(void **)&bine_libc.like = *(void **)&bine_libc.name;
#include "libc.def"
#undef BINE_LIBC
}

static void take_guards_of(void *handle)
{
    void *acquire = bine_libc.dlsym(handle, "__cxa_guard_acquire"),
         *release = bine_libc.dlsym(handle, "__cxa_guard_release");
    void *abort = bine_libc.dlsym(handle, "__cxa_guard_abort");
    if (!acquire || !release || !abort || in_program(acquire))
        return;
    *(void **)&bine_libc.__cxa_guard_release = release;
    *(void **)&bine_libc.__cxa_guard_abort = abort;
    *(void **)&bine_libc.__cxa_guard_acquire = acquire;
}

void bine_libc_resolve_cxx(void)
{
    static const char *const runtimes[] = {"libstdc++.so.6", "libc++abi.so.1"};
    if (!bine_libc.__cxa_guard_acquire)
        take_guards_of(RTLD_DEFAULT);
    for (size_t i = 0; !bine_libc.__cxa_guard_acquire && i < sizeof runtimes / sizeof *runtimes;
         i++) {
        void *handle = bine_libc.dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
        if (handle)
            take_guards_of(handle);
    }
}

/* 101: the first priority open to users, so that other constructors may already spawn. */
__attribute__((constructor(101))) static void resolve_at_load(void)
{
    bine_libc_resolve();
}

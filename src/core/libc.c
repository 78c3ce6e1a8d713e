/* Resolves the table of originals. See libc.h. */
#include "libc.h"

#include <dlfcn.h>
#include <stddef.h>

struct bine_libc bine_libc;

void bine_libc_resolve(void)
{
    if (bine_libc.read)
        return;
    /* RTLD_DEFAULT finds what an ordinary call would: libc, or a preloaded interposer or sanitizer before it. */
#define BINE_LIBC(family, name) *(void **)&bine_libc.name = dlsym(RTLD_DEFAULT, #name);
#include "libc.def"
#undef BINE_LIBC
}

/* 101: the first priority open to users, so that other constructors may already spawn. */
__attribute__((constructor(101))) static void resolve_at_load(void)
{
    bine_libc_resolve();
}

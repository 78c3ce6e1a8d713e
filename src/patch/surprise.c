/* The families that cannot be patched here. See surprise.h. */
#include "surprise.h"

#include <bine/patch.h>
#include <stdatomic.h>
#include <stddef.h>

#include "io/stdio/stdio_surprise.h"
#include "libc/libc.h"
#include "locks/surprise.h"

/* Families that are as expected. */
static atomic_uint tried;

static int try_out(unsigned families, unsigned which, int (*surprise)(const char **what),
                   const char **what)
{
    if (!(families & which & ~atomic_load(&tried)))
        return 0;
    int error = surprise(what);
    if (!error)
        atomic_fetch_or(&tried, which);
    return error;
}

int bine_patch_surprise(unsigned families, const char **what)
{
    *what = NULL;
    bine_libc_resolve();
    int error =
        try_out(families, BINE_PATCH_THREAD | BINE_PATCH_SEMAPHORE, bine_locks_surprise, what);
    return error ? error : try_out(families, BINE_PATCH_STDIO, bine_stdio_surprise, what);
}

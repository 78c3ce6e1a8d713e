/* Does the program run under valgrind? It sees and allows less than the kernel does. */
#ifndef BINE_LIBC_VALGRIND_H
#define BINE_LIBC_VALGRIND_H

#include <stdbool.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

static inline bool bine_under_valgrind(void)
{
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

#endif

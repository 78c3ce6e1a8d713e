/*
 * What the tables of stdio hooks are made of. Most hooks of this family only choose between two
 * calls, so a hook is a row:
 *
 *     STDIO_HOOK(int, getc, (FILE *file), bine_stdio_getc(hub, file, false), (file))
 *
 * A row has the type of the result, the symbol, its parameters, the call that a greenlet makes
 * instead, in which `hub` is the greenlet's hub, and the arguments for libc's own function.
 */
#ifndef BINE_PATCH_HOOKS_HOOKS_STDIO_H
#define BINE_PATCH_HOOKS_HOOKS_STDIO_H

#include <stdarg.h>

#include "patch/table/hook.h"

#define STDIO_HOOK(type, symbol, parameters, greenlet_call, libc_arguments) \
    type hook_##symbol parameters                                           \
    {                                                                       \
        struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);            \
        return hub ? greenlet_call : bine_libc.symbol libc_arguments;       \
    }

/* A fortified form. libc makes its check: where that would fail, `room` is false. */
#define STDIO_HOOK_CHECKED(type, symbol, parameters, room, greenlet_call, libc_arguments) \
    type hook_##symbol parameters                                                         \
    {                                                                                     \
        struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);                          \
        if (!hub || !(room))                                                              \
            return bine_libc.symbol libc_arguments;                                       \
        return greenlet_call;                                                             \
    }

/* The form of printf or scanf with dots: `call` is the hook that takes `arguments`, a va_list. */
#define STDIO_HOOK_DOTS(symbol, parameters, call) \
    int hook_##symbol parameters                  \
    {                                             \
        va_list arguments;                        \
        va_start(arguments, format);              \
        int result = call;                        \
        va_end(arguments);                        \
        return result;                            \
    }

/* The four forms of scanf that one standard has, by glibc's symbols: what %s, %a and the like mean
 * differs by the standard that the caller was compiled for. `character` is the type of the format,
 * and scan(function, file, format, arguments) the function of this file that chooses. */
#define STDIO_HOOKS_SCAN(vfscanf, vscanf, fscanf, scanf, character, scan)      \
    int hook_##vfscanf(FILE *file, const character *format, va_list arguments) \
    {                                                                          \
        return scan(bine_libc.vfscanf, file, format, arguments);               \
    }                                                                          \
    int hook_##vscanf(const character *format, va_list arguments)              \
    {                                                                          \
        return scan(bine_libc.vfscanf, stdin, format, arguments);              \
    }                                                                          \
    STDIO_HOOK_DOTS(fscanf, (FILE * file, const character *format, ...),       \
                    scan(bine_libc.vfscanf, file, format, arguments))          \
    STDIO_HOOK_DOTS(scanf, (const character *format, ...),                     \
                    scan(bine_libc.vfscanf, stdin, format, arguments))

#endif

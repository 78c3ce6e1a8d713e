/*
 * The table of patched symbols: libc.def (the one list) as data, looked up by name, and the
 * prototypes of all hooks.
 */
#ifndef BINE_PATCH_TABLE_TABLE_H
#define BINE_PATCH_TABLE_TABLE_H

#include <bine/patch.h>
#include <stddef.h>

#include "libc/declarations.h"

/* Families that programs do not name. They come along with others. */
enum {
    BINE_PATCH_LOADER = 1 << 16, /* dlopen dlsym ...: with every family */
    /* socket close dup fcntl ...: with those that keep records of descriptors */
    BINE_PATCH_DESCRIPTOR = 1 << 17,
    /* pthread_getspecific ...: likewise, in the objects that rules choose */
    BINE_PATCH_LOCAL_KEYS = 1 << 18,
    /* pthread_create pthread_self ...: with thread, in the objects that rules choose */
    BINE_PATCH_GREENLETS = 1 << 19,
    BINE_PATCH_THREAD_OR_GREENLETS = BINE_PATCH_THREAD | BINE_PATCH_GREENLETS,
    BINE_PATCH_CONFINE = 1 << 22, /* setfsuid unshare ...: with every family */
    /* syscall: with every family, but for objects that rules.c knows */
    BINE_PATCH_SYSCALL = 1 << 23,
    /* sigaction signal ...: with every family; in a handler no greenlet parks */
    BINE_PATCH_HANDLERS = 1 << 24,
    BINE_PATCH_SIGNAL_OR_HANDLERS = BINE_PATCH_SIGNAL | BINE_PATCH_HANDLERS,
    /* pthread_cond_wait and timedwait: with thread; see interpreter.h */
    BINE_PATCH_INTERPRETER = 1 << 21,
    /* __cxa_thread_atexit_impl: while thread-local variables are greenlet-local */
    BINE_PATCH_LOCAL_TLS = 1 << 25,
    /* calls that may wait for a peer or for a disk */
    BINE_PATCH_SOCKET_OR_FILE = BINE_PATCH_SOCKET | BINE_PATCH_FILE,
    BINE_PATCH_THREAD_OR_INTERPRETER = BINE_PATCH_THREAD | BINE_PATCH_INTERPRETER,
};

struct bine_symbol {
    const char *name;
    unsigned family;
    void *hook;
    void **original; /* its place in bine_libc; NULL there: this libc has no such function */
};

/* Returns the row of a patched symbol, or NULL. Any thread; async-signal-safe. */
const struct bine_symbol *bine_symbol_find(const char *name);

/* All rows. */
extern const struct bine_symbol bine_symbols[];
extern const size_t bine_symbol_count;

/* Returns the families to patch for those that the program named: these and the inner ones that
 * they need. */
unsigned bine_families_with_inner(unsigned families);

/* Every hook has the signature of the function that it replaces. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define BINE_LIBC(family, name) __typeof__(name) hook_##name;
#define BINE_LIBC_AS(family, name, like)
#define BINE_LIBC_ORIGINAL(family, name)
#include "libc/libc.def"
#undef BINE_LIBC
#pragma GCC diagnostic pop

#endif

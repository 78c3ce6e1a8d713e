/*
 * The C library as it was before anything was patched: bine_libc.recv is libc's recv.
 *
 * Every libc function that can be patched is called through this table and by no other way inside the runtime,
 * so that Bine never runs into its own hooks, not even when it is linked statically into a patched program. The
 * table is filled by a constructor before the first slot can be written (hazard 12).
 */
#ifndef BINE_LIBC_LIBC_H
#define BINE_LIBC_LIBC_H

#include "declarations.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
struct bine_libc {
#define BINE_LIBC(family, name) __typeof__(name) *name;
#include "libc.def"
#undef BINE_LIBC
};
#pragma GCC diagnostic pop

/* Entries of functions that this libc does not have are NULL. */
extern struct bine_libc bine_libc;

/* Fill the table; called by the constructor, idempotent. */
void bine_libc_resolve(void);

/* The same for the functions of the C++ runtime, which may be loaded late or out of the global scope: look again if they were not
 * found yet. Takes the loader's lock. */
void bine_libc_resolve_cxx(void);

#endif

/*
 * The C library as it was before anything was patched: bine_libc.recv is libc's recv.
 *
 * Inside the runtime every libc function that can be patched is called through this table and by no
 * other way. So Bine never runs into its own hooks, not even when it is linked statically into a
 * patched program. A constructor fills the table before the first slot can be written (hazard 12).
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

/* Fills the table. The constructor calls it. A second call changes nothing. */
void bine_libc_resolve(void);

/* Does the same for the functions of the C++ runtime. That runtime may be loaded late, or outside
 * the global scope, so each call looks again for the functions that were not found before. Takes
 * the loader's lock. */
void bine_libc_resolve_cxx(void);

#endif

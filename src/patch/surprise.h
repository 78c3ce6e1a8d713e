/* Which families cannot be patched, since this C library keeps inside what Bine reads and writes in another way. */
#ifndef BINE_PATCH_SURPRISE_H
#define BINE_PATCH_SURPRISE_H

/* Can these families (or-ed BINE_PATCH_*) be patched? 0; or ENOTSUP, and *what is the first thing that is not as expected:
 * a constant string; or ENOMEM, EMFILE and the like if it could not be tried out. What is as expected is tried out once
 * in a process. Any thread. */
int bine_patch_surprise(unsigned families, const char **what);

#endif

/* The families that cannot be patched, because this C library keeps in another way what Bine reads
 * and writes inside it. */
#ifndef BINE_PATCH_SURPRISE_H
#define BINE_PATCH_SURPRISE_H

/* Can these families (or-ed BINE_PATCH_*) be patched? Returns 0, or ENOTSUP. Then *what is a
 * constant string that names the first thing that is not as expected. Returns ENOMEM, EMFILE and
 * the like if that could not be tried out. Things that are as expected are tried out once in a
 * process. Any thread. */
int bine_patch_surprise(unsigned families, const char **what);

#endif

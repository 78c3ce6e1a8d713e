/*
 * Finds the place in an object's code to which a function may return, so that it believes to have
 * been called from that object. See loader.h.
 */
#ifndef BINE_PATCH_ELF_RETURN_SITE_H
#define BINE_PATCH_ELF_RETURN_SITE_H

/* Returns a return instruction within [start, end), which must be readable code, or NULL if there
 * is none. */
void *bine_return_site_find(const unsigned char *start, const unsigned char *end);

#endif

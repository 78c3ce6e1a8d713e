/*
 * Where, in some object's code, a function may return to so that it believes to have been called from that object. See
 * loader.h.
 */
#ifndef BINE_PATCH_ELF_RETURN_SITE_H
#define BINE_PATCH_ELF_RETURN_SITE_H

/* A return instruction within [start, end), which must be readable code; NULL if there is none. */
void *bine_return_site_find(const unsigned char *start, const unsigned char *end);

#endif

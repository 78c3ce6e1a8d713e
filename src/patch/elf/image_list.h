/*
 * All objects that are loaded now, in every namespace. They cannot change while they are looked at.
 */
#ifndef BINE_PATCH_ELF_IMAGE_LIST_H
#define BINE_PATCH_ELF_IMAGE_LIST_H

#include "image.h"

/* Calls work(arg) while no other thread can add objects to the loader's lists or take them off.
 * `work` may not load, unload or look up symbols through the loader: another thread may hold its
 * other lock and wait for this one. Returns what `work` returned. */
int bine_images_hold(int (*work)(void *arg), void *arg);

/* Within `work`: calls visit for each object until it returns non-zero. Returns that. */
int bine_images_walk(int (*visit)(const struct bine_image *object, void *arg), void *arg);

/* How often objects were added to and removed from the loader's lists so far. A change means that a
 * walk is due. Only of the namespace in which Bine is. */
void bine_images_changes(unsigned long long *added, unsigned long long *removed);

#endif

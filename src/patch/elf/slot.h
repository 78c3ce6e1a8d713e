/*
 * Writing slots: a set of changes is made as a whole or not at all. Pages that are closed (RELRO) are opened for it
 * and closed again as they were.
 */
#ifndef BINE_PATCH_ELF_SLOT_H
#define BINE_PATCH_ELF_SLOT_H

#include <stdbool.h>
#include <stddef.h>

struct bine_change {
    void **slot;
    void *from; /* what the slot must hold for the change to be made */
    void *to;
    int protection; /* of its page now: PROT_* */
    bool closes;    /* the loader closes this page after relocation: open it even if it is writable now */
    bool made;      /* after bine_changes_make: it was; if not, the slot held something else by then */
};

struct bine_changes {
    struct bine_change *list;
    size_t count, room;
};

/* 0, or ENOMEM. */
int bine_changes_add(struct bine_changes *changes, struct bine_change change);
void bine_changes_free(struct bine_changes *changes);

/* Make them all (in the order of addresses; the list is sorted by that afterwards and holds each slot once). 0, or an
 * error number with every slot and page as before: ENOMEM (the kernel has no room to split a mapping), EPERM (it does
 * not allow a page to be written). */
int bine_changes_make(struct bine_changes *changes);

/* The change of this slot, or NULL; after bine_changes_make only. */
const struct bine_change *bine_changes_find(const struct bine_changes *changes, void *const *slot);

#endif

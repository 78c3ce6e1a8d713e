/*
 * Writing slots. A set of changes is made as a whole or not at all. Pages that are closed (RELRO)
 * are opened for it and closed again as they were.
 */
#ifndef BINE_PATCH_ELF_SLOT_H
#define BINE_PATCH_ELF_SLOT_H

#include <stdbool.h>
#include <stddef.h>

struct bine_change {
    void **slot;
    void *from; /* what the slot must hold for the change to be made */
    void *to;
    int protection; /* the protection of its page now: PROT_* */
    /* The loader closes this page after relocation. So it must be opened even if it is writable
     * now. */
    bool closes;
    /* Valid after bine_changes_make: the change was made. If not, the slot held something else by
     * then. */
    bool made;
};

struct bine_changes {
    struct bine_change *list;
    size_t count, room;
};

/* Returns 0, or ENOMEM. */
int bine_changes_add(struct bine_changes *changes, struct bine_change change);
void bine_changes_free(struct bine_changes *changes);

/* Makes all changes in the order of addresses. Afterwards the list is sorted by address and holds
 * each slot once. Returns 0, or an error number with every slot and page as before: ENOMEM (the
 * kernel has no room to split a mapping), EPERM (it does not allow a page to be written). */
int bine_changes_make(struct bine_changes *changes);

/* Returns the change of this slot, or NULL. Only after bine_changes_make. */
const struct bine_change *bine_changes_find(const struct bine_changes *changes, void *const *slot);

#endif

/*
 * The relocations of an object that hold the address of a function by name: each is a place through which the object
 * reaches it. RELR tables and relative relocations name no symbol and are of no interest.
 */
#ifndef BINE_PATCH_ELF_RELOCATION_H
#define BINE_PATCH_ELF_RELOCATION_H

#include "image.h"

enum bine_relocation_kind {
    BINE_RELOCATION_JUMP, /* a call through the procedure linkage table, perhaps bound at the first call only */
    BINE_RELOCATION_LOAD, /* the address is loaded from the global offset table (-fno-plt, function pointers) */
    BINE_RELOCATION_DATA, /* the address stands in the object's data, and the program may write it */
};

struct bine_relocation {
    void **slot;
    const char *name;
    enum bine_relocation_kind kind;
    size_t symbol;     /* its index in the object's table */
    bool defined_here; /* the object itself defines a function of that name */
};

/* Call visit for each; stop when it returns non-zero and return that. */
int bine_relocations_walk(const struct bine_image *object,
                          int (*visit)(const struct bine_relocation *relocation, void *arg), void *arg);

#endif

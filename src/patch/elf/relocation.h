/*
 * The relocations of an object that hold the address of a function by name. Each is a place through
 * which the object reaches that function. RELR tables and relative relocations name no symbol and
 * are left out.
 */
#ifndef BINE_PATCH_ELF_RELOCATION_H
#define BINE_PATCH_ELF_RELOCATION_H

#include "image.h"

enum bine_relocation_kind {
    /* a call through the procedure linkage table, perhaps bound at the first call only */
    BINE_RELOCATION_JUMP,
    /* the address is loaded from the global offset table (-fno-plt, function pointers) */
    BINE_RELOCATION_LOAD,
    BINE_RELOCATION_DATA, /* the address stands in the object's data, which the program may write */
};

struct bine_relocation {
    void **slot;
    const char *name;
    enum bine_relocation_kind kind;
    size_t symbol;     /* its index in the object's table */
    bool defined_here; /* the object itself defines a function of that name */
};

/* Calls visit for each. Stops when it returns non-zero, and returns that. */
int bine_relocations_walk(const struct bine_image *object,
                          int (*visit)(const struct bine_relocation *relocation, void *arg),
                          void *arg);

#endif

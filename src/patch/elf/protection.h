/*
 * How each page is protected now, as the kernel says: opened pages are closed again exactly as they were.
 */
#ifndef BINE_PATCH_ELF_PROTECTION_H
#define BINE_PATCH_ELF_PROTECTION_H

#include <stddef.h>
#include <stdint.h>

struct bine_mapping {
    uintptr_t start, end;
    int protection; /* PROT_* */
};

struct bine_protections {
    struct bine_mapping *list; /* by address */
    size_t count, room;
};

/* Read /proc/self/maps; writable, private memory that is neither read-only nor executable matters little here, but all
 * is kept. An unreadable /proc gives an empty list and no error. 0, or ENOMEM. */
int bine_protections_read(struct bine_protections *protections);
void bine_protections_free(struct bine_protections *protections);

/* PROT_* of the page that holds `address`, or -1 if it is not known. */
int bine_protection_of(const struct bine_protections *protections, uintptr_t address);

#endif

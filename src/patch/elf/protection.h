/*
 * How each page is protected now, as the kernel says. So pages that were opened are closed again
 * exactly as they were.
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

/* Reads /proc/self/maps. Only some mappings matter: writable, private memory that is neither
 * read-only nor executable does not. But all are kept. An unreadable /proc gives an empty list and
 * no error. Returns 0, or ENOMEM. */
int bine_protections_read(struct bine_protections *protections);
void bine_protections_free(struct bine_protections *protections);

/* Returns PROT_* of the page that holds `address`, or -1 if it is not known. */
int bine_protection_of(const struct bine_protections *protections, uintptr_t address);

#endif

/*
 * Where an address of code lies: object and function. It is read from /proc/self/maps and from the
 * files of the objects. The loader is not asked, because the thread that is looked at may hold the
 * loader's lock.
 */
#ifndef BINE_CORE_WATCH_PLACE_H
#define BINE_CORE_WATCH_PLACE_H

#include <stdbool.h>
#include <stdint.h>

/* The mappings of the process at one moment. */
struct bine_maps {
    char *text; /* NULL: they could not be read */
};

struct bine_place {
    char object[256];   /* the path of the file, or "[vdso]"; empty if it is not known */
    char function[128]; /* empty if the file names none */
    uintptr_t offset;   /* from the function's beginning, else from the object's */
};

void bine_maps_read(struct bine_maps *maps);
void bine_maps_free(struct bine_maps *maps);

/* Finds the place of an address. Returns false, with nothing filled in, if no code is mapped
 * there. */
bool bine_place_find(const struct bine_maps *maps, uintptr_t address, struct bine_place *place);

/* Is code mapped at the address? */
bool bine_place_is_code(const struct bine_maps *maps, uintptr_t address);

/* Returns the last part of an object's path. */
const char *bine_place_base(const char *object);

#endif

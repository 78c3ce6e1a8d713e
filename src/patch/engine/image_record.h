/*
 * What is remembered of each loaded object: which of its slots hold a hook, and what these held
 * before.
 */
#ifndef BINE_PATCH_ENGINE_IMAGE_RECORD_H
#define BINE_PATCH_ENGINE_IMAGE_RECORD_H

#include "patch/elf/image.h"

struct bine_slot_record {
    void **slot;
    void *old;
};

/* Objects are told apart by where they lie and by their file, because another object may get the
 * same address. */
struct bine_image_record {
    struct bine_image_record *next;
    uintptr_t base, start, end;
    const void *dynamic;
    struct bine_slot_record *slots; /* by address once sorted */
    size_t count, room;
    /* the engine's epoch when the object was scanned; 0: it is to be scanned again */
    unsigned epoch;
    bool system;    /* a part of the C library, or an object that stands before it */
    bool unchanged; /* belongs to the engine while a walk is under way */
    void *gadget;   /* see bine_image_record_return_site; (void *)-1: there is none */
    struct {
        uintptr_t start, end;
    } code; /* one executable segment */
    char path[];
};

/* Returns a record without slots, or NULL if there is no memory. */
struct bine_image_record *bine_image_record_new(const struct bine_image *object);
void bine_image_records_free(struct bine_image_record *first);

/* Returns the record in the list that is of this object (of the same object as this record), or
 * NULL. */
struct bine_image_record *bine_image_record_of(struct bine_image_record *first,
                                               const struct bine_image *object);
struct bine_image_record *bine_image_record_like(struct bine_image_record *first,
                                                 const struct bine_image_record *record);

/* Returns 0, or ENOMEM. */
int bine_image_record_add(struct bine_image_record *record, void **slot, void *old);
void bine_image_record_sort(struct bine_image_record *record);
void bine_image_record_remove(struct bine_image_record *record, size_t index);
/* Moves the slots over. `from` has none afterwards. */
void bine_image_record_take_slots(struct bine_image_record *record, struct bine_image_record *from);
/* Looks in a sorted record. Returns NULL if the slot is not there, or the record is NULL. */
const struct bine_slot_record *bine_image_record_find(const struct bine_image_record *record,
                                                      void **slot);

/* Returns the address of a return instruction in the object's code (loader.h says for what), or
 * NULL. */
void *bine_image_record_return_site(struct bine_image_record *record);

#endif

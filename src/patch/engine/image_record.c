/* Records of objects. See image_record.h. */
#include "image_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libc/libc.h"
#include "patch/elf/return_site.h"

struct bine_image_record *bine_image_record_new(const struct bine_image *object)
{
    size_t length = strlen(object->path) + 1;
    struct bine_image_record *record = calloc(1, sizeof *record + length);
    if (!record)
        return NULL;
    memcpy(record->path, object->path, length);
    record->base = object->base;
    record->start = object->start;
    record->end = object->end;
    record->dynamic = object->dynamic;
    for (size_t i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        if (header->p_type == PT_LOAD && (header->p_flags & (PF_X | PF_R)) == (PF_X | PF_R)) {
            record->code.start = object->base + header->p_vaddr;
            record->code.end = record->code.start + header->p_filesz;
        }
    }
    return record;
}

void bine_image_records_free(struct bine_image_record *first)
{
    while (first) {
        struct bine_image_record *next = first->next;
        free(first->slots);
        free(first);
        first = next;
    }
}

struct bine_image_record *bine_image_record_of(struct bine_image_record *first,
                                               const struct bine_image *object)
{
    for (; first; first = first->next)
        if (first->base == object->base && first->dynamic == object->dynamic &&
            strcmp(first->path, object->path) == 0)
            return first;
    return NULL;
}

struct bine_image_record *bine_image_record_like(struct bine_image_record *first,
                                                 const struct bine_image_record *record)
{
    for (; first; first = first->next)
        if (first->base == record->base && first->dynamic == record->dynamic &&
            strcmp(first->path, record->path) == 0)
            return first;
    return NULL;
}

int bine_image_record_add(struct bine_image_record *record, void **slot, void *old)
{
    if (record->count == record->room) {
        size_t room = record->room ? 2 * record->room : 16;
        struct bine_slot_record *slots = realloc(record->slots, room * sizeof *slots);
        if (!slots)
            return ENOMEM;
        record->slots = slots;
        record->room = room;
    }
    record->slots[record->count++] = (struct bine_slot_record){slot, old};
    return 0;
}

static int by_slot(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct bine_slot_record *)a)->slot;
    uintptr_t right = (uintptr_t)((const struct bine_slot_record *)b)->slot;
    return left < right ? -1 : left > right;
}

void bine_image_record_sort(struct bine_image_record *record)
{
    if (record->count == 0)
        return;
    qsort(record->slots, record->count, sizeof *record->slots, by_slot);
    /* A slot that two tables list is one slot. */
    size_t kept = 1;
    for (size_t i = 1; i < record->count; i++)
        if (record->slots[i].slot != record->slots[kept - 1].slot)
            record->slots[kept++] = record->slots[i];
    record->count = kept;
}

void bine_image_record_remove(struct bine_image_record *record, size_t index)
{
    record->count--;
    memmove(&record->slots[index], &record->slots[index + 1],
            (record->count - index) * sizeof *record->slots);
}

void bine_image_record_take_slots(struct bine_image_record *record, struct bine_image_record *from)
{
    record->slots = from->slots;
    record->count = from->count;
    record->room = from->room;
    from->slots = NULL;
    from->count = from->room = 0;
}

const struct bine_slot_record *bine_image_record_find(const struct bine_image_record *record,
                                                      void **slot)
{
    size_t low = 0, high = record ? record->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (record->slots[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return record && low < record->count && record->slots[low].slot == slot ? &record->slots[low]
                                                                            : NULL;
}

void *bine_image_record_return_site(struct bine_image_record *record)
{
    if (!record->gadget) {
        void *found = bine_return_site_find((const unsigned char *)record->code.start,
                                            (const unsigned char *)record->code.end);
        record->gadget = found ? found : (void *)-1;
    }
    return record->gadget == (void *)-1 ? NULL : record->gadget;
}

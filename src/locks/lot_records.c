/*
 * The memory of records comes straight from the kernel, because malloc may hold the very mutex.
 * Slabs are kept for ever. A process has as many records as the most locks that it ever held at
 * once. See lot_records.h.
 */
#include "lot_records.h"

#include <sys/mman.h>

#include "libc/spin.h"

enum {
    SLAB_SIZE = 64 * 1024
};

static struct bine_lot_record *free_records;
static struct bine_spin free_records_lock;

void bine_lot_lock_records(void)
{
    bine_spin_lock(&free_records_lock);
}

void bine_lot_unlock_records(void)
{
    bine_spin_unlock(&free_records_lock);
}

static struct bine_lot_record *new_record(void)
{
    bine_lot_lock_records();
    if (!free_records) {
        struct bine_lot_record *slab =
            mmap(NULL, SLAB_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (slab != MAP_FAILED) {
            for (size_t i = 0; i < SLAB_SIZE / sizeof *slab; i++) {
                slab[i].next = free_records;
                free_records = &slab[i];
            }
        }
    }
    struct bine_lot_record *record = free_records;
    if (record)
        free_records = record->next;
    bine_lot_unlock_records();
    return record;
}

void bine_lot_free(struct bine_lot_record *record)
{
    bine_lot_lock_records();
    record->next = free_records;
    free_records = record;
    bine_lot_unlock_records();
}

struct bine_lot_record *bine_lot_find(struct bine_lot_bucket *bucket, const void *address,
                                      enum bine_lot_record_kind kind)
{
    struct bine_lot_record *record = bucket->records;
    while (record && (record->address != address || record->kind != kind))
        record = record->next;
    return record;
}

struct bine_lot_record *bine_lot_add(struct bine_lot_bucket *bucket, const void *address,
                                     enum bine_lot_record_kind kind)
{
    struct bine_lot_record *record = new_record();
    if (!record)
        return NULL;
    *record = (struct bine_lot_record){
        .next = bucket->records, .address = address, .kind = (uint8_t)kind};
    bucket->records = record;
    return record;
}

void bine_lot_take(struct bine_lot_bucket *bucket, struct bine_lot_record *record)
{
    struct bine_lot_record **link = &bucket->records;
    while (*link != record)
        link = &(*link)->next;
    *link = record->next;
}

void bine_lot_remove(struct bine_lot_bucket *bucket, struct bine_lot_record *record)
{
    bine_lot_take(bucket, record);
    bine_lot_free(record);
}

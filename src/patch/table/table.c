/* libc.def as data. See table.h. */
#include "table.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "libc/libc.h"

/* Another name for a function must have the same type, or its hook would be called wrongly. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define BINE_LIBC(family, name)
#define BINE_LIBC_AS(family, name, like)                                             \
    _Static_assert(__builtin_types_compatible_p(__typeof__(name), __typeof__(like)), \
                   #name " is not like " #like);
#define BINE_LIBC_ORIGINAL(family, name)
#include "libc/libc.def"
#undef BINE_LIBC
#pragma GCC diagnostic pop

const struct bine_symbol bine_symbols[] = {
#define BINE_LIBC(family, name) \
    {#name, BINE_PATCH_##family, (void *)hook_##name, (void **)&bine_libc.name},
#define BINE_LIBC_AS(family, name, like) \
    {#name, BINE_PATCH_##family, (void *)hook_##like, (void **)&bine_libc.name},
#define BINE_LIBC_ORIGINAL(family, name)
#include "libc/libc.def"
#undef BINE_LIBC
};
const size_t bine_symbol_count = sizeof bine_symbols / sizeof *bine_symbols;

/* Open addressing, at most a quarter full. Entries are row numbers plus one. The first thread
 * builds it: two threads that build it at once write the same values. */
enum {
    BUCKETS = 4096
};
_Static_assert(sizeof bine_symbols / sizeof *bine_symbols < BUCKETS / 4, "more buckets are needed");
static _Atomic(uint16_t) buckets[BUCKETS];
static atomic_bool built;

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash ^ hash >> 15;
}

static void build(void)
{
    for (size_t row = 0; row < bine_symbol_count; row++) {
        uint32_t place = hash_of(bine_symbols[row].name) % BUCKETS;
        for (;; place = (place + 1) % BUCKETS) {
            uint16_t taken = atomic_load_explicit(&buckets[place], memory_order_relaxed);
            if (taken == row + 1)
                break;
            if (taken == 0) {
                /* Rows are entered in order, so that two builders agree on each place. */
                uint16_t empty = 0;
                if (atomic_compare_exchange_strong(&buckets[place], &empty, (uint16_t)(row + 1)) ||
                    empty == row + 1)
                    break;
            }
        }
    }
    atomic_store_explicit(&built, true, memory_order_release);
}

const struct bine_symbol *bine_symbol_find(const char *name)
{
    if (!atomic_load_explicit(&built, memory_order_acquire))
        build();
    uint32_t place = hash_of(name) % BUCKETS;
    for (;; place = (place + 1) % BUCKETS) {
        uint16_t row = atomic_load_explicit(&buckets[place], memory_order_relaxed);
        if (row == 0)
            return NULL;
        if (strcmp(bine_symbols[row - 1].name, name) == 0)
            return &bine_symbols[row - 1];
    }
}

unsigned bine_families_with_inner(unsigned families)
{
    unsigned keep_records =
        BINE_PATCH_SOCKET | BINE_PATCH_SELECT | BINE_PATCH_FILE | BINE_PATCH_STDIO;
    unsigned all = families;
    if (families & keep_records)
        all |= BINE_PATCH_DESCRIPTOR;
    if (families & BINE_PATCH_THREAD)
        all |= BINE_PATCH_SEMAPHORE | BINE_PATCH_GREENLETS | BINE_PATCH_INTERPRETER;
    if (families)
        all |= BINE_PATCH_LOADER | BINE_PATCH_LOCAL_KEYS | BINE_PATCH_CONFINE | BINE_PATCH_SYSCALL |
               BINE_PATCH_HANDLERS;
    return all;
}

/*
 * Slabs, classes and the pool. See stack.h. guard.c makes the guards.
 *
 *   slab:  | guard | usable ....... top | guard | usable ....... top | ...   64 stacks at most
 *
 * Neighbouring slabs have equal flags, so the kernel merges them into one mapping.
 *
 * A frame that is larger than the guard steps over it and writes into the neighbour's stack.
 * OpenBLAS has frames of more than a megabyte. Only code that was built with
 * -fstack-clash-protection touches each page on its way. A wide guard catches such frames, too.
 * Made by mprotect it needs no page table, but it splits the mapping. Made of marked pages it costs
 * an entry of the page table for each. So the guards of large stacks, and those of the first stacks
 * of the usual size, are wide as long as the process can spare mappings. The others are narrow
 * (docs/design.md, docs/performance.md).
 */
#include "stack.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guard.h"
#include "libc/free.h"
#include "libc/layout.h"

enum {
    SMALLEST_SHIFT = 14, /* 16 KiB */
    DEFAULT_SIZE = 256 * 1024,
    SLAB_STACKS = BINE_GUARDS_AT_ONCE,
    SLAB_BYTES = 16 * 1024 * 1024,
    /* Tops are staggered by cache lines: stacks lie a power of two apart, so without this the first
     * frames of all of them would compete for the same few cache sets. */
    COLOURS = 16,
    COLOUR_BYTES = 64,
    /* Of stacks with room above: how much of the page that holds the top is below it, and how far
     * they are staggered. A C greenlet that waits in a library's call has used one to two KiB. */
    ROOM_BELOW = 2560,
    ROOM_COLOURS = 8,
    KEEP = 64, /* free stacks never trimmed */
};
enum {
    WIDE_GUARD = 2 * 1024 * 1024,
    WIDE_MOST = 4096,       /* in a process: 8,192 mappings of the 65,530 that it may have */
    WIDE_FROM = 256 * 1024, /* a spawner that asks for smaller stacks wants them close together */
    LARGE_FROM = 1024 * 1024,
    WIDE_FIRST = 256, /* of the stacks that are not large, in each pool */
};

/* Wide guards in the process. */
static _Atomic size_t wide_guards;
#define TRIM_INTERVAL INT64_C(500000000)

struct bine_slab {
    struct bine_slab *next;
    char *base;
    uint32_t count, guarded; /* slots, and how many of them have their guard */
    uint32_t idle;           /* scratch of the trim: free and untouched slots */
    int class;
    bool wide;
    size_t guard, stride; /* bytes of each guard; from one slot to the next */
    struct bine_stack slots[];
};

BINE_LAYOUT(stack_rows) = {
    BINE_FIELD("stack", struct bine_stack, slab),  BINE_FIELD("stack", struct bine_stack, top),
    BINE_FIELD("stack", struct bine_stack, index), BINE_FIELD("slab", struct bine_slab, base),
    BINE_FIELD("slab", struct bine_slab, guard),   BINE_FIELD("slab", struct bine_slab, stride),
};

struct bine_stacks *bine_stacks_new(void)
{
    return calloc(1, sizeof(struct bine_stacks));
}

/* What a class is named after, and what is asked for. */
static size_t nominal_size(int class)
{
    return (size_t)1 << (class % BINE_STACK_SIZES + SMALLEST_SHIFT);
}

/* The size of a stack is a power of two and a page more. Stacks a power of two apart have their top
 * pages' entries in a few sets of the TLB, and the page tables' lines in a few of the caches',
 * which makes switches slower (bench/NOTES.md). */
static size_t usable_size(int class)
{
    return nominal_size(class) + bine_page_size() +
           (class < BINE_STACK_SIZES ? 0 : BINE_STACK_ROOM);
}

static size_t narrow_guard(int class)
{
    size_t page = bine_page_size(), nominal = nominal_size(class);
    size_t wanted = nominal >= LARGE_FROM ? 256 * 1024 : nominal >= 128 * 1024 ? 16384 : 4096;
    return wanted > page ? wanted : page;
}

/* At first as many stacks as lie in some 16 MiB, then as many as there are. A program that needs
 * two stacks of 8 MiB is not to be charged for 64 (vm.overcommit_memory = 2, RLIMIT_AS). */
static size_t slab_count(const struct bine_stack_class *c, int class)
{
    size_t count = SLAB_BYTES / nominal_size(class);
    if (count < c->slots)
        count = c->slots;
    return count > SLAB_STACKS ? SLAB_STACKS : count ? count : 1;
}

static char *slab_at(const struct bine_slab *slab, size_t index)
{
    return slab->base + index * slab->stride;
}

static char *slot_base(const struct bine_stack *slot)
{
    return slab_at(slot->slab, slot->index);
}

static size_t default_size(void)
{
    static _Atomic size_t known; /* several threads may make their hubs at once */
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (!size) {
        const char *text = secure_getenv("BINE_STACK_SIZE");
        char *end = NULL;
        unsigned long long bytes = text ? strtoull(text, &end, 0) : 0;
        if (end && (*end == 'k' || *end == 'K'))
            bytes <<= 10;
        else if (end && (*end == 'm' || *end == 'M'))
            bytes <<= 20;
        size = bytes >= nominal_size(0) && bytes <= nominal_size(BINE_STACK_SIZES - 1)
                   ? bytes
                   : DEFAULT_SIZE;
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

int bine_stacks_class(size_t size, bool room)
{
    if (size == 0)
        size = default_size();
    if (size > nominal_size(BINE_STACK_SIZES - 1)) {
        errno = EINVAL;
        return -1;
    }
    int class = 0;
    while (nominal_size(class) < size)
        class ++;
    return room ? class + BINE_STACK_SIZES : class;
}

size_t bine_stacks_thread_size(void)
{
    if (secure_getenv("BINE_STACK_SIZE"))
        return default_size();
    pthread_attr_t attributes;
    size_t size = 0, most = nominal_size(BINE_STACK_SIZES - 1);
    if (pthread_attr_init(&attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &size);
        pthread_attr_destroy(&attributes);
    }
    return size > most ? most : size;
}

static char *slot_top(const struct bine_slab *slab, uint32_t index)
{
    char *end = slab_at(slab, index + 1);
    if (slab->class < BINE_STACK_SIZES)
        return end - index % COLOURS * COLOUR_BYTES;
    return end - BINE_STACK_ROOM - bine_page_size() + ROOM_BELOW +
           index % ROOM_COLOURS * COLOUR_BYTES;
}

/* May the guards of the next `count` stacks be wide? They are counted if so. */
static bool take_wide_guards(const struct bine_stack_class *c, int class, size_t count)
{
    size_t nominal = nominal_size(class);
    if (nominal < WIDE_FROM || (nominal < LARGE_FROM && c->slots >= WIDE_FIRST))
        return false;
    if (atomic_fetch_add_explicit(&wide_guards, count, memory_order_relaxed) + count <= WIDE_MOST)
        return true;
    atomic_fetch_sub_explicit(&wide_guards, count, memory_order_relaxed);
    return false;
}

/* Address space for the slots, fewer of them where there is not enough. */
static bool slab_map(struct bine_slab *slab)
{
    for (;;) {
        size_t bytes = slab->count * slab->stride;
        char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (base != MAP_FAILED) {
            /* With huge pages the first touch of a stack would commit two megabytes. EINVAL: the
             * kernel has none. */
            madvise(base, bytes, MADV_NOHUGEPAGE);
            slab->base = base;
            return true;
        }
        if (slab->count == 1)
            return false;
        if (slab->wide)
            atomic_fetch_sub_explicit(&wide_guards, slab->count - slab->count / 2,
                                      memory_order_relaxed);
        slab->count /= 2;
    }
}

static struct bine_slab *slab_new(const struct bine_stack_class *c, int class)
{
    size_t count = slab_count(c, class);
    struct bine_slab *slab = malloc(sizeof *slab + count * sizeof *slab->slots);
    if (!slab)
        return NULL;
    bool wide = take_wide_guards(c, class, count);
    size_t guard = wide ? WIDE_GUARD : narrow_guard(class);
    *slab = (struct bine_slab){.count = (uint32_t)count,
                               .class = class,
                               .wide = wide,
                               .guard = guard,
                               .stride = guard + usable_size(class)};
    if (!slab_map(slab)) {
        if (wide)
            atomic_fetch_sub_explicit(&wide_guards, slab->count, memory_order_relaxed);
        bine_free(slab);
        return NULL;
    }
    for (uint32_t i = 0; i < slab->count; i++)
        slab->slots[i] = (struct bine_stack){slab, slot_top(slab, i), i, false};
    return slab;
}

static void slab_free(struct bine_slab *slab)
{
    munmap(slab->base, slab->count * slab->stride);
    if (slab->wide)
        atomic_fetch_sub_explicit(&wide_guards, slab->count, memory_order_relaxed);
    free(slab);
}

void bine_stacks_free(struct bine_stacks *stacks)
{
    for (int class = 0; class < BINE_STACK_CLASSES; class ++) {
        struct bine_stack_class *c = &stacks->classes[class];
        for (struct bine_slab *slab = c->slabs, *next; slab; slab = next) {
            next = slab->next;
            slab_free(slab);
        }
        bine_free(c->free);
    }
    bine_free(stacks);
}

/* A slab with slots that have no guard yet. NULL: ENOMEM. */
static struct bine_slab *growing_slab(struct bine_stack_class *c, int class)
{
    if (c->slabs && c->slabs->guarded < c->slabs->count)
        return c->slabs;
    size_t room = c->free_room + slab_count(c, class);
    struct bine_stack **wider = realloc(c->free, room * sizeof *wider);
    if (!wider)
        return NULL;
    c->free = wider;
    struct bine_slab *slab = slab_new(c, class);
    if (!slab)
        return NULL;
    c->free_room += slab->count;
    slab->next = c->slabs;
    c->slabs = slab;
    return slab;
}

/* More slots with guards, put at the cold end of the free array. The guards of many are one system
 * call, but each needs a page table: no more at a time than there are already. */
static int add_slots(struct bine_stack_class *c, int class)
{
    struct bine_slab *slab = growing_slab(c, class);
    if (!slab)
        return -1;
    size_t first = slab->guarded, count = slab->count - first;
    if (count > c->slots)
        count = c->slots ? c->slots : 1;
    ptrdiff_t guarded =
        bine_guard_install(slab_at(slab, first), slab->guard, slab->stride, count, slab->wide);
    if (guarded < 0)
        return -1;
    size_t added = (size_t)guarded, moved = c->free_count < added ? c->free_count : added;
    slab->guarded += (uint32_t)added;
    /* The hottest end stays with stacks that have been used: the newcomers change places with those
     * in front. */
    memcpy(c->free + (c->free_count + added - moved), c->free, moved * sizeof *c->free);
    for (size_t i = 0; i < added; i++) {
        bine_guard_register_stack(slab_at(slab, first + i) + slab->guard,
                                  slab_at(slab, first + i + 1));
        c->free[i] = &slab->slots[first + i];
    }
    c->free_count += added;
    c->slots += added;
    return 0;
}

int bine_stacks_grow(struct bine_stacks *stacks, int class)
{
    int saved = errno;
    if (add_slots(&stacks->classes[class], class) == 0) {
        errno = saved; /* one way of guarding may have failed before another did it */
        return 0;
    }
    errno = ENOMEM;
    return -1;
}

/* Unmaps slabs whose slots are all free and untouched, and takes these slots out of the free
 * array. */
static void release_slabs(struct bine_stack_class *c)
{
    for (struct bine_slab *slab = c->slabs; slab; slab = slab->next)
        slab->idle = 0;
    for (size_t i = 0; i < c->free_count; i++)
        if (!c->free[i]->touched)
            c->free[i]->slab->idle++;
    size_t kept = 0, spare = c->slots - c->reserved;
    for (struct bine_slab *slab = c->slabs; slab; slab = slab->next) {
        /* Reservations hold: never fewer slots than reserved. Marked by idle = UINT32_MAX. */
        if (slab->idle == slab->guarded && slab->guarded && slab->guarded <= spare) {
            spare -= slab->guarded;
            slab->idle = UINT32_MAX;
        }
    }
    for (size_t i = 0; i < c->free_count; i++)
        if (c->free[i]->slab->idle != UINT32_MAX)
            c->free[kept++] = c->free[i];
    c->free_count = kept;
    for (struct bine_slab **link = &c->slabs; *link;) {
        struct bine_slab *slab = *link;
        if (slab->idle != UINT32_MAX) {
            link = &slab->next;
            continue;
        }
        *link = slab->next;
        c->slots -= slab->guarded;
        c->free_room -= slab->count;
        bine_guard_unregister_stacks(slab->base, slab->base + slab->count * slab->stride);
        slab_free(slab);
    }
}

int64_t bine_stacks_trim(struct bine_stacks *stacks, int64_t now)
{
    bool more = false;
    if (now < stacks->next_trim)
        return stacks->next_trim;
    for (int class = 0; class < BINE_STACK_CLASSES; class ++) {
        struct bine_stack_class *c = &stacks->classes[class];
        if (c->free_count <= KEEP)
            continue;
        /* Half of what was not needed since the last time, so that a pool that is needed again soon
         * is not lost. */
        size_t unneeded = c->least_free < c->free_count ? c->least_free : c->free_count;
        size_t cold = unneeded > KEEP ? (unneeded - KEEP + 1) / 2 : 0, clean = 0;
        for (size_t i = 0; i < c->free_count && i < cold + clean; i++) {
            struct bine_stack *slot = c->free[i];
            if (!slot->touched) {
                clean++;
                continue;
            }
            madvise(bine_stack_bottom(slot), usable_size(class), MADV_DONTNEED);
            slot->touched = false;
        }
        if (clean + cold > 0)
            release_slabs(c);
        c->least_free = c->free_count;
        for (size_t i = 0; i < c->free_count && !more; i++)
            more = i + KEEP < c->free_count && c->free[i]->touched;
    }
    stacks->next_trim = now + TRIM_INTERVAL;
    return more ? stacks->next_trim : INT64_MAX;
}

bool bine_stacks_trimmable(const struct bine_stacks *stacks)
{
    for (int class = 0; class < BINE_STACK_CLASSES; class ++)
        if (stacks->classes[class].free_count > KEEP)
            return true;
    return false;
}

char *bine_stack_bottom(const struct bine_stack *stack)
{
    return slot_base(stack) + stack->slab->guard;
}

size_t bine_stack_size(const struct bine_stack *stack)
{
    return (size_t)(stack->top - bine_stack_bottom(stack));
}

size_t bine_stack_asked(const struct bine_stack *stack)
{
    return nominal_size(stack->slab->class);
}

int bine_stack_class_of(const struct bine_stack *stack)
{
    return stack->slab->class;
}

void bine_stack_clean(const struct bine_stack *stack)
{
    /* Everything below the page of the top; the top itself may be in use. */
    char *bottom = bine_stack_bottom(stack);
    char *end = (char *)((uintptr_t)(stack->top - 1) & ~(bine_page_size() - 1));
    if (end > bottom)
        madvise(bottom, (size_t)(end - bottom), MADV_DONTNEED);
}

size_t bine_stack_touched(const struct bine_stack *stack)
{
    size_t page = bine_page_size();
    char *bottom = bine_stack_bottom(stack);
    char *end = (char *)(((uintptr_t)stack->top + page - 1) & ~(page - 1));
    unsigned char resident[64];
    for (char *at = bottom; at < end;) {
        size_t pages = (size_t)(end - at) / page;
        if (pages > sizeof resident)
            pages = sizeof resident;
        if (mincore(at, pages * page, resident) < 0)
            return 0;
        for (size_t i = 0; i < pages; i++)
            if (resident[i] & 1)
                return (size_t)(end - (at + i * page));
        at += pages * page;
    }
    return 0;
}

bool bine_stack_guards(const struct bine_stack *stack, const void *address)
{
    const char *at = address;
    return at >= slot_base(stack) && at < bine_stack_bottom(stack);
}

bool bine_stack_overran(const struct bine_stack *stack, uintptr_t pointer)
{
    return pointer >= (uintptr_t)stack->slab->base && pointer < (uintptr_t)bine_stack_bottom(stack);
}

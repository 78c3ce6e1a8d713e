/*
 * See reach.h. The blocks of malloc's main heap are marked one by one. All other memory that can be
 * written is searched as a whole, so what lies there counts as reached.
 *
 * Left out is what leads to every greenlet or object, whoever needs it: the records of greenlets
 * and hubs, the arrays of timers and ready greenlets, and the list in which libbine has all
 * objects.
 */
#include "reach.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "stack_use.h"
#include "unwind.h"

enum {
    SMALLEST_BLOCK = 32,
    MOST_STACK = 64 << 20, /* bytes of one that are searched */
    MOST_PAGES = 4 << 20,  /* searched in all */
    MOST_EMPTY = 1 << 28,  /* pages without memory that are passed over one by one */
    MOST_ROUNDS = 1000,    /* of greenlets that wait for greenlets */
};

struct block {
    uint64_t start, end;
    bool reached, left_out;
};

struct range {
    uint64_t start, end;
};

struct inspect_reach {
    const struct inspect_snapshot *snapshot;
    struct block *blocks; /* of the heap, by address */
    size_t block_count;
    struct range *ranges; /* not to be searched, by address */
    size_t range_count;
    bool *greenlets;
    size_t *todo; /* blocks, or greenlets after the last block */
    size_t todo_count;
    uint64_t first_object; /* the first of libbine's list of objects, if one word leads to it */
    unsigned leads;        /* how many words of the roots do */
    size_t pages, empty_pages;
    uint64_t *thread_stacks;           /* the lowest frame on the stack of each hub's thread */
    struct inspect_unwinder *unwinder; /* NULL without elfutils: stacks are searched as a whole */
    bool failed;                       /* there is not enough memory */
    bool too_large;
};

bool inspect_may_leak(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g)
{
    const struct inspect_table *table = inspect_table_of(snapshot, g);
    char verb[64];
    size_t length;
    if (g->state != INSPECT_PARKED || g->root || g->hidden || g->current ||
        g->deadline != INSPECT_NEVER || g->object < 65536 ||
        g->park_flags & table->park_external.value)
        return false;
    inspect_verb(snapshot, g, verb, sizeof verb);
    length = strlen(verb);
    return length < 3 || strcmp(verb + length - 3, " fd") != 0;
}

static void *more(void *array, size_t count, size_t size)
{
    return count & (count - 1) ? array : realloc(array, (count ? 2 * count : 1) * size);
}

/* ---- what is there --------------------------------------------------------------------------- */

static void add_block(struct inspect_reach *reach, uint64_t start, uint64_t end)
{
    struct block *blocks = more(reach->blocks, reach->block_count, sizeof *blocks);
    if (!blocks) {
        reach->failed = true;
        return;
    }
    reach->blocks = blocks;
    blocks[reach->block_count++] = (struct block){start, end, false, false};
}

/* glibc's heap is a row of chunks: the size before, its own size and three flags, the content. If
 * the mapping is one, it ends where the last chunk ends. Adds the blocks, or forgets them. */
static bool walk_heap(struct inspect_reach *reach, const struct inspect_mapping *heap)
{
    uint64_t at = heap->start, size;
    while (heap->end - at >= SMALLEST_BLOCK && !reach->failed &&
           inspect_touched(reach->snapshot->target, at + 8) &&
           inspect_word(reach->snapshot->target, at + 8, &size)) {
        size &= ~UINT64_C(7);
        if (size < SMALLEST_BLOCK || size % 16 || size > heap->end - at)
            break;
        /* The content reaches into the next chunk's first word. */
        add_block(reach, at + 16, at + size + 8);
        at += size;
    }
    if (at != heap->end)
        reach->block_count = 0;
    return at == heap->end;
}

static struct block *block_of(const struct inspect_reach *reach, uint64_t address)
{
    size_t i =
        inspect_first_after(reach->blocks, reach->block_count, sizeof(struct block), address);
    return i < reach->block_count && reach->blocks[i].start <= address ? &reach->blocks[i] : NULL;
}

static void leave_out(struct inspect_reach *reach, uint64_t start, uint64_t size)
{
    struct range *ranges = more(reach->ranges, reach->range_count, sizeof *ranges);
    if (!ranges) {
        reach->failed = true;
        return;
    }
    reach->ranges = ranges;
    if (start && start + size > start)
        ranges[reach->range_count++] = (struct range){start, start + size};
}

static int by_start(const void *one, const void *other)
{
    uint64_t a = ((const struct range *)one)->start, b = ((const struct range *)other)->start;
    return a < b ? -1 : a > b;
}

static void leave_out_array(struct inspect_reach *reach, const struct inspect_row *row,
                            uint64_t hub, uint64_t size)
{
    uint64_t start;
    if (inspect_fetch(reach->snapshot->target, row, hub, &start))
        leave_out(reach, start, size);
}

static void leave_out_runtime(struct inspect_reach *reach)
{
    const struct inspect_snapshot *snapshot = reach->snapshot;
    for (size_t i = 0; i < snapshot->hub_count; i++) {
        const struct inspect_hub *hub = &snapshot->hubs[i];
        const struct inspect_table *table = hub->table;
        uint64_t room = 0, mask = 0;
        inspect_fetch(snapshot->target, &table->hub_timers_room, hub->address, &room);
        inspect_fetch(snapshot->target, &table->hub_ready_mask, hub->address, &mask);
        leave_out(reach, hub->address, table->hub.size);
        leave_out_array(reach, &table->hub_timers_users, hub->address, (room & UINT32_MAX) * 16);
        leave_out_array(reach, &table->hub_ready_slots, hub->address, (mask + 1) * 8);
    }
    for (size_t i = 0; i < snapshot->greenlet_count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[i];
        leave_out(reach, g->address, inspect_table_of(snapshot, g)->greenlet.size);
        if (g->top)
            leave_out(reach, g->bottom, g->top - g->bottom);
    }
    if (reach->range_count)
        qsort(reach->ranges, reach->range_count, sizeof *reach->ranges, by_start);
    for (size_t i = 0; i < reach->range_count; i++) {
        struct block *block = block_of(reach, reach->ranges[i].start);
        if (block)
            block->left_out = true;
    }
}

/* ---- marking --------------------------------------------------------------------------------- */

static void push(struct inspect_reach *reach, size_t item)
{
    size_t *todo = more(reach->todo, reach->todo_count, sizeof *todo);
    if (!todo) {
        reach->failed = true;
        return;
    }
    reach->todo = todo;
    todo[reach->todo_count++] = item;
}

static void reach_greenlet(struct inspect_reach *reach, size_t place)
{
    if (reach->greenlets[place])
        return;
    reach->greenlets[place] = true;
    push(reach, reach->block_count + place);
}

static void reach_address(struct inspect_reach *reach, uint64_t address)
{
    struct block *block = block_of(reach, address);
    if (block && !block->left_out && !block->reached) {
        block->reached = true;
        push(reach, (size_t)(block - reach->blocks));
    }
    /* A reference to a greenlet can end its wait by a kill. */
    if (block && !block->left_out)
        return;
    const struct inspect_greenlet *g = inspect_find_greenlet(reach->snapshot, address);
    if (g)
        reach_greenlet(reach, (size_t)(g - reach->snapshot->greenlets));
}

/* Returns the page that begins at this address or, if it holds nothing, the next one that may hold
 * something. */
static uint64_t next_page(struct inspect_reach *reach, uint64_t page)
{
    uint64_t next = inspect_next_touched(reach->snapshot->target, page);
    size_t *count = next == page ? &reach->pages : &reach->empty_pages;
    if (++*count > (next == page ? (size_t)MOST_PAGES : (size_t)MOST_EMPTY))
        reach->too_large = reach->failed = true;
    return next;
}

static void search(struct inspect_reach *reach, uint64_t start, uint64_t end, bool root,
                   uint64_t skip_one, uint64_t skip_other)
{
    uint64_t words[INSPECT_PAGE / 8];
    for (uint64_t at = start; at < end && at <= UINT64_MAX - 7 && !reach->failed;) {
        at = (at + 7) & ~UINT64_C(7);
        /* A core that lies has segments that begin within a page, and `next` may lie there. */
        uint64_t next = next_page(reach, at - at % INSPECT_PAGE);
        if (next > at) {
            at = next;
            continue;
        }
        if (at >= end)
            return;
        size_t size = INSPECT_PAGE - at % INSPECT_PAGE;
        if (size > end - at)
            size = (size_t)(end - at);
        bool there = inspect_read(reach->snapshot->target, at, words, size);
        for (size_t i = 0; there && i < size / 8; i++) {
            uint64_t place = at + i * 8;
            if (!words[i] || place == skip_one || place == skip_other)
                continue;
            if (root && words[i] == reach->first_object) {
                reach->leads++;
                continue;
            }
            reach_address(reach, words[i]);
        }
        at += size;
    }
}

/* Searches what of it is not left out. */
static void search_root(struct inspect_reach *reach, uint64_t start, uint64_t end)
{
    size_t next =
        inspect_first_after(reach->ranges, reach->range_count, sizeof(struct range), start);
    for (; start < end; next++) {
        uint64_t stop = next < reach->range_count && reach->ranges[next].start < end
                            ? reach->ranges[next].start
                            : end;
        if (stop > start)
            search(reach, start, stop, true, 0, 0);
        if (stop == end)
            break;
        if (reach->ranges[next].end > start)
            start = reach->ranges[next].end;
    }
}

static void search_block(struct inspect_reach *reach, const struct block *block)
{
    const struct inspect_table *table = &reach->snapshot->tables[0];
    char class[24];
    uint64_t one = 0, other = 0;
    inspect_class_of(reach->snapshot, table, block->start, class, sizeof class);
    /* An object does not need those beside it in libbine's list. */
    if (*class && table->object_next.there) {
        one = block->start + table->object_next.value;
        other = block->start + table->object_previous.value;
    }
    search(reach, block->start, block->end, false, one, other);
}

/* Where the frames of a greenlet begin; all of its stack, where that is not known. */
static uint64_t lowest_frame(const struct inspect_snapshot *snapshot,
                             const struct inspect_greenlet *g)
{
    uint64_t lowest = inspect_lowest_frame(snapshot, g);
    return lowest || !g->current ? lowest : g->bottom;
}

/* Waits leave words in libbine's own frames that lead to other greenlets, as the one that ran next.
 * So the search is of the program's frames, with the registers of the moment when the program
 * called libbine. Returns false if these are not found. */
static bool find_frames(struct inspect_reach *reach, const struct inspect_greenlet *g,
                        uint64_t *start, uint64_t *end)
{
#ifdef BINE_WITH_LIBDW
    struct inspect_target *target = reach->snapshot->target;
    const struct inspect_table *table = inspect_table_of(reach->snapshot, g);
    const struct inspect_mapping *object = inspect_mapping_of(target, table->address);
    struct inspect_registers registers;
    unsigned stack = target->machine == EM_X86_64 ? 7 : 31;
    bool known =
        g->current ? inspect_thread_registers(target, reach->snapshot->hubs[g->hub].tid, &registers)
                   : inspect_saved_registers(target, table, g, &registers);
    if (!reach->unwinder || !object || !known ||
        !inspect_program_frames(reach->unwinder, object->path, &registers, end) ||
        !(registers.known >> stack & 1))
        return false;
    for (unsigned i = 0; i < INSPECT_REGISTERS; i++)
        if (registers.known >> i & 1 && i != stack)
            reach_address(reach, registers.values[i]);
    *start = registers.values[stack];
    return true;
#else
    return false;
#endif
}

/* What a greenlet can use when it runs again. */
static void search_greenlet(struct inspect_reach *reach, const struct inspect_greenlet *g)
{
    uint64_t start, end = 0;
    if (!find_frames(reach, g, &start, &end))
        start = lowest_frame(reach->snapshot, g);
    if (!end)
        end = g->top;
    reach_address(reach, g->arg);
    reach_address(reach, g->object);
    if (!end) { /* on the stack of a thread */
        const struct inspect_mapping *mapping = inspect_mapping_of(reach->snapshot->target, start);
        end = mapping ? mapping->end : 0;
    }
    if (start && start < end)
        search(reach, start, end - start > MOST_STACK ? start + MOST_STACK : end, false, 0, 0);
}

/* A greenlet is reached when what it waits for is. */
static bool reach_waiting(struct inspect_reach *reach)
{
    const struct inspect_snapshot *snapshot = reach->snapshot;
    bool some = false;
    for (size_t i = 0; i < snapshot->greenlet_count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[i], *joined;
        if (reach->greenlets[i])
            continue;
        const struct block *block = block_of(reach, g->object);
        if ((joined = inspect_find_greenlet(snapshot, g->object)))
            some |= reach->greenlets[joined - snapshot->greenlets];
        else
            some |= !block || block->reached;
        if (joined ? reach->greenlets[joined - snapshot->greenlets] : !block || block->reached)
            reach_greenlet(reach, i);
    }
    return some;
}

/* Each round is linear, so their number is bounded: what is left then counts as reached. */
static void follow(struct inspect_reach *reach)
{
    unsigned rounds = 0;
    do
        while (reach->todo_count && !reach->failed) {
            size_t item = reach->todo[--reach->todo_count];
            if (item < reach->block_count)
                search_block(reach, &reach->blocks[item]);
            else
                search_greenlet(reach, &reach->snapshot->greenlets[item - reach->block_count]);
        }
    while (!reach->failed && reach_waiting(reach) && rounds++ < MOST_ROUNDS);
    if (rounds >= MOST_ROUNDS)
        memset(reach->greenlets, true, reach->snapshot->greenlet_count);
}

/* The stacks of threads are searched as stacks of roots. */
static bool find_thread_stacks(struct inspect_reach *reach)
{
    const struct inspect_snapshot *snapshot = reach->snapshot;
    reach->thread_stacks = calloc(snapshot->hub_count + 1, sizeof *reach->thread_stacks);
    for (size_t i = 0; reach->thread_stacks && i < snapshot->hub_count; i++) {
        const struct inspect_greenlet *root =
            inspect_find_greenlet(snapshot, snapshot->hubs[i].root);
        reach->thread_stacks[i] = root ? lowest_frame(snapshot, root) : 0;
    }
    return reach->thread_stacks != NULL;
}

static bool is_thread_stack(const struct inspect_reach *reach,
                            const struct inspect_mapping *mapping)
{
    for (size_t i = 0; i < reach->snapshot->hub_count; i++)
        if (reach->thread_stacks[i] >= mapping->start && reach->thread_stacks[i] < mapping->end)
            return true;
    return false;
}

static void find_first_object(struct inspect_reach *reach)
{
    const struct inspect_table *table = &reach->snapshot->tables[0];
    for (size_t i = 0; i < reach->block_count; i++) {
        uint64_t previous = 1, next = 0;
        char class[24];
        inspect_class_of(reach->snapshot, table, reach->blocks[i].start, class, sizeof class);
        if (*class &&
            inspect_fetch(reach->snapshot->target, &table->object_previous, reach->blocks[i].start,
                          &previous) &&
            !previous &&
            inspect_fetch(reach->snapshot->target, &table->object_next, reach->blocks[i].start,
                          &next))
            reach->first_object = reach->blocks[i].start;
    }
}

static void search_all(struct inspect_reach *reach)
{
    const struct inspect_snapshot *snapshot = reach->snapshot;
    const struct inspect_target *target = snapshot->target;
    const struct inspect_mapping *heap = NULL;
    for (size_t i = 0; i < target->mapping_count && !heap; i++) {
        const struct inspect_mapping *mapping = &target->mappings[i];
        if (!*mapping->path && mapping->writable && walk_heap(reach, mapping))
            heap = mapping;
    }
    leave_out_runtime(reach);
    reach->failed |= !find_thread_stacks(reach);
    if (reach->failed)
        return;
    find_first_object(reach);
    for (size_t i = 0; i < snapshot->greenlet_count; i++)
        if (!inspect_may_leak(snapshot, &snapshot->greenlets[i]))
            reach_greenlet(reach, i);
    for (size_t i = 0; i < target->mapping_count; i++) {
        const struct inspect_mapping *mapping = &target->mappings[i];
        if (mapping->writable && mapping->readable && mapping != heap &&
            !is_thread_stack(reach, mapping))
            search_root(reach, mapping->start, mapping->end);
    }
    /* One word is the beginning of the list. A second one is the program's. */
    if (reach->leads > 1)
        reach_address(reach, reach->first_object);
    follow(reach);
}

struct inspect_reach *inspect_reach_new(const struct inspect_snapshot *snapshot)
{
    struct inspect_reach *reach = calloc(1, sizeof *reach);
    if (!reach) {
        fprintf(stderr, "bine: there is not enough memory\n");
        return NULL;
    }
    reach->snapshot = snapshot;
#ifdef BINE_WITH_LIBDW
    reach->unwinder = inspect_unwinder_new(snapshot->target);
#endif
    reach->greenlets = calloc(snapshot->greenlet_count + 1, sizeof *reach->greenlets);
    reach->failed = !reach->greenlets;
    if (!reach->failed)
        search_all(reach);
    if (!reach->failed)
        return reach;
    fprintf(stderr, reach->too_large ? "bine: there is too much memory to be searched\n"
                                     : "bine: there is not enough memory\n");
    inspect_reach_free(reach);
    return NULL;
}

void inspect_reach_free(struct inspect_reach *reach)
{
    if (!reach)
        return;
    free(reach->blocks);
    free(reach->ranges);
    free(reach->greenlets);
    free(reach->todo);
    free(reach->thread_stacks);
#ifdef BINE_WITH_LIBDW
    inspect_unwinder_free(reach->unwinder);
#endif
    free(reach);
}

bool inspect_reached(const struct inspect_reach *reach, size_t place)
{
    return reach->greenlets[place];
}

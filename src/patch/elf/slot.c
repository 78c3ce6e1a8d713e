/* Writes slots. See slot.h. */
#include "slot.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int bine_changes_add(struct bine_changes *changes, struct bine_change change)
{
    if (changes->count == changes->room) {
        size_t room = changes->room ? 2 * changes->room : 64;
        struct bine_change *list = realloc(changes->list, room * sizeof *list);
        if (!list)
            return ENOMEM;
        changes->list = list;
        changes->room = room;
    }
    changes->list[changes->count++] = change;
    return 0;
}

void bine_changes_free(struct bine_changes *changes)
{
    free(changes->list);
    *changes = (struct bine_changes){0};
}

static int by_slot(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct bine_change *)a)->slot;
    uintptr_t right = (uintptr_t)((const struct bine_change *)b)->slot;
    return left < right ? -1 : left > right;
}

static void sort(struct bine_changes *changes)
{
    if (changes->count == 0)
        return;
    qsort(changes->list, changes->count, sizeof *changes->list, by_slot);
    size_t kept = 1;
    for (size_t i = 1; i < changes->count; i++)
        if (changes->list[i].slot != changes->list[kept - 1].slot)
            changes->list[kept++] = changes->list[i];
    changes->count = kept;
}

/* One aligned store, so that a thread that calls through the slot meanwhile finds the old function
 * or the new one. */
static bool replace(void **slot, void *from, void *to)
{
    return __atomic_compare_exchange_n(slot, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The pages of list[first] up to the last change that lies on the same or the next page with the
 * same protection. */
struct run {
    size_t first, end;
    char *start;
    size_t size;
    int protection;
    bool closes;
};

static struct run run_from(const struct bine_changes *changes, size_t first, size_t end)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct run run = {.first = first,
                      .end = first + 1,
                      .protection = changes->list[first].protection,
                      .closes = changes->list[first].closes};
    uintptr_t start = (uintptr_t)changes->list[first].slot & ~(page - 1), last = start;
    for (; run.end < end; run.end++) {
        uintptr_t next = (uintptr_t)changes->list[run.end].slot & ~(page - 1);
        const struct bine_change *change = &changes->list[run.end];
        if (change->protection != run.protection || change->closes != run.closes ||
            next > last + page)
            break;
        last = next;
    }
    run.start = (char *)start;
    run.size = last + page - start;
    return run;
}

static int protect(const struct run *run, int protection)
{
    /* A library that another thread loads at this moment is writable still but may be closed before
     * we have written. */
    if ((run->protection & PROT_WRITE) && !run->closes)
        return 0;
    int saved = errno;
    if (mprotect(run->start, run->size, protection) == 0)
        return 0;
    int error = errno == ENOMEM ? ENOMEM : EPERM;
    errno = saved;
    return error;
}

/* Make or undo list[first .. end). */
static int slot_write_all(struct bine_changes *changes, size_t end, bool undo, size_t *reached)
{
    for (size_t i = 0; i < end;) {
        struct run run = run_from(changes, i, end);
        int error = protect(&run, run.protection | PROT_WRITE);
        if (error)
            return error;
        for (; i < run.end; i++) {
            struct bine_change *change = &changes->list[i];
            if (!undo)
                change->made = replace(change->slot, change->from, change->to);
            else if (change->made)
                replace(change->slot, change->to, change->from);
        }
        *reached = i;
        error = protect(&run, run.protection);
        if (error)
            return error;
    }
    return 0;
}

int bine_changes_make(struct bine_changes *changes)
{
    sort(changes);
    size_t reached = 0, undone;
    int error = slot_write_all(changes, changes->count, false, &reached);
    /* Opening the pages that have just been open splits no mapping that it did not split before. */
    if (error)
        slot_write_all(changes, reached, true, &undone);
    return error;
}

const struct bine_change *bine_changes_find(const struct bine_changes *changes, void *const *slot)
{
    size_t low = 0, high = changes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((void *const *)changes->list[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < changes->count && (void *const *)changes->list[low].slot == slot
               ? &changes->list[low]
               : NULL;
}

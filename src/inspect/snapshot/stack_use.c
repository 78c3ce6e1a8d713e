/* See stack_use.h. */
#include "stack_use.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    ENTRIES = 512 /* read at a time */
};

/* Set in /proc/PID/pagemap for a page that is in memory or swapped out. */
#define PRESENT (UINT64_C(3) << 62)

static int pagemap = -1;
static pid_t opened_for;

static bool open_pagemap(const struct inspect_target *target)
{
    char path[64];
    if (pagemap >= 0 && opened_for == target->pid)
        return true;
    inspect_stack_use_free();
    snprintf(path, sizeof path, "/proc/%d/pagemap", target->pid);
    pagemap = open(path, O_RDONLY | O_CLOEXEC);
    opened_for = target->pid;
    return pagemap >= 0;
}

static uint64_t lowest_page(const struct inspect_target *target, const struct inspect_greenlet *g)
{
    uint64_t entries[ENTRIES], page = (uint64_t)sysconf(_SC_PAGESIZE);
    bool opened = open_pagemap(target);
    for (uint64_t at = g->bottom / page; opened && at * page < g->top;) {
        ssize_t n = pread(pagemap, entries, sizeof entries, (off_t)(at * sizeof *entries));
        if (n < (ssize_t)sizeof *entries)
            break;
        for (size_t i = 0; i < (size_t)n / sizeof *entries && at * page < g->top; i++, at++)
            if (entries[i] & PRESENT)
                return at * page;
    }
    return g->top;
}

bool inspect_touched(const struct inspect_target *target, uint64_t address)
{
    static uint64_t entries[ENTRIES], first = UINT64_MAX;
    static ssize_t read_bytes;
    uint64_t at = address / (uint64_t)sysconf(_SC_PAGESIZE);
    if (!target->live)
        return true;
    if (at < first || at - first >= ENTRIES) {
        first = at;
        read_bytes = open_pagemap(target)
                         ? pread(pagemap, entries, sizeof entries, (off_t)(at * sizeof *entries))
                         : -1;
    }
    /* If it cannot be told, the page is not read. */
    return read_bytes >= (ssize_t)((at - first + 1) * sizeof *entries) &&
           entries[at - first] & PRESENT;
}

uint64_t inspect_next_touched(const struct inspect_target *target, uint64_t address)
{
    if (target->source->next)
        return target->source->next(target, address);
    return inspect_touched(target, address) ? address : address + INSPECT_PAGE;
}

void inspect_stack_use(struct inspect_target *target, const struct inspect_greenlet *g,
                       struct inspect_stack_use *use)
{
    *use = (struct inspect_stack_use){0};
    if (!g->top)
        return;
    use->size = g->top - g->bottom;
    if (!g->current && g->sp > g->bottom && g->sp < g->top)
        use->used = g->top - g->sp;
    if (target->live)
        use->high_water = g->top - lowest_page(target, g);
    if (use->high_water > use->size)
        use->high_water = use->size;
}

void inspect_stack_use_free(void)
{
    if (pagemap >= 0)
        close(pagemap);
    pagemap = -1;
}

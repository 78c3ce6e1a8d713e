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

static uint64_t lowest_page(const struct inspect_target *target, const struct inspect_greenlet *g)
{
    uint64_t entries[ENTRIES], page = (uint64_t)sysconf(_SC_PAGESIZE);
    char path[64];
    if (pagemap < 0 || opened_for != target->pid) {
        inspect_stack_use_free();
        snprintf(path, sizeof path, "/proc/%d/pagemap", target->pid);
        pagemap = open(path, O_RDONLY | O_CLOEXEC);
        opened_for = target->pid;
    }
    for (uint64_t at = g->bottom / page; pagemap >= 0 && at * page < g->top;) {
        ssize_t n = pread(pagemap, entries, sizeof entries, (off_t)(at * sizeof *entries));
        if (n < (ssize_t)sizeof *entries)
            break;
        for (size_t i = 0; i < (size_t)n / sizeof *entries && at * page < g->top; i++, at++)
            if (entries[i] & PRESENT)
                return at * page;
    }
    return g->top;
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

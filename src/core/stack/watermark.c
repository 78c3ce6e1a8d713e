/* High-water marks of stacks, by spawn site. See watermark.h. */
#include "watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libc/libc.h"
#include "libc/spin.h"
#include "stack.h"

struct site {
    struct site *next;
    const char *site;
    size_t most;
    size_t greenlets;
};

bool bine_watermark_enabled;

/* Sites are never freed, and added under a spin lock: several hubs report into one table. */
static struct site *sites;
static struct bine_spin sites_lock;

__attribute__((constructor)) static void read_environment(void)
{
    const char *text = secure_getenv("BINE_STACK_WATERMARK");
    bine_watermark_enabled = text && *text && strcmp(text, "0") != 0;
}

void bine_watermark_begin(const struct bine_stack *stack)
{
    bine_stack_clean(stack);
}

void bine_watermark_end(const struct bine_stack *stack, const char *place)
{
    size_t touched = bine_stack_touched(stack);
    bine_spin_lock(&sites_lock);
    struct site *site = sites;
    while (site && site->site != place)
        site = site->next;
    if (!site && (site = malloc(sizeof *site))) {
        *site = (struct site){sites, place, 0, 0};
        sites = site;
    }
    if (site) {
        site->greenlets++;
        if (touched > site->most)
            site->most = touched;
    }
    bine_spin_unlock(&sites_lock);
}

void bine_watermark_report(int fd)
{
    char line[300];
    for (struct site *site = sites; site; site = site->next) {
        const char *place = site->site + strlen(site->site) + 1;
        int length = snprintf(
            line, sizeof line, "stack of %s, spawned at %s: at most %zu bytes in %zu greenlet%s\n",
            site->site, place, site->most, site->greenlets, site->greenlets == 1 ? "" : "s");
        if (length > 0)
            (void)!bine_libc.write(fd, line,
                                   (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    }
}

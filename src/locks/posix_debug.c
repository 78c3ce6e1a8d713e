/* Reports for BINE_DEBUG_LOCKS=1. See posix_debug.h. */
#include "posix_debug.h"

#include <stdio.h>

#include "libc/libc.h"
#include "parking_lot.h"

/* The owner if it belongs to this hub: those of other hubs may not be looked into, and it is on
 * one's own hub that a parked owner stops everybody. */
static struct bine_greenlet *owner_here(struct bine_hub *hub, const struct bine_greenlet *owner)
{
    struct bine_greenlet *g = hub->all;
    while (g && g != owner)
        g = g->all_next;
    return g;
}

/* The same lock and owner again and again, as many waiters come, is one report. */
static const void *reported_lock, *reported_owner;

void bine_debug_waits(struct bine_greenlet *g, const void *address,
                      const struct bine_greenlet *holder)
{
    struct bine_greenlet *owner = owner_here(g->hub, holder);
    if (!owner || owner == g || (reported_lock == address && reported_owner == owner))
        return;
    reported_lock = address;
    reported_owner = owner;
    char line[512], waits_for[64] = "";
    if (owner->state == BINE_PARKED && owner->verb)
        snprintf(waits_for, sizeof waits_for, " (%s)", owner->verb);
    /* Two calls: bine_name may return the same buffer for both. */
    int length = snprintf(line, sizeof line, "bine: %s parks%s ", bine_name(owner), waits_for);
    if (length > 0 && (size_t)length < sizeof line)
        length += snprintf(line + length, sizeof line - (size_t)length,
                           "while it holds lock %p that %s wants\n", address, bine_name(g));
    if (length >= (int)sizeof line)
        length = (int)sizeof line - 1;
    if (length > 0 && bine_libc.write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* a report that cannot be written is lost */
}

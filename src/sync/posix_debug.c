/* Reports for BINE_DEBUG_LOCKS=1. See posix_debug.h. */
#include "posix_debug.h"

#include <stdio.h>

#include "../core/libc.h"
#include "parking_lot.h"

/* The owner of the record if it belongs to this hub: the records of other hubs' greenlets may not be looked into, and it is on
 * one's own hub that a parked owner stops everybody. */
static struct bine_greenlet *owner_here(struct bine_hub *hub, const void *owner)
{
    struct bine_greenlet *g = hub->all;
    while (g && g != owner)
        g = g->all_next;
    return g;
}

void bine_debug_waits(struct bine_greenlet *g, const void *address)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(address);
    struct bine_lot_record *record = bine_lot_find(bucket, address, BINE_RECORD_MUTEX);
    if (!record)
        record = bine_lot_find(bucket, address, BINE_RECORD_RWLOCK);
    bool report = record && !record->reported;
    const void *owner_address = report ? record->owner : NULL;
    if (report)
        record->reported = true;
    bine_lot_unlock(bucket);
    if (!report)
        return;

    struct bine_greenlet *owner = owner_here(g->hub, owner_address);
    if (!owner || owner == g)
        return;
    char line[512], waits_for[64] = "";
    if (owner->state == BINE_PARKED && owner->verb)
        snprintf(waits_for, sizeof waits_for, " (%s)", owner->verb);
    /* Two calls: bine_name may return the same buffer for both. */
    int length = snprintf(line, sizeof line, "bine: %s parks%s ", bine_name(owner), waits_for);
    if (length > 0 && (size_t)length < sizeof line)
        length += snprintf(line + length, sizeof line - (size_t)length, "while it holds lock %p that %s wants\n", address,
                           bine_name(g));
    if (length >= (int)sizeof line)
        length = (int)sizeof line - 1;
    if (length > 0 && bine_libc.write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* a report that cannot be written is lost */
}

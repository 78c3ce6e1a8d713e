/* The records of all hubs of the process. See hubs.h. */
#include "hubs.h"

#include <stdlib.h>
#include <string.h>

#include "libc/layout.h"
#include "libc/spin.h"

/* Every record that was ever made, newest first, and those that can be used again: they are never
 * freed, so that a thread with a stale pointer can safely be told ESRCH. The lock guards the
 * latter. It is held for a few instructions only, and taken around fork. */
static struct bine_hub *_Atomic all_records;
static struct bine_hub *ended_hubs;
static struct bine_spin hubs_lock;

BINE_LAYOUT(hub_rows) = {
    BINE_ADDRESS("hubs", all_records),
    BINE_SIZE("hub", struct bine_hub),
    BINE_FIELD("hub", struct bine_hub, next_record),
    BINE_FIELD_AS("hub", "inbox", struct bine_hub, inbox.first),
    BINE_NUMBER("inbox.closed", BINE_INBOX_CLOSED),
    BINE_FIELD_AS("hub", "inbox_waiting", struct bine_hub, inbox.waiting),
    BINE_FIELD("hub", struct bine_hub, life),
    BINE_FIELD("hub", struct bine_hub, over),
    BINE_FIELD("hub", struct bine_hub, tid),
    BINE_FIELD("hub", struct bine_hub, thread),
    BINE_FIELD("hub", struct bine_hub, current),
    BINE_FIELD("hub", struct bine_hub, root),
    BINE_FIELD("hub", struct bine_hub, all),
    BINE_FIELD("hub", struct bine_hub, greenlets),
    BINE_FIELD("hub", struct bine_hub, records_made),
    BINE_FIELD("hub", struct bine_hub, turns),
    BINE_FIELD("hub", struct bine_hub, switches),
    BINE_FIELD("hub", struct bine_hub, turn_at),
    BINE_FIELD("hub", struct bine_hub, driver),
    BINE_FIELD_AS("hub", "ready_slots", struct bine_hub, ready.slots),
    BINE_FIELD_AS("hub", "ready_head", struct bine_hub, ready.head),
    BINE_FIELD_AS("hub", "ready_tail", struct bine_hub, ready.tail),
    BINE_FIELD_AS("hub", "ready_mask", struct bine_hub, ready.mask),
    BINE_FIELD_AS("hub", "timers_heap", struct bine_hub, timers.heap),
    BINE_FIELD_AS("hub", "timers_places", struct bine_hub, timers.places),
    BINE_FIELD_AS("hub", "timers_users", struct bine_hub, timers.users),
    BINE_FIELD_AS("hub", "timers_count", struct bine_hub, timers.count),
    BINE_FIELD_AS("hub", "timers_room", struct bine_hub, timers.room),
    BINE_SIZE("timer_entry", struct bine_timer_entry),
    BINE_FIELD("timer_entry", struct bine_timer_entry, deadline),
    BINE_FIELD("timer_entry", struct bine_timer_entry, timer),
    BINE_FIELD("driver", struct bine_driver, name),
};
/* A program with hubs has the table. */
static struct bine_layout *const table __attribute__((used)) = &bine_layout;

void bine_hub_each(void (*visit)(struct bine_hub *hub, void *arg), void *arg)
{
    for (struct bine_hub *hub = atomic_load(&all_records); hub; hub = hub->next_record)
        if (!bine_inbox_closed(&hub->inbox))
            visit(hub, arg);
}

void bine_hubs_give(struct bine_hub *hub)
{
    bine_spin_lock(&hubs_lock);
    hub->next_hub = ended_hubs;
    ended_hubs = hub;
    bine_spin_unlock(&hubs_lock);
}

void bine_hub_hold(struct bine_hub *hub)
{
    atomic_fetch_add(&hub->holds, 1);
}

void bine_hub_let_go(struct bine_hub *hub)
{
    if (atomic_fetch_sub(&hub->holds, 1) == 1)
        bine_hubs_give(hub);
}

struct bine_hub *bine_hubs_take(void)
{
    bine_spin_lock(&hubs_lock);
    struct bine_hub *hub = ended_hubs;
    if (hub)
        ended_hubs = hub->next_hub;
    bine_spin_unlock(&hubs_lock);
    if (!hub && (hub = aligned_alloc(64, (sizeof *hub + 63) / 64 * 64))) {
        memset(hub, 0, sizeof *hub);
        atomic_init(&hub->inbox.first, BINE_INBOX_CLOSED);
        hub->next_record = atomic_load(&all_records);
        while (!atomic_compare_exchange_weak(&all_records, &hub->next_record, hub)) {
        }
    }
    return hub;
}

void bine_hubs_before_fork(void)
{
    bine_spin_lock(&hubs_lock);
}

void bine_hubs_after_fork(void)
{
    bine_spin_unlock(&hubs_lock);
}

void bine_hubs_after_fork_in_child(const struct bine_hub *hub)
{
    for (struct bine_hub *other = atomic_load(&all_records); other; other = other->next_record)
        if (other != hub)
            atomic_store(&other->inbox.first, BINE_INBOX_CLOSED);
    bine_spin_unlock(&hubs_lock);
}

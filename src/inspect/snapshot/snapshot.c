/* Walking the lists of hubs and greenlets. See snapshot.h. */
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/target/stop.h"

enum {
    MOST_HUBS = 65536,
    MOST_GREENLETS = 20000000,
    RECORD_ROOM = INSPECT_RECORD,
    ATTEMPTS = 3, /* to read a list that changes, before the process is stopped */
    STOPS = 4,    /* a stop may come while the list is being changed */
    RETRIES = 64, /* to read on in a list that changes, in a process that is not stopped */
};

static const char *const out_of_memory = "there is not enough memory";

static void *more(void *array, size_t count, size_t size)
{
    return count & (count - 1) ? array : realloc(array, (count ? 2 * count : 1) * size);
}

/* ---- greenlets ------------------------------------------------------------------------------- */

static int64_t deadline_of(struct inspect_target *target, const struct inspect_table *table,
                           const unsigned char *hub, uint32_t timer)
{
    uint64_t places = inspect_get(&table->hub_timers_places, hub, RECORD_ROOM);
    uint64_t heap = inspect_get(&table->hub_timers_heap, hub, RECORD_ROOM), deadline;
    uint32_t place = 0;
    if (!places || !heap || timer >= inspect_get(&table->hub_timers_room, hub, RECORD_ROOM) ||
        !inspect_read(target, places + (uint64_t)timer * sizeof place, &place, sizeof place) ||
        !place || place > inspect_get(&table->hub_timers_count, hub, RECORD_ROOM) ||
        !inspect_fetch(target, &table->timer_entry_deadline,
                       heap + (uint64_t)(place - 1) * table->timer_entry.size, &deadline))
        return INSPECT_NEVER;
    return (int64_t)deadline;
}

static void read_stack(struct inspect_target *target, const struct inspect_table *table,
                       struct inspect_greenlet *g)
{
    uint64_t slab, index, base, guard, stride;
    if (g->stack && inspect_fetch(target, &table->stack_top, g->stack, &g->top) &&
        inspect_fetch(target, &table->stack_slab, g->stack, &slab) &&
        inspect_fetch(target, &table->stack_index, g->stack, &index) &&
        inspect_fetch(target, &table->slab_base, slab, &base) &&
        inspect_fetch(target, &table->slab_guard, slab, &guard) &&
        inspect_fetch(target, &table->slab_stride, slab, &stride))
        g->bottom = base + index * stride + guard;
    if (g->bottom >= g->top || g->top - g->bottom > UINT64_C(4) << 30)
        g->bottom = g->top = 0;
}

static enum inspect_state state_of(const struct inspect_table *table, uint64_t state, bool current)
{
    if (state == table->state_new.value)
        return INSPECT_NEW;
    if (state == table->state_parked.value)
        return INSPECT_PARKED;
    return current ? INSPECT_RUNNING : INSPECT_READY;
}

static void read_greenlet(struct inspect_target *target, const struct inspect_hub *hub,
                          const unsigned char *hub_record, const unsigned char *record,
                          struct inspect_greenlet *g)
{
    const struct inspect_table *table = hub->table;
#define GET(row) inspect_get(&table->row, record, RECORD_ROOM)
    uint64_t flags = GET(greenlet_flags), slots = table->greenlet_slots.value;
    uint32_t timer = (uint32_t)GET(greenlet_timer);
    g->current = g->address == hub->current;
    g->state = state_of(table, GET(greenlet_state), g->current);
    g->number = timer / 2;
    g->root = flags & table->flag_root.value;
    g->hidden = flags & table->flag_hidden.value;
    g->named = flags & table->flag_named.value;
    g->park_flags = (uint8_t)GET(greenlet_park_flags);
    g->killed = GET(greenlet_attention) & table->attention_killed.value;
    if (g->state == INSPECT_PARKED) {
        g->verb = GET(greenlet_verb);
        g->object = GET(greenlet_object);
    }
    g->site = GET(greenlet_site);
    g->arg = GET(greenlet_arg);
    g->name = GET(greenlet_name);
    g->stack = GET(greenlet_stack);
    g->sp = GET(greenlet_sp);
    g->deadline = deadline_of(target, table, hub_record, timer);
    g->spawner_number =
        table->greenlet_spawner.there ? (uint32_t)GET(greenlet_spawner) : UINT32_MAX;
    g->since = -1;
    uint64_t times = inspect_get(&table->hub_park_times, hub_record, RECORD_ROOM), since;
    if (times && g->state == INSPECT_PARKED &&
        g->number < inspect_get(&table->hub_park_times_room, hub_record, RECORD_ROOM) &&
        inspect_word(target, times + (uint64_t)g->number * 8, &since) && since)
        g->since = (int64_t)since;
    if (table->greenlet_slots.there && table->slot_python.there && table->slot_python.value < 16 &&
        slots + table->slot_python.value * 8 + 8 <= table->greenlet.size)
        memcpy(&g->python, record + slots + table->slot_python.value * 8, 8);
    uint64_t carrier = g->python;
    if (carrier) {
        inspect_fetch(target, &table->carrier_running, carrier, &g->python);
        inspect_fetch(target, &table->carrier_state, carrier, &g->python_state);
    }
    read_stack(target, table, g);
#undef GET
}

bool inspect_read_greenlet(struct inspect_target *target, const struct inspect_hub *hub,
                           const unsigned char *hub_record, struct inspect_greenlet *g)
{
    unsigned char record[RECORD_ROOM] = {0};
    if (!inspect_read(target, g->address, record, hub->table->greenlet.size) ||
        inspect_get(&hub->table->greenlet_hub, record, RECORD_ROOM) != hub->address)
        return false;
    read_greenlet(target, hub, hub_record, record, g);
    return true;
}

struct walk {
    const struct inspect_row *forth, *back;
    unsigned retries;
};

/* Is a greenlet of the hub here, and was `before` read before it? Then a list that runs in a
 * circle, or has changed meanwhile, is noticed. */
static bool follows(struct inspect_target *target, const struct inspect_hub *hub,
                    const struct walk *walk, uint64_t address, uint64_t before,
                    unsigned char *record)
{
    return inspect_read(target, address, record, hub->table->greenlet.size) &&
           inspect_get(walk->back, record, RECORD_ROOM) == before &&
           inspect_get(&hub->table->greenlet_hub, record, RECORD_ROOM) == hub->address;
}

/* Reads the list from one end on. Returns false for lack of memory. */
static bool read_list(struct inspect_snapshot *snapshot, struct inspect_hub *hub,
                      const unsigned char *hub_record, struct walk walk, uint64_t address)
{
    struct inspect_target *target = snapshot->target;
    unsigned char record[RECORD_ROOM] = {0};
    uint64_t before = 0;
    uint64_t most = inspect_get(&hub->table->hub_records_made, hub_record, RECORD_ROOM);
    while (address) {
        if (hub->count >= most || snapshot->greenlet_count >= MOST_GREENLETS) {
            hub->incomplete = true;
            break;
        }
        if (!follows(target, hub, &walk, address, before, record)) {
            inspect_forget(target);
            hub->incomplete =
                !walk.retries-- || !before || !inspect_fetch(target, walk.forth, before, &address);
            if (hub->incomplete)
                break;
            continue;
        }
        struct inspect_greenlet *all =
            more(snapshot->greenlets, snapshot->greenlet_count, sizeof *all);
        if (!all)
            return false;
        snapshot->greenlets = all;
        struct inspect_greenlet *g = &all[snapshot->greenlet_count++];
        *g = (struct inspect_greenlet){
            .address = address, .hub = (size_t)(hub - snapshot->hubs), .spawner = INSPECT_NOBODY};
        read_greenlet(target, hub, hub_record, record, g);
        hub->count++;
        before = address;
        address = inspect_get(walk.forth, record, RECORD_ROOM);
    }
    return true;
}

/* People read the oldest first. */
static void turn_round(struct inspect_snapshot *snapshot, const struct inspect_hub *hub)
{
    for (size_t i = 0; i < hub->count / 2; i++) {
        struct inspect_greenlet *one = &snapshot->greenlets[hub->first + i], kept = *one;
        struct inspect_greenlet *other = &snapshot->greenlets[hub->first + hub->count - 1 - i];
        *one = *other;
        *other = kept;
    }
}

/* The list is newest first. A process that is not stopped is read from the old end, which is the
 * quiet one. Returns false for lack of memory. */
static bool read_greenlets(struct inspect_snapshot *snapshot, struct inspect_hub *hub,
                           const unsigned char *hub_record)
{
    const struct inspect_row *next = &hub->table->greenlet_next,
                             *previous = &hub->table->greenlet_previous;
    hub->first = snapshot->greenlet_count;
    if (snapshot->running)
        return read_list(snapshot, hub, hub_record, (struct walk){previous, next, RETRIES},
                         hub->root);
    if (!read_list(snapshot, hub, hub_record, (struct walk){next, previous, 0},
                   inspect_get(&hub->table->hub_all, hub_record, RECORD_ROOM)))
        return false;
    turn_round(snapshot, hub);
    return true;
}

/* A spawner is older than what it spawned. If the record with its number is
 * not, it belongs to another greenlet by now. */
static bool find_spawners(struct inspect_snapshot *snapshot, const struct inspect_hub *hub)
{
    uint32_t most = 0;
    if (!hub->count)
        return true;
    struct inspect_greenlet *all = snapshot->greenlets + hub->first;
    for (size_t i = 0; i < hub->count; i++)
        most = all[i].number > most ? all[i].number : most;
    if (most > MOST_GREENLETS)
        return true;
    uint32_t *places = calloc((size_t)most + 1, sizeof *places);
    if (!places)
        return false;
    for (size_t i = 0; i < hub->count; i++) {
        uint32_t spawner = all[i].spawner_number / 2;
        if (all[i].spawner_number != UINT32_MAX && spawner <= most && places[spawner])
            all[i].spawner = hub->first + places[spawner] - 1;
        places[all[i].number] = (uint32_t)i + 1;
    }
    free(places);
    return true;
}

/* ---- hubs ------------------------------------------------------------------------------------ */

static bool read_hub_record(struct inspect_target *target, const struct inspect_table *table,
                            uint64_t address, unsigned char *record)
{
    memset(record, 0, RECORD_ROOM);
    return table->hub.size <= RECORD_ROOM && table->greenlet.size <= RECORD_ROOM &&
           inspect_read(target, address, record, table->hub.size);
}

bool inspect_read_hub(struct inspect_target *target, struct inspect_hub *hub, unsigned char *record)
{
    const struct inspect_table *table = hub->table;
    uint64_t driver, name;
    if (!read_hub_record(target, table, hub->address, record) ||
        inspect_get(&table->hub_inbox, record, RECORD_ROOM) == table->inbox_closed.value)
        return false;
#define GET(row) inspect_get(&table->row, record, RECORD_ROOM)
    hub->tid = (pid_t)GET(hub_tid);
    hub->current = GET(hub_current);
    hub->root = GET(hub_root);
    hub->turns = GET(hub_turns);
    hub->switches = GET(hub_switches) - (uint32_t)(GET(hub_turn_at) - GET(hub_ready_head));
    hub->ready_head = (uint32_t)GET(hub_ready_head);
    hub->ready_tail = (uint32_t)GET(hub_ready_tail);
    hub->ready = hub->ready_tail - hub->ready_head;
    hub->greenlets = GET(hub_greenlets);
    hub->waiting = GET(hub_waiting);
    driver = GET(hub_driver);
#undef GET
    if (driver && inspect_fetch(target, &table->driver_name, driver, &name))
        inspect_text(target, name, hub->driver, sizeof hub->driver);
    return true;
}

static const char *find_hubs(struct inspect_snapshot *snapshot, const struct inspect_table *table)
{
    unsigned char record[RECORD_ROOM];
    uint64_t address = 0;
    inspect_word(snapshot->target, table->hubs.value, &address);
    for (unsigned seen = 0; address && seen < MOST_HUBS; seen++) {
        if (!read_hub_record(snapshot->target, table, address, record))
            return NULL; /* the list is damaged here */
        if (inspect_get(&table->hub_inbox, record, RECORD_ROOM) != table->inbox_closed.value) {
            struct inspect_hub *hubs = more(snapshot->hubs, snapshot->hub_count, sizeof *hubs);
            if (!hubs)
                return out_of_memory;
            snapshot->hubs = hubs;
            hubs[snapshot->hub_count++] = (struct inspect_hub){.address = address, .table = table};
        }
        address = inspect_get(&table->hub_next_record, record, RECORD_ROOM);
    }
    return NULL;
}

static const char *read_all(struct inspect_snapshot *snapshot)
{
    unsigned char record[RECORD_ROOM];
    snapshot->hub_count = snapshot->greenlet_count = 0;
    for (size_t i = 0; i < snapshot->table_count; i++) {
        const char *why = find_hubs(snapshot, &snapshot->tables[i]);
        if (why)
            return why;
    }
    /* The list is newest first. */
    for (size_t i = 0; i < snapshot->hub_count / 2; i++) {
        struct inspect_hub kept = snapshot->hubs[i];
        snapshot->hubs[i] = snapshot->hubs[snapshot->hub_count - 1 - i];
        snapshot->hubs[snapshot->hub_count - 1 - i] = kept;
    }
    for (size_t i = 0; i < snapshot->hub_count; i++) {
        struct inspect_hub *hub = &snapshot->hubs[i];
        hub->number = (unsigned)i + 1;
        if (!inspect_read_hub(snapshot->target, hub, record)) {
            hub->incomplete = true;
            continue;
        }
        if (!read_greenlets(snapshot, hub, record) || !find_spawners(snapshot, hub))
            return out_of_memory;
    }
    return NULL;
}

static bool complete(const struct inspect_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->hub_count; i++)
        if (snapshot->hubs[i].incomplete)
            return false;
    return true;
}

/* ---- finding --------------------------------------------------------------------------------- */

static int by_address(const void *one, const void *other, void *greenlets)
{
    const struct inspect_greenlet *all = greenlets;
    uint64_t a = all[*(const uint32_t *)one].address, b = all[*(const uint32_t *)other].address;
    return a < b ? -1 : a > b;
}

static int by_python(const void *one, const void *other, void *greenlets)
{
    const struct inspect_greenlet *all = greenlets;
    uint64_t a = all[*(const uint32_t *)one].python, b = all[*(const uint32_t *)other].python;
    return a < b ? -1 : a > b;
}

static uint32_t *sorted(const struct inspect_snapshot *snapshot,
                        int (*compare)(const void *, const void *, void *))
{
    uint32_t *places = malloc((snapshot->greenlet_count + 1) * sizeof *places);
    for (size_t i = 0; places && i < snapshot->greenlet_count; i++)
        places[i] = (uint32_t)i;
    if (places)
        qsort_r(places, snapshot->greenlet_count, sizeof *places, compare, snapshot->greenlets);
    return places;
}

static bool index_greenlets(struct inspect_snapshot *snapshot)
{
    snapshot->by_address = sorted(snapshot, by_address);
    snapshot->by_python = sorted(snapshot, by_python);
    return snapshot->by_address && snapshot->by_python;
}

const struct inspect_greenlet *inspect_find_greenlet(const struct inspect_snapshot *snapshot,
                                                     uint64_t address)
{
    size_t low = 0, high = snapshot->greenlet_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct inspect_greenlet *g = &snapshot->greenlets[snapshot->by_address[middle]];
        if (g->address == address)
            return g;
        if (g->address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct inspect_greenlet *inspect_find_python(const struct inspect_snapshot *snapshot,
                                                   uint64_t object)
{
    size_t low = 0, high = object ? snapshot->greenlet_count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct inspect_greenlet *g = &snapshot->greenlets[snapshot->by_python[middle]];
        if (g->python == object)
            return g;
        if (g->python < object)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Reads it again if it was not complete, from a process that is stopped if need be. */
static const char *read_again(struct inspect_snapshot *snapshot)
{
    struct inspect_target *target = snapshot->target;
    const char *why = NULL;
    for (int i = 1; !why && target->live && !complete(snapshot) && i < ATTEMPTS + STOPS; i++) {
        if (snapshot->running && i >= ATTEMPTS)
            break;
        if (i > ATTEMPTS) {
            inspect_continue(target);
            /* or it would be stopped again where it was */
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        if (i >= ATTEMPTS)
            inspect_stop(target);
        inspect_forget(target);
        why = read_all(snapshot);
    }
    return why;
}

/* A process that ends while it is read looks like one that has few greenlets, or none. */
static bool ended_meanwhile(struct inspect_snapshot *snapshot)
{
    unsigned char page[INSPECT_PAGE];
    struct inspect_target *target = snapshot->target;
    uint64_t address = snapshot->tables[0].address;
    return target->live && !target->source->page(target, address - address % INSPECT_PAGE, page);
}

static struct inspect_snapshot *take_snapshot(struct inspect_target *target, bool running)
{
    struct inspect_snapshot *snapshot = calloc(1, sizeof *snapshot);
    const char *why = out_of_memory;
    if (!snapshot)
        goto failed;
    snapshot->target = target;
    snapshot->running = running;
    snapshot->tables = inspect_find_tables(target, &snapshot->table_count);
    if (!snapshot->tables) {
        inspect_snapshot_free(snapshot);
        return NULL;
    }
    why = read_all(snapshot);
    if (!why)
        why = read_again(snapshot);
    if (!why && !index_greenlets(snapshot))
        why = out_of_memory;
    if (!why && ended_meanwhile(snapshot))
        why = "the process has ended meanwhile";
    if (!why)
        return snapshot;
failed:
    fprintf(stderr, "bine: %s\n", why);
    inspect_snapshot_free(snapshot);
    return NULL;
}

struct inspect_snapshot *inspect_snapshot(struct inspect_target *target)
{
    return take_snapshot(target, false);
}

struct inspect_snapshot *inspect_snapshot_running(struct inspect_target *target)
{
    return take_snapshot(target, true);
}

void inspect_snapshot_free(struct inspect_snapshot *snapshot)
{
    if (!snapshot)
        return;
    free(snapshot->tables);
    free(snapshot->hubs);
    free(snapshot->greenlets);
    free(snapshot->by_address);
    free(snapshot->by_python);
    free(snapshot);
}

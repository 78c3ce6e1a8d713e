/* See window.h. */
#include "window.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/snapshot/describe.h"

int64_t inspect_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- threads --------------------------------------------------------------------------------- */

static bool read_task_file(pid_t pid, pid_t tid, const char *name, char *text, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* Has the thread the processor, or does it wait for one? proc(5): the state stands behind the name,
 * which is in brackets and may hold any byte. */
static bool computes(pid_t pid, pid_t tid)
{
    char text[512];
    const char *bracket =
        read_task_file(pid, tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    return bracket && bracket[1] == ' ' && bracket[2] == 'R';
}

int64_t inspect_processor(pid_t pid, pid_t tid)
{
    char text[128];
    long long used;
    return read_task_file(pid, tid, "schedstat", text, sizeof text) &&
                   sscanf(text, "%lld", &used) == 1 && used >= 0
               ? used
               : -1;
}

/* ---- runners --------------------------------------------------------------------------------- */

static size_t hash_of(size_t hub, uint64_t address, uint64_t site, uint64_t arg)
{
    uint64_t hash = hub;
    const uint64_t words[] = {address, site, arg};
    for (size_t i = 0; i < 3; i++)
        hash = (hash ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15) ^ hash >> 29;
    return (size_t)(hash >> 16);
}

static struct inspect_runner **place_of(const struct inspect_window *window, size_t hub,
                                        uint64_t address, uint64_t site, uint64_t arg)
{
    size_t at = hash_of(hub, address, site, arg) & (window->room - 1);
    for (; window->runners[at]; at = (at + 1) & (window->room - 1)) {
        const struct inspect_runner *runner = window->runners[at];
        if (runner->hub == hub && runner->address == address && runner->site == site &&
            runner->arg == arg)
            break;
    }
    return &window->runners[at];
}

static bool grow(struct inspect_window *window)
{
    struct inspect_runner **before = window->runners;
    size_t room = window->room, wider = room ? 2 * room : 64;
    struct inspect_runner **runners = calloc(wider, sizeof(struct inspect_runner *));
    if (!runners)
        return false;
    window->runners = runners;
    window->room = wider;
    for (size_t i = 0; i < room; i++) {
        struct inspect_runner *runner = before[i];
        if (runner)
            *place_of(window, runner->hub, runner->address, runner->site, runner->arg) = runner;
    }
    free(before);
    return true;
}

/* The one that this greenlet is. NULL: there is no memory. */
static struct inspect_runner *runner_of(struct inspect_window *window,
                                        const struct inspect_snapshot *snapshot, size_t hub,
                                        const struct inspect_greenlet *g)
{
    if (2 * window->count >= window->room && !grow(window))
        return NULL;
    struct inspect_runner **place = place_of(window, hub, g->address, g->site, g->arg);
    struct inspect_runner *runner = *place;
    if (runner)
        return runner;
    *place = runner = calloc(1, sizeof *runner);
    if (!runner)
        return NULL;
    runner->address = g->address;
    runner->site = g->site;
    runner->arg = g->arg;
    runner->hub = hub;
    runner->number = g->number;
    inspect_name(snapshot, g, runner->name, sizeof runner->name);
    window->count++;
    return runner;
}

struct inspect_runner *inspect_window_runner(const struct inspect_window *window,
                                             const struct inspect_hub_window *hub,
                                             const struct inspect_greenlet *g)
{
    return hub && window->room
               ? *place_of(window, (size_t)(hub - window->hubs), g->address, g->site, g->arg)
               : NULL;
}

/* ---- looks ----------------------------------------------------------------------------------- */

/* What was seen of a hub at one look. */
struct look {
    int64_t when;
    bool busy;
    struct inspect_runner *runner; /* NULL: none, or not known */
};

/* Has the hub not switched, and not turned either, since the hold was noted? */
static bool is_held(const struct inspect_hub_window *at)
{
    return at->held && at->held_head == at->hub.ready_head && at->held_turns == at->hub.turns &&
           at->held_address == at->hub.current;
}

static void note_hold(struct inspect_hub_window *at, const struct look *look)
{
    const struct inspect_hub *hub = &at->hub;
    bool same = look->busy && is_held(at);
    if (same && look->when - at->held_since > at->longest) {
        at->longest = look->when - at->held_since;
        at->longest_runner = look->runner;
    }
    if (same)
        return;
    at->held = look->busy;
    at->held_since = look->when;
    at->held_head = hub->ready_head;
    at->held_turns = hub->turns;
    at->held_address = hub->current;
}

static bool look_at_current(struct inspect_window *window, const struct inspect_snapshot *snapshot,
                            size_t place, const unsigned char *record, struct look *look)
{
    struct inspect_hub_window *at = &window->hubs[place];
    bool computing = computes(snapshot->target->pid, at->hub.tid);
    struct inspect_greenlet g = {.address = at->hub.current, .hub = place};
    at->busy++;
    at->computing += computing;
    if (!inspect_read_greenlet(snapshot->target, &at->hub, record, &g))
        return true;
    if (g.state == INSPECT_PARKED)
        return true; /* the hub runs on its stack, and looks for events */
    look->runner = runner_of(window, snapshot, place, &g);
    if (!look->runner)
        return false;
    look->runner->looks++;
    look->runner->computing += computing;
    return true;
}

static bool look_at_hub(struct inspect_window *window, const struct inspect_snapshot *snapshot,
                        size_t place)
{
    struct inspect_hub_window *at = &window->hubs[place];
    unsigned char record[INSPECT_RECORD];
    if (!inspect_read_hub(snapshot->target, &at->hub, record)) {
        at->ended = true;
        return true;
    }
    struct look look = {.when = inspect_now(), .busy = !at->hub.waiting};
    at->looks++;
    if (look.busy && !look_at_current(window, snapshot, place, record, &look))
        return false;
    note_hold(at, &look);
    return inspect_delays_add(&at->delays, look.when, at->hub.ready_head, at->hub.ready_tail);
}

/* A greenlet that ran in the window before may still hold the hub. */
static void take_hold_over(struct inspect_hub_window *at, const struct inspect_hub_window *before)
{
    at->held = before->held;
    at->held_since = before->held_since;
    at->held_head = before->held_head;
    at->held_turns = before->held_turns;
    at->held_address = before->held_address;
    at->held = is_held(at);
}

bool inspect_window_begin(struct inspect_window *window, const struct inspect_snapshot *snapshot,
                          const struct inspect_window *before)
{
    unsigned char record[INSPECT_RECORD];
    *window = (struct inspect_window){.hub_count = snapshot->hub_count};
    window->hubs = calloc(snapshot->hub_count + 1, sizeof *window->hubs);
    if (!window->hubs)
        return false;
    inspect_forget(snapshot->target);
    window->began = window->last = inspect_now();
    for (size_t i = 0; i < snapshot->hub_count; i++) {
        struct inspect_hub_window *at = &window->hubs[i];
        at->hub = snapshot->hubs[i];
        at->ended = !inspect_read_hub(snapshot->target, &at->hub, record);
        at->turns = at->hub.turns;
        at->switches = at->hub.switches;
        at->processor = inspect_processor(snapshot->target->pid, at->hub.tid);
        const struct inspect_hub_window *earlier =
            before ? inspect_window_hub(before, &at->hub) : NULL;
        if (earlier)
            take_hold_over(at, earlier);
    }
    return true;
}

bool inspect_window_look(struct inspect_window *window, const struct inspect_snapshot *snapshot)
{
    inspect_forget(snapshot->target);
    for (size_t i = 0; i < window->hub_count; i++)
        if (!window->hubs[i].ended && !look_at_hub(window, snapshot, i))
            return false;
    window->looks++;
    window->last = inspect_now();
    return true;
}

const struct inspect_hub_window *inspect_window_hub(const struct inspect_window *window,
                                                    const struct inspect_hub *hub)
{
    for (size_t i = 0; i < window->hub_count; i++)
        if (window->hubs[i].hub.address == hub->address && window->hubs[i].hub.tid == hub->tid)
            return &window->hubs[i];
    return NULL;
}

void inspect_window_free(struct inspect_window *window)
{
    for (size_t i = 0; window->hubs && i < window->hub_count; i++)
        inspect_delays_free(&window->hubs[i].delays);
    for (size_t i = 0; i < window->room; i++)
        free(window->runners[i]);
    free(window->runners);
    free(window->hubs);
    *window = (struct inspect_window){0};
}

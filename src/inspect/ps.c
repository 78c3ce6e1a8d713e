/* bine ps: the greenlets of a process or a core, one line each. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inspect/snapshot/describe.h"
#include "inspect/snapshot/stack_use.h"
#include "inspect/target/sockets.h"
#include "options.h"

static const char usage[] =
    "ps [--json] [--state STATE] [--older TIME] [--verb TEXT] [--sort KEY] PID|CORE\n"
    "\n"
    "Shows the greenlets of a process or of a core file: what each waits for and who\n"
    "holds it, since when and how long still, its stack, and who spawned it where.\n"
    "\n"
    "  --state STATE   only those that are new, running, ready or parked\n"
    "  --older TIME    only those that have waited for longer than 10s, 200ms, 5min\n"
    "                  (recorded if the process has BINE_PARK_TIMES=1)\n"
    "  --verb TEXT     only those whose wait has this in its name, as recv or mutex\n"
    "  --sort KEY      by id, age, until, stack, verb or name\n"
    "  --json          one object with arrays `hubs` and `greenlets`\n";

/* What is shown of one greenlet. */
struct line {
    char id[32], wait[INSPECT_SHORT], since[32], until[32], stack[64], name[200], spawned[300];
};

static void describe_stack(struct inspect_target *target, const struct inspect_greenlet *g,
                           char *text, size_t size)
{
    struct inspect_stack_use use;
    char used[24] = "-", most[24] = "-";
    inspect_stack_use(target, g, &use);
    if (use.used)
        inspect_bytes(used, sizeof used, use.used);
    if (use.high_water)
        inspect_bytes(most, sizeof most, use.high_water);
    snprintf(text, size, use.size ? "%s / %s" : "-", used, most);
}

static void describe_spawn(const struct inspect_snapshot *snapshot,
                           const struct inspect_greenlet *g, char *text, size_t size)
{
    char place[200], spawner[32];
    *text = '\0';
    if (g->root)
        return;
    inspect_place(snapshot, g, place, sizeof place);
    inspect_append(text, size, "%s", place);
    if (g->spawner != INSPECT_NOBODY) {
        inspect_id(snapshot, &snapshot->greenlets[g->spawner], spawner, sizeof spawner);
        inspect_append(text, size, "%sby %s", *place ? " " : "", spawner);
    }
}

static void describe_line(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                          struct line *line)
{
    int64_t now = snapshot->target->now;
    inspect_id(snapshot, g, line->id, sizeof line->id);
    inspect_name(snapshot, g, line->name, sizeof line->name);
    inspect_wait_text(snapshot, g, line->wait, sizeof line->wait);
    describe_stack(snapshot->target, g, line->stack, sizeof line->stack);
    describe_spawn(snapshot, g, line->spawned, sizeof line->spawned);
    snprintf(line->since, sizeof line->since, "-");
    snprintf(line->until, sizeof line->until, "-");
    if (g->since >= 0 && now >= 0)
        inspect_duration(line->since, sizeof line->since, now > g->since ? now - g->since : 0);
    if (g->deadline != INSPECT_NEVER && now >= 0)
        inspect_duration(line->until, sizeof line->until,
                         g->deadline > now ? g->deadline - now : 0);
    else if (g->deadline != INSPECT_NEVER)
        snprintf(line->until, sizeof line->until, "@%.3f s", (double)g->deadline / 1e9);
}

/* ---- as a table ------------------------------------------------------------------------------ */

static void put_hub(const struct inspect_snapshot *snapshot, const struct inspect_hub *hub)
{
    printf("hub %u: thread %d, %s poller, %zu greenlets, %u ready, %" PRIu64 " switches, %" PRIu64
           " turns%s%s\n",
           hub->number, hub->tid, *hub->driver ? hub->driver : "unknown", hub->count, hub->ready,
           hub->switches, hub->turns, hub->waiting ? ", waits for events" : "",
           hub->incomplete
               ? "; its list changed while it was read, or is damaged: not all are shown"
               : "");
    (void)snapshot;
}

static void widen(int *width, const char *text, int most)
{
    int length = (int)strlen(text);
    if (length > *width)
        *width = length < most ? length : most;
}

/* Says so where it would be missed. */
static void put_limits_of_core(const struct inspect_snapshot *snapshot, const size_t *places,
                               size_t count)
{
    struct inspect_wait wait;
    for (size_t i = 0; i < count && !snapshot->target->live; i++) {
        inspect_wait(snapshot, &snapshot->greenlets[places[i]], &wait);
        if (wait.kind != INSPECT_DESCRIPTOR)
            continue;
        puts("\nA core does not say which files and peers descriptors are open to.");
        return;
    }
}

static void put_table(const struct inspect_snapshot *snapshot, const size_t *places, size_t count)
{
    int id = 2, wait = 9, since = 5, until = 5, stack = 12, name = 4;
    struct line line;
    for (size_t i = 0; i < snapshot->hub_count; i++)
        put_hub(snapshot, &snapshot->hubs[i]);
    /* The first lines tell how wide the columns are. */
    for (size_t i = 0; i < count && i < 1000; i++) {
        describe_line(snapshot, &snapshot->greenlets[places[i]], &line);
        widen(&id, line.id, 16);
        widen(&wait, line.wait, 60);
        widen(&since, line.since, 16);
        widen(&until, line.until, 16);
        widen(&stack, line.stack, 28);
        widen(&name, line.name, 40);
    }
    printf("\n%-*s  STATE    %-*s  %-*s  %-*s  %-*s  %-*s  SPAWNED\n", id, "ID", wait, "WAITS FOR",
           since, "SINCE", until, "UNTIL", stack, "STACK / MOST", name, "NAME");
    for (size_t i = 0; i < count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[places[i]];
        describe_line(snapshot, g, &line);
        printf("%-*s  %-7s  %-*s  %-*s  %-*s  %-*s  %-*s  %s\n", id, line.id, inspect_state_name(g),
               wait, *line.wait ? line.wait : "-", since, line.since, until, line.until, stack,
               line.stack, name, line.name, *line.spawned ? line.spawned : "-");
    }
    put_limits_of_core(snapshot, places, count);
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void put_member(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    inspect_json_text(stdout, text);
}

static void put_json_wait(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g)
{
    struct inspect_wait wait;
    inspect_wait(snapshot, g, &wait);
    if (!*wait.verb)
        return;
    put_member("verb", wait.verb);
    printf(", \"object\": %" PRIu64, g->object);
    if (*wait.object)
        put_member("object_text", wait.object);
    printf(", \"holders\": [");
    for (size_t i = 0; i < wait.holder_count; i++) {
        char id[32];
        if (wait.holders[i].greenlet) {
            inspect_id(snapshot, wait.holders[i].greenlet, id, sizeof id);
            printf("%s{\"greenlet\": \"%s\"}", i ? ", " : "", id);
        } else
            printf("%s{\"thread\": %d}", i ? ", " : "", wait.holders[i].thread);
    }
    printf("]");
}

static void put_json_greenlet(const struct inspect_snapshot *snapshot,
                              const struct inspect_greenlet *g)
{
    char text[300];
    struct inspect_stack_use use;
    int64_t now = snapshot->target->now;
    inspect_id(snapshot, g, text, sizeof text);
    printf("{\"id\": \"%s\", \"hub\": %u, \"address\": \"%#" PRIx64
           "\", \"state\": \"%s\", \"current\": %s",
           text, snapshot->hubs[g->hub].number, g->address, inspect_state_name(g),
           g->current ? "true" : "false");
    inspect_name(snapshot, g, text, sizeof text);
    put_member("name", text);
    put_json_wait(snapshot, g);
    if (g->killed)
        printf(", \"killed\": true");
    if (g->since >= 0 && now >= 0)
        printf(", \"since_seconds\": %.6f", (double)(now - g->since) / 1e9);
    if (g->deadline != INSPECT_NEVER && now >= 0)
        printf(", \"until_seconds\": %.6f", (double)(g->deadline - now) / 1e9);
    else if (g->deadline != INSPECT_NEVER)
        printf(", \"until_monotonic\": %.6f", (double)g->deadline / 1e9);
    inspect_stack_use(snapshot->target, g, &use);
    if (use.size)
        printf(", \"stack_size\": %" PRIu64, use.size);
    if (use.used)
        printf(", \"stack_used\": %" PRIu64, use.used);
    if (use.high_water)
        printf(", \"stack_high_water\": %" PRIu64, use.high_water);
    if (!g->root) {
        inspect_place(snapshot, g, text, sizeof text);
        if (*text)
            put_member("spawned_at", text);
    }
    if (g->spawner != INSPECT_NOBODY) {
        inspect_id(snapshot, &snapshot->greenlets[g->spawner], text, sizeof text);
        put_member("spawner", text);
    }
    printf("}");
}

static void put_json(const struct inspect_snapshot *snapshot, const size_t *places, size_t count)
{
    printf("{\"pid\": %d, \"hubs\": [", snapshot->target->pid);
    for (size_t i = 0; i < snapshot->hub_count; i++) {
        const struct inspect_hub *hub = &snapshot->hubs[i];
        printf("%s{\"hub\": %u, \"thread\": %d", i ? ", " : "", hub->number, hub->tid);
        put_member("poller", hub->driver);
        printf(", \"greenlets\": %zu, \"ready\": %u, \"switches\": %" PRIu64 ", \"turns\": %" PRIu64
               ", \"waits_for_events\": %s, \"complete\": %s}",
               hub->count, hub->ready, hub->switches, hub->turns, hub->waiting ? "true" : "false",
               hub->incomplete ? "false" : "true");
    }
    printf("],\n\"greenlets\": [");
    for (size_t i = 0; i < count; i++) {
        printf("%s\n", i ? "," : "");
        put_json_greenlet(snapshot, &snapshot->greenlets[places[i]]);
    }
    printf("\n]}\n");
}

static bool ages_missing(const struct inspect_options *options,
                         const struct inspect_snapshot *snapshot)
{
    if (!options->older && !(options->sort && *options->sort == 'a'))
        return false;
    for (size_t i = 0; i < snapshot->greenlet_count; i++)
        if (snapshot->greenlets[i].since >= 0)
            return false;
    return true;
}

static int show(const struct inspect_options *options, const struct inspect_snapshot *snapshot)
{
    size_t *places = malloc((snapshot->greenlet_count + 1) * sizeof *places), count = 0;
    if (!places) {
        fprintf(stderr, "bine: there is not enough memory\n");
        return 1;
    }
    if (ages_missing(options, snapshot))
        fprintf(stderr, "bine: since when greenlets wait is not recorded here; it is if the "
                        "process is started with "
                        "BINE_PARK_TIMES=1\n");
    for (size_t i = 0; i < snapshot->greenlet_count; i++)
        if (inspect_wanted(options, snapshot, &snapshot->greenlets[i]))
            places[count++] = i;
    inspect_sort(options, snapshot, places, count);
    if (options->json)
        put_json(snapshot, places, count);
    else
        put_table(snapshot, places, count);
    free(places);
    return 0;
}

int inspect_ps(int count, char **arguments)
{
    struct inspect_options options = {.usage = usage, .flags = "json state older verb sort"};
    int status = inspect_parse(&options, count, arguments);
    if (status >= 0)
        return status;
    struct inspect_target *target = inspect_open(options.target);
    struct inspect_snapshot *snapshot = target ? inspect_snapshot(target) : NULL;
    status = snapshot ? show(&options, snapshot) : 1;
    inspect_snapshot_free(snapshot);
    inspect_close(target);
    inspect_descriptors_free();
    inspect_stack_use_free();
    return status;
}

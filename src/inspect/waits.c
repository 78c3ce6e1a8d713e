/* bine waits: who waits for whom. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inspect/snapshot/describe.h"
#include "inspect/snapshot/graph.h"
#include "inspect/target/sockets.h"
#include "options.h"

static const char usage[] =
    "waits [--json] PID|CORE\n"
    "\n"
    "Shows which greenlets and threads wait for which others: for a lock that the other\n"
    "holds, or for its end. Circles are named as deadlocks, across hubs and through the\n"
    "locks of pthreads, too. Below each holder stand those that wait for it.\n";

enum {
    DEPTH = 32, /* of the tree that is shown */
    SHOWN = 20, /* waiters of one holder */
};

/* "1.3 name", or "thread 12". */
static void name_node(const struct inspect_graph *graph, size_t node, char *text, size_t size)
{
    char id[32], name[100];
    if (inspect_is_thread(graph, node)) {
        snprintf(text, size, "thread %d", inspect_tid(graph, node));
        return;
    }
    inspect_id(graph->snapshot, &graph->snapshot->greenlets[node], id, sizeof id);
    inspect_name(graph->snapshot, &graph->snapshot->greenlets[node], name, sizeof name);
    snprintf(text, size, "%s %s", id, name);
}

/* Does the wait end by itself? Not that of a lock of pthreads: its timer may only serve to look at
 * the lock from time to time. */
static bool limited(const struct inspect_graph *graph, size_t node)
{
    struct inspect_wait wait;
    if (inspect_is_thread(graph, node) ||
        graph->snapshot->greenlets[node].deadline == INSPECT_NEVER)
        return false;
    inspect_wait(graph->snapshot, &graph->snapshot->greenlets[node], &wait);
    return *wait.verb && wait.kind != INSPECT_MUTEX && wait.kind != INSPECT_POSIX_RWLOCK;
}

/* What it waits for: "acquire rlock 0x...". */
static void describe_node(const struct inspect_graph *graph, size_t node, char *text, size_t size)
{
    const struct inspect_snapshot *snapshot = graph->snapshot;
    struct inspect_wait wait;
    *text = '\0';
    if (graph->nodes[node].object) {
        snprintf(text, size, "in libc for the mutex %#" PRIx64, graph->nodes[node].object);
        return;
    }
    if (inspect_is_thread(graph, node))
        return;
    const struct inspect_greenlet *g = &snapshot->greenlets[node];
    inspect_wait(snapshot, g, &wait);
    if (*wait.verb)
        snprintf(text, size, "in %s%s%s", wait.verb, *wait.object ? " " : "", wait.object);
    else
        snprintf(text, size, "%s", inspect_state_name(g));
    if (limited(graph, node) && snapshot->target->now >= 0) {
        char rest[32];
        inspect_duration(rest, sizeof rest,
                         g->deadline > snapshot->target->now ? g->deadline - snapshot->target->now
                                                             : 0);
        inspect_append(text, size, ", for %s at most", rest);
    }
}

static void put_node(const struct inspect_graph *graph, size_t node, int depth)
{
    char name[160], wait[INSPECT_SHORT];
    name_node(graph, node, name, sizeof name);
    describe_node(graph, node, wait, sizeof wait);
    printf("%*s%s%s%s\n", 4 * depth, "", name, *wait ? "  " : "", wait);
}

static bool is_shown(const struct inspect_graph *graph, size_t node)
{
    return inspect_is_thread(graph, node) || !graph->snapshot->greenlets[node].hidden;
}

/* ---- deadlocks ------------------------------------------------------------------------------- */

static size_t first_of_cycle(const struct inspect_graph *graph, unsigned cycle)
{
    size_t node = 0;
    while (graph->nodes[node].cycle != cycle)
        node++;
    return node;
}

static void put_cycle(const struct inspect_graph *graph, unsigned cycle)
{
    size_t first = first_of_cycle(graph, cycle), node = first, length = 0;
    bool ends = false, guessed = false;
    do {
        length++;
        ends |= limited(graph, node);
        guessed |= graph->nodes[node].guessed;
        node = graph->nodes[node].to;
    } while (node != first);
    printf("%s%s: %zu %s\n", guessed ? "probably a deadlock" : "deadlock",
           ends ? " that a time limit will end" : "", length,
           length == 1 ? "waits for itself" : "wait for each other in a circle");
    do {
        char name[160];
        put_node(graph, node, 1);
        node = graph->nodes[node].to;
        name_node(graph, node, name, sizeof name);
        printf("        which %s holds or is\n", name);
    } while (node != first);
    if (guessed)
        printf("    A mutex of this kind does not record its holder. The greenlet named is the "
               "only one whose\n"
               "    stack has the mutex's address. BINE_DEBUG_LOCKS=1 records the holders of all "
               "mutexes.\n");
    putchar('\n');
}

/* ---- trees ----------------------------------------------------------------------------------- */

/* The waiters of each node, next to each other: those of node i from first[i] on. */
struct waiters {
    size_t *first, *nodes;
};

static bool gather(const struct inspect_graph *graph, struct waiters *waiters)
{
    waiters->first = calloc(graph->count + 2, sizeof *waiters->first);
    waiters->nodes = calloc(graph->count + 1, sizeof *waiters->nodes);
    if (!waiters->first || !waiters->nodes)
        return false;
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].to != INSPECT_NOBODY)
            waiters->first[graph->nodes[i].to + 2]++;
    for (size_t i = 0; i < graph->count; i++)
        waiters->first[i + 2] += waiters->first[i + 1];
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].to != INSPECT_NOBODY)
            waiters->nodes[waiters->first[graph->nodes[i].to + 1]++] = i;
    return true;
}

/* The depth is bounded, so the recursion is. */
static void put_waiters(const struct inspect_graph *graph, const struct waiters *waiters,
                        size_t node, int depth)
{
    size_t begin = waiters->first[node], end = waiters->first[node + 1], shown = 0;
    if (depth > DEPTH) {
        printf("%*s...\n", 4 * depth, "");
        return;
    }
    for (size_t i = begin; i < end; i++) {
        size_t waiter = waiters->nodes[i];
        if (graph->nodes[waiter].cycle && graph->nodes[node].cycle)
            continue; /* shown above */
        if (shown++ == SHOWN) {
            printf("%*sand %zu more\n", 4 * depth, "", end - i);
            break;
        }
        put_node(graph, waiter, depth);
        put_waiters(graph, waiters, waiter, depth + 1);
    }
}

static bool outside_waiters(const struct inspect_graph *graph, const struct waiters *waiters,
                            size_t node)
{
    for (size_t i = waiters->first[node]; i < waiters->first[node + 1]; i++)
        if (!graph->nodes[waiters->nodes[i]].cycle)
            return true;
    return false;
}

static void put_trees(const struct inspect_graph *graph, const struct waiters *waiters)
{
    size_t trees = 0;
    for (size_t i = 0; i < graph->count; i++) {
        bool top = graph->nodes[i].cycle
                       ? outside_waiters(graph, waiters, i)
                       : graph->nodes[i].to == INSPECT_NOBODY && graph->nodes[i].waiters;
        if (!top || !is_shown(graph, i))
            continue;
        put_node(graph, i, 0);
        put_waiters(graph, waiters, i, 1);
        trees++;
    }
    if (!trees && !graph->cycles)
        printf("no greenlet waits for another one that is known\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json_node(const struct inspect_graph *graph, size_t node)
{
    char id[32];
    if (inspect_is_thread(graph, node)) {
        printf("{\"thread\": %d}", inspect_tid(graph, node));
        return;
    }
    inspect_id(graph->snapshot, &graph->snapshot->greenlets[node], id, sizeof id);
    printf("{\"greenlet\": \"%s\"}", id);
}

static void put_json(const struct inspect_graph *graph)
{
    const char *comma = "";
    printf("{\"deadlocks\": [");
    for (unsigned cycle = 1; cycle <= graph->cycles; cycle++) {
        size_t first = first_of_cycle(graph, cycle), node = first;
        printf("%s[", cycle > 1 ? ", " : "");
        do {
            put_json_node(graph, node);
            node = graph->nodes[node].to;
            printf("%s", node == first ? "]" : ", ");
        } while (node != first);
    }
    printf("],\n\"waits\": [");
    for (size_t i = 0; i < graph->count; i++) {
        char wait[INSPECT_SHORT];
        if (graph->nodes[i].to == INSPECT_NOBODY)
            continue;
        describe_node(graph, i, wait, sizeof wait);
        printf("%s\n{\"from\": ", comma);
        put_json_node(graph, i);
        printf(", \"to\": ");
        put_json_node(graph, graph->nodes[i].to);
        printf(", \"probable\": %s, \"wait\": ", graph->nodes[i].guessed ? "true" : "false");
        inspect_json_text(stdout, wait);
        printf("}");
        comma = ",";
    }
    printf("\n]}\n");
}

static int show(const struct inspect_options *options, const struct inspect_snapshot *snapshot)
{
    struct inspect_graph *graph = inspect_graph_new(snapshot);
    struct waiters waiters = {0};
    int status = graph && gather(graph, &waiters) ? 0 : 1;
    if (!status && options->json)
        put_json(graph);
    else if (!status) {
        for (unsigned cycle = 1; cycle <= graph->cycles; cycle++)
            put_cycle(graph, cycle);
        put_trees(graph, &waiters);
    }
    free(waiters.first);
    free(waiters.nodes);
    inspect_graph_free(graph);
    return status;
}

int inspect_waits(int count, char **arguments)
{
    struct inspect_options options = {.usage = usage, .flags = "json"};
    int status = inspect_parse(&options, count, arguments);
    if (status >= 0)
        return status;
    struct inspect_target *target = inspect_open(options.target);
    struct inspect_snapshot *snapshot = target ? inspect_snapshot(target) : NULL;
    status = snapshot ? show(&options, snapshot) : 1;
    inspect_snapshot_free(snapshot);
    inspect_close(target);
    inspect_descriptors_free();
    return status;
}

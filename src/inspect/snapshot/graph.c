/* See graph.h. */
#include "graph.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "unwind.h"

enum {
    MOST_SEARCHED = 10000, /* greenlets whose stacks are searched for one lock */
    MOST_STACK = 65536,    /* bytes of each of them */
    MOST_SEARCHES = 100,   /* locks that are searched for */
};

static size_t thread_node(const struct inspect_graph *graph, pid_t tid)
{
    const struct inspect_target *target = graph->snapshot->target;
    for (size_t i = 0; tid && i < target->thread_count; i++)
        if (target->threads[i].tid == tid)
            return graph->snapshot->greenlet_count + i;
    return INSPECT_NOBODY;
}

static size_t greenlet_node(const struct inspect_graph *graph, const struct inspect_greenlet *g)
{
    return (size_t)(g - graph->snapshot->greenlets);
}

static const struct inspect_hub *hub_of_thread(const struct inspect_snapshot *snapshot, pid_t tid)
{
    for (size_t i = 0; i < snapshot->hub_count; i++)
        if (snapshot->hubs[i].tid == tid)
            return &snapshot->hubs[i];
    return NULL;
}

/* ---- a holder that is not recorded ----------------------------------------------------------- */

static bool stack_shows(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                        uint64_t address)
{
    struct inspect_target *target = snapshot->target;
    uint64_t words[512],
        begin = g->state == INSPECT_NEW ? 0 : inspect_lowest_frame(snapshot, g) & ~UINT64_C(7),
        end = begin + MOST_STACK;
    if (!begin)
        return false;
    if (g->top > begin && g->top < end)
        end = g->top;
    for (uint64_t at = begin; at < end; at += sizeof words) {
        size_t size = end - at < sizeof words ? (size_t)(end - at) : sizeof words;
        if (!inspect_read(target, at, words, size))
            return false;
        for (size_t i = 0; i < size / 8; i++)
            if (words[i] == address)
                return true;
    }
    return false;
}

/* The only greenlet of the hub that does not wait for the lock and has its address on its stack. */
static const struct inspect_greenlet *likely_holder(const struct inspect_snapshot *snapshot,
                                                    const struct inspect_hub *hub, uint64_t lock)
{
    const struct inspect_greenlet *found = NULL;
    size_t searched = hub->count < MOST_SEARCHED ? hub->count : MOST_SEARCHED;
    for (size_t i = 0; i < searched; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[hub->first + i];
        if (g->object == lock || !stack_shows(snapshot, g, lock))
            continue;
        if (found)
            return NULL;
        found = g;
    }
    return found;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void connect_greenlet(struct inspect_graph *graph, size_t node, unsigned *searches)
{
    const struct inspect_snapshot *snapshot = graph->snapshot;
    const struct inspect_greenlet *g = &snapshot->greenlets[node];
    struct inspect_wait wait;
    inspect_wait(snapshot, g, &wait);
    if (wait.holder_count != 1 || wait.any)
        return;
    const struct inspect_holder *holder = &wait.holders[0];
    const struct inspect_hub *hub =
        holder->greenlet ? NULL : hub_of_thread(snapshot, holder->thread);
    const struct inspect_greenlet *likely = NULL;
    if (hub && *searches < MOST_SEARCHES) {
        ++*searches;
        likely = likely_holder(snapshot, hub, g->object);
    }
    graph->nodes[node].guessed = likely != NULL;
    if (holder->greenlet || likely)
        graph->nodes[node].to = greenlet_node(graph, likely ? likely : holder->greenlet);
    else
        graph->nodes[node].to = thread_node(graph, holder->thread);
}

/* The futex that a thread waits for in the kernel; 0: it does not. */
static uint64_t futex_of(const struct inspect_target *target, pid_t tid)
{
    char path[64];
    unsigned long long number = 0, address = 0;
    if (!target->live)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", target->pid, tid);
    FILE *file = fopen(path, "re");
    int got = file ? fscanf(file, "%llu %llx", &number, &address) : 0;
    if (file)
        fclose(file);
    return got == 2 && number == (target->machine == EM_X86_64 ? 202 : 98) ? address : 0;
}

/* A thread may wait in libc for a mutex, whose first word is the futex. */
static void connect_thread(struct inspect_graph *graph, size_t node)
{
    const struct inspect_snapshot *snapshot = graph->snapshot;
    const struct inspect_table *table = &snapshot->tables[0];
    pid_t tid = inspect_tid(graph, node);
    uint64_t futex = futex_of(snapshot->target, tid), owner, mark = 0;
    if (!futex ||
        !inspect_fetch(snapshot->target, &table->mutex_thread, futex - table->mutex_lock.value,
                       &owner) ||
        thread_node(graph, (pid_t)owner) == INSPECT_NOBODY || (pid_t)owner == tid)
        return; /* a condition, a join ... */
    inspect_word(snapshot->target, futex - table->mutex_lock.value + table->mutex_greenlet.value,
                 &mark);
    const struct inspect_greenlet *g = inspect_find_greenlet(snapshot, mark);
    const struct inspect_hub *hub = hub_of_thread(snapshot, (pid_t)owner);
    if (!g && hub && (g = likely_holder(snapshot, hub, futex)))
        graph->nodes[node].guessed = true;
    graph->nodes[node].object = futex;
    graph->nodes[node].to = g ? greenlet_node(graph, g) : thread_node(graph, (pid_t)owner);
}

/* A greenlet of a hub whose whole thread is blocked waits for what the thread waits for. */
static void connect_current(struct inspect_graph *graph)
{
    const struct inspect_snapshot *snapshot = graph->snapshot;
    for (size_t i = 0; i < snapshot->hub_count; i++) {
        const struct inspect_greenlet *current =
            inspect_find_greenlet(snapshot, snapshot->hubs[i].current);
        size_t thread = thread_node(graph, snapshot->hubs[i].tid);
        if (thread == INSPECT_NOBODY || graph->nodes[thread].to == INSPECT_NOBODY || !current)
            continue;
        graph->nodes[greenlet_node(graph, current)].to = graph->nodes[thread].to;
        graph->nodes[greenlet_node(graph, current)].object = graph->nodes[thread].object;
    }
}

/* Each node has one edge at most, so a walk that meets a node of its own has found a cycle. */
static void find_cycles(struct inspect_graph *graph, size_t *seen)
{
    for (size_t start = 0; start < graph->count; start++) {
        size_t at = start;
        while (at != INSPECT_NOBODY && !seen[at]) {
            seen[at] = start + 1;
            at = graph->nodes[at].to;
        }
        if (at == INSPECT_NOBODY || seen[at] != start + 1 || graph->nodes[at].cycle)
            continue;
        graph->cycles++;
        for (size_t node = at; !graph->nodes[node].cycle; node = graph->nodes[node].to)
            graph->nodes[node].cycle = graph->cycles;
    }
}

struct inspect_graph *inspect_graph_new(const struct inspect_snapshot *snapshot)
{
    struct inspect_graph *graph = calloc(1, sizeof *graph);
    size_t count = snapshot->greenlet_count + snapshot->target->thread_count,
           *seen = calloc(count + 1, sizeof *seen);
    unsigned searches = 0;
    if (graph)
        graph->nodes = calloc(count + 1, sizeof *graph->nodes);
    if (!seen || !graph || !graph->nodes) {
        fprintf(stderr, "bine: there is not enough memory\n");
        free(seen);
        inspect_graph_free(graph);
        return NULL;
    }
    graph->snapshot = snapshot;
    graph->count = count;
    for (size_t i = 0; i < count; i++)
        graph->nodes[i].to = INSPECT_NOBODY;
    for (size_t i = 0; i < snapshot->greenlet_count; i++)
        if (snapshot->greenlets[i].state == INSPECT_PARKED)
            connect_greenlet(graph, i, &searches);
    for (size_t i = snapshot->greenlet_count; i < count; i++)
        connect_thread(graph, i);
    connect_current(graph);
    for (size_t i = 0; i < count; i++)
        if (graph->nodes[i].to != INSPECT_NOBODY)
            graph->nodes[graph->nodes[i].to].waiters++;
    find_cycles(graph, seen);
    free(seen);
    return graph;
}

void inspect_graph_free(struct inspect_graph *graph)
{
    if (!graph)
        return;
    free(graph->nodes);
    free(graph);
}

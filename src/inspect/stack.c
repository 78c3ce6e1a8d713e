/* bine stack: backtraces, equal ones grouped. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inspect/snapshot/describe.h"
#include "inspect/snapshot/python_frames.h"
#include "inspect/snapshot/unwind.h"
#include "inspect/target/stop.h"
#include "options.h"

static const char usage[] =
    "stack [--json] [--state STATE] [--older TIME] [--verb TEXT] PID|CORE [ID...]\n"
    "\n"
    "Shows the backtraces of all greenlets of a process or of a core file, or of those\n"
    "with the given numbers (1.17, as bine ps shows them) or addresses. Greenlets with\n"
    "the same backtrace are shown together. The options choose as those of bine ps.\n";

enum {
    NAMES = 8 /* of greenlets, in front of a backtrace that many share */
};

struct trace {
    struct inspect_trace c;
    struct inspect_python_stack python;
};

struct traced {
    size_t place; /* of the greenlet in the snapshot */
    const struct trace *trace;
};

static bool same_trace(const struct trace *one, const struct trace *other)
{
    const struct inspect_python_stack *python = &one->python;
    return one->c.count == other->c.count && one->c.whole == other->c.whole &&
           python->count == other->python.count &&
           memcmp(one->c.pcs, other->c.pcs, one->c.count * sizeof *one->c.pcs) == 0 &&
           memcmp(python->frames, other->python.frames, python->count * sizeof *python->frames) ==
               0;
}

/* ---- the traces ------------------------------------------------------------------------------ */

/* Traces that were found, each once. */
struct traces {
    const struct trace **table;
    size_t room, count;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15) ^ hash >> 29;
}

static uint64_t hash_of(const struct trace *trace)
{
    uint64_t hash = trace->c.count;
    for (size_t i = 0; i < trace->c.count; i++)
        hash = mix(hash, trace->c.pcs[i]);
    for (size_t i = 0; i < trace->python.count; i++)
        hash = mix(hash, trace->python.frames[i].instruction);
    return hash;
}

static bool widen(struct traces *traces)
{
    struct traces wider = {NULL, traces->room ? 2 * traces->room : 64, traces->count};
    wider.table = calloc(wider.room, sizeof(struct trace *));
    if (!wider.table)
        return false;
    for (size_t i = 0; i < traces->room; i++) {
        if (!traces->table[i])
            continue;
        size_t place = hash_of(traces->table[i]) & (wider.room - 1);
        while (wider.table[place])
            place = (place + 1) & (wider.room - 1);
        wider.table[place] = traces->table[i];
    }
    free(traces->table);
    *traces = wider;
    return true;
}

/* The one that is kept of all that are equal to this. */
static const struct trace *keep(struct traces *traces, const struct trace *trace)
{
    if (2 * traces->count >= traces->room && !widen(traces))
        return NULL;
    size_t place = hash_of(trace) & (traces->room - 1);
    for (; traces->table[place]; place = (place + 1) & (traces->room - 1))
        if (same_trace(traces->table[place], trace))
            return traces->table[place];
    struct trace *kept = malloc(sizeof *kept);
    if (!kept)
        return NULL;
    *kept = *trace;
    traces->count++;
    return traces->table[place] = kept;
}

static void free_traces(struct traces *traces)
{
    for (size_t i = 0; i < traces->room; i++)
        free((void *)traces->table[i]);
    free(traces->table);
}

static void trace_greenlet(const struct inspect_snapshot *snapshot,
                           struct inspect_unwinder *unwinder, const struct inspect_greenlet *g,
                           struct trace *trace)
{
    struct inspect_target *target = snapshot->target;
    struct inspect_registers registers;
    bool known =
        g->current ? inspect_thread_registers(target, snapshot->hubs[g->hub].tid, &registers)
                   : inspect_saved_registers(target, inspect_table_of(snapshot, g), g, &registers);
    trace->c = (struct inspect_trace){0};
    if (known)
        inspect_unwind(unwinder, registers, &trace->c);
    inspect_python_stack(snapshot, g, &trace->python);
}

/* Can the traces of those that run on threads be read without stopping the process? */
static bool threads_blocked(const struct inspect_snapshot *snapshot,
                            struct inspect_unwinder *unwinder)
{
    for (size_t i = 0; i < snapshot->greenlet_count; i++) {
        struct trace trace;
        if (!snapshot->greenlets[i].current)
            continue;
        trace_greenlet(snapshot, unwinder, &snapshot->greenlets[i], &trace);
        if (!trace.c.whole)
            return false;
    }
    return true;
}

/* ---- showing --------------------------------------------------------------------------------- */

/* What they wait for, if it is the same for all. */
static bool same_wait(const struct inspect_snapshot *snapshot, const struct traced *group,
                      size_t count)
{
    const struct inspect_greenlet *first = &snapshot->greenlets[group->place];
    for (size_t i = 1; i < count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[group[i].place];
        if (g->verb != first->verb || g->object != first->object || g->state != first->state)
            return false;
    }
    return true;
}

static void put_heading(const struct inspect_snapshot *snapshot, const struct traced *group,
                        size_t count)
{
    const struct inspect_greenlet *first = &snapshot->greenlets[group->place];
    char id[32], name[200];
    printf("%zu %s %s", count, count == 1 ? "greenlet" : "greenlets", inspect_state_name(first));
    if (first->state == INSPECT_PARKED) {
        struct inspect_wait wait;
        inspect_wait(snapshot, first, &wait);
        if (same_wait(snapshot, group, count))
            printf(" in %s%s%s", wait.verb, *wait.object ? " " : "", wait.object);
        else
            printf(" in %s", wait.verb);
    }
    for (size_t i = 0; i < count && i < NAMES; i++) {
        inspect_id(snapshot, &snapshot->greenlets[group[i].place], id, sizeof id);
        inspect_name(snapshot, &snapshot->greenlets[group[i].place], name, sizeof name);
        printf("%s %s %s", i ? "," : ":", id, name);
    }
    if (count > NAMES)
        printf(" and %zu more", count - NAMES);
    putchar('\n');
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A frame of C or of Python, by its place in the trace. */
struct frame {
    bool python;
    size_t at;
};

struct frames {
    size_t count;
    struct frame list[INSPECT_FRAMES + INSPECT_PYTHON_FRAMES];
};

/* The Python frames that one call of the interpreter runs, from the place `next` on. Returns where
 * those of the next call are. */
static size_t add_python(const struct trace *trace, size_t next, struct frames *frames)
{
    while (next < trace->python.count && trace->python.frames[next].code)
        frames->list[frames->count++] = (struct frame){true, next++};
    return next + 1;
}

/* All frames, the innermost first. Python frames stand where the function of the interpreter that
 * runs them has its frame. */
static void merge(struct inspect_unwinder *unwinder, const struct trace *trace,
                  struct frames *frames)
{
    size_t next = 0;
    frames->count = 0;
    for (size_t i = 0; i < trace->c.count; i++) {
        const char *function =
            next < trace->python.count
                ? inspect_symbol(unwinder, trace->c.pcs[i], trace->c.exact[i])->function
                : "";
        if (strncmp(function, "_PyEval_EvalFrameDefault", 24) == 0)
            next = add_python(trace, next, frames);
        else
            frames->list[frames->count++] = (struct frame){false, i};
    }
    while (next < trace->python.count)
        next = add_python(trace, next, frames);
}

static void put_c_frame(const struct inspect_symbol *symbol, uint64_t pc)
{
    printf("    %#018" PRIx64 " ", pc);
    if (*symbol->function)
        printf("%s+%#" PRIx64, symbol->function, symbol->offset);
    else
        printf("??");
    if (*symbol->file)
        printf(" at %s:%d", symbol->file, symbol->line);
    else if (*symbol->object)
        printf(*symbol->function ? " in %s" : " in %s+%#" PRIx64, base_of(symbol->object),
               symbol->offset);
    putchar('\n');
}

static void put_frames(const struct inspect_snapshot *snapshot, struct inspect_unwinder *unwinder,
                       const struct traced *traced)
{
    const struct trace *trace = traced->trace;
    struct frames frames;
    merge(unwinder, trace, &frames);
    for (size_t i = 0; i < frames.count; i++) {
        size_t at = frames.list[i].at;
        if (frames.list[i].python) {
            struct inspect_python_place place;
            inspect_python_place(snapshot, &snapshot->greenlets[traced->place],
                                 &trace->python.frames[at], &place);
            printf("    %-18s %s at %s:%d\n", "Python", *place.function ? place.function : "??",
                   *place.file ? place.file : "??", place.line);
        } else
            put_c_frame(inspect_symbol(unwinder, trace->c.pcs[at], trace->c.exact[at]),
                        trace->c.pcs[at]);
    }
    if (!trace->c.count)
        printf("    (it has no frames yet, or its registers cannot be read)\n");
    else if (!trace->c.whole)
        printf("    ... the rest cannot be read\n");
}

static void put_json_place(const char *function, const char *file, int line)
{
    if (*function) {
        printf(", \"function\": ");
        inspect_json_text(stdout, function);
    }
    if (*file) {
        printf(", \"file\": ");
        inspect_json_text(stdout, file);
        printf(", \"line\": %d", line);
    }
}

static void put_json_frames(const struct inspect_snapshot *snapshot,
                            struct inspect_unwinder *unwinder, const struct traced *traced)
{
    const struct trace *trace = traced->trace;
    struct frames frames;
    merge(unwinder, trace, &frames);
    for (size_t i = 0; i < frames.count; i++) {
        size_t at = frames.list[i].at;
        printf(i ? ",\n  " : "\n  ");
        if (frames.list[i].python) {
            struct inspect_python_place place;
            inspect_python_place(snapshot, &snapshot->greenlets[traced->place],
                                 &trace->python.frames[at], &place);
            printf("{\"language\": \"python\"");
            put_json_place(place.function, place.file, place.line);
        } else {
            const struct inspect_symbol *symbol =
                inspect_symbol(unwinder, trace->c.pcs[at], trace->c.exact[at]);
            printf("{\"pc\": \"%#" PRIx64 "\", \"object\": ", trace->c.pcs[at]);
            inspect_json_text(stdout, symbol->object);
            printf(", \"offset\": %" PRIu64, symbol->offset);
            put_json_place(symbol->function, symbol->file, symbol->line);
        }
        putchar('}');
    }
}

static void put_json_group(const struct inspect_snapshot *snapshot,
                           struct inspect_unwinder *unwinder, const struct traced *group,
                           size_t count)
{
    char text[200];
    printf("{\"greenlets\": [");
    for (size_t i = 0; i < count; i++) {
        inspect_id(snapshot, &snapshot->greenlets[group[i].place], text, sizeof text);
        printf("%s\"%s\"", i ? ", " : "", text);
    }
    printf("], \"state\": \"%s\"", inspect_state_name(&snapshot->greenlets[group->place]));
    inspect_verb(snapshot, &snapshot->greenlets[group->place], text, sizeof text);
    if (*text) {
        printf(", \"verb\": ");
        inspect_json_text(stdout, text);
    }
    printf(", \"complete\": %s, \"frames\": [", group->trace->c.whole ? "true" : "false");
    put_json_frames(snapshot, unwinder, group);
    printf("]}");
}

/* Equal ones next to each other, the oldest of each group first. */
static int by_trace(const void *one, const void *other, void *arg)
{
    const struct inspect_snapshot *snapshot = arg;
    const struct traced *a = one, *b = other;
    const struct inspect_greenlet *g = &snapshot->greenlets[a->place],
                                  *h = &snapshot->greenlets[b->place];
    if (a->trace != b->trace)
        return a->trace < b->trace ? -1 : 1;
    if (g->state != h->state)
        return g->state < h->state ? -1 : 1;
    if (g->verb != h->verb)
        return g->verb < h->verb ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

struct group {
    size_t first, count;
};

static int larger_first(const void *one, const void *other)
{
    const struct group *a = one, *b = other;
    return a->count != b->count  ? (a->count > b->count ? -1 : 1)
           : a->first < b->first ? -1
                                 : a->first > b->first;
}

static void show_all(const struct inspect_options *options, const struct inspect_snapshot *snapshot,
                     struct inspect_unwinder *unwinder, struct traced *traced, struct group *groups,
                     size_t count)
{
    size_t group_count = 0;
    qsort_r(traced, count, sizeof *traced, by_trace, (void *)snapshot);
    for (size_t i = 0; i < count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[traced[i].place];
        const struct inspect_greenlet *before =
            i ? &snapshot->greenlets[traced[i - 1].place] : NULL;
        if (!before || traced[i].trace != traced[i - 1].trace || g->state != before->state ||
            g->verb != before->verb)
            groups[group_count++] = (struct group){i, 0};
        groups[group_count - 1].count++;
    }
    qsort(groups, group_count, sizeof *groups, larger_first);
    if (options->json)
        printf("[");
    for (size_t i = 0; i < group_count; i++) {
        const struct traced *first = &traced[groups[i].first];
        if (options->json) {
            printf(i ? ",\n" : "");
            put_json_group(snapshot, unwinder, first, groups[i].count);
            continue;
        }
        printf(i ? "\n" : "");
        put_heading(snapshot, first, groups[i].count);
        put_frames(snapshot, unwinder, first);
    }
    if (options->json)
        printf("]\n");
}

/* ---- which ----------------------------------------------------------------------------------- */

static bool named_by(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                     const char *argument)
{
    char id[32], *end;
    inspect_id(snapshot, g, id, sizeof id);
    return strcmp(id, argument) == 0 ||
           (strncmp(argument, "0x", 2) == 0 && strtoull(argument, &end, 16) == g->address && !*end);
}

static bool chosen(const struct inspect_options *options, const struct inspect_snapshot *snapshot,
                   const struct inspect_greenlet *g)
{
    if (!inspect_wanted(options, snapshot, g))
        return false;
    for (int i = 0; i < options->rest_count; i++)
        if (named_by(snapshot, g, options->rest[i]))
            return true;
    return !options->rest_count;
}

static int check_named(const struct inspect_options *options,
                       const struct inspect_snapshot *snapshot)
{
    for (int i = 0; i < options->rest_count; i++) {
        bool found = false;
        for (size_t n = 0; !found && n < snapshot->greenlet_count; n++)
            found = named_by(snapshot, &snapshot->greenlets[n], options->rest[i]);
        if (!found) {
            fprintf(stderr, "bine: there is no greenlet %s\n", options->rest[i]);
            return 1;
        }
    }
    return 0;
}

static int show_traces(const struct inspect_options *options,
                       const struct inspect_snapshot *snapshot, struct inspect_unwinder *unwinder)
{
    struct traced *traced = calloc(snapshot->greenlet_count + 1, sizeof *traced);
    struct group *groups = calloc(snapshot->greenlet_count + 1, sizeof *groups);
    struct traces traces = {0};
    size_t count = 0;
    bool right = traced && groups;
    for (size_t i = 0; right && i < snapshot->greenlet_count; i++) {
        struct trace trace;
        if (!chosen(options, snapshot, &snapshot->greenlets[i]))
            continue;
        trace_greenlet(snapshot, unwinder, &snapshot->greenlets[i], &trace);
        traced[count] = (struct traced){i, keep(&traces, &trace)};
        right = traced[count++].trace != NULL;
    }
    inspect_continue(snapshot->target);
    if (right)
        show_all(options, snapshot, unwinder, traced, groups, count);
    else
        fprintf(stderr, "bine: there is not enough memory\n");
    free_traces(&traces);
    free(groups);
    free(traced);
    return right ? 0 : 1;
}

int inspect_stack(int count, char **arguments)
{
    struct inspect_options options = {
        .usage = usage, .flags = "json state older verb", .several = true};
    int status = inspect_parse(&options, count, arguments);
    if (status >= 0)
        return status;
    struct inspect_target *target = inspect_open(options.target);
    struct inspect_snapshot *snapshot = target ? inspect_snapshot(target) : NULL;
    struct inspect_unwinder *unwinder = snapshot ? inspect_unwinder_new(target) : NULL;
    if (unwinder && target->live && !threads_blocked(snapshot, unwinder)) {
        inspect_stop(target);
        inspect_snapshot_free(snapshot);
        inspect_forget(target);
        snapshot = inspect_snapshot(target);
    }
    status = unwinder && snapshot ? check_named(&options, snapshot) : 1;
    if (!status)
        status = show_traces(&options, snapshot, unwinder);
    inspect_unwinder_free(unwinder);
    inspect_snapshot_free(snapshot);
    inspect_close(target);
    return status;
}

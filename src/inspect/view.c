/* See view.h. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/snapshot/describe.h"
#include "inspect/snapshot/pool.h"
#include "inspect/target/text.h"

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct inspect_hub_window *window_of(const struct inspect_view *view,
                                                  const struct inspect_greenlet *g)
{
    return inspect_window_hub(view->window, &view->snapshot->hubs[g->hub]);
}

static void add_row(struct inspect_view *view, const struct inspect_greenlet *g,
                    const struct inspect_runner *runner)
{
    view->rows[view->row_count++] = (struct inspect_row_of_view){g, runner};
}

static bool passes(const struct inspect_view *view, const char *filter)
{
    char *text = NULL;
    size_t size;
    FILE *out = *filter ? open_memstream(&text, &size) : NULL;
    if (!out)
        return true;
    inspect_view_put_row(view, view->row_count - 1, out);
    bool found = fclose(out) == 0 && strcasestr(text, filter);
    free(text);
    return found;
}

static void add_greenlets(struct inspect_view *view, const struct inspect_choice *choice)
{
    const struct inspect_snapshot *snapshot = view->snapshot;
    for (size_t h = 0; h < snapshot->hub_count; h++) {
        const struct inspect_hub *hub = &snapshot->hubs[h];
        const struct inspect_hub_window *at = inspect_window_hub(view->window, hub);
        for (size_t i = hub->first; i < hub->first + hub->count; i++) {
            const struct inspect_greenlet *g = &snapshot->greenlets[i];
            struct inspect_runner *runner = inspect_window_runner(view->window, at, g);
            if (runner)
                runner->met = true;
            if (!inspect_wanted(choice->options, snapshot, g))
                continue;
            add_row(view, g, runner);
            view->row_count -= !passes(view, choice->filter);
        }
    }
}

/* Those that ran at a look and have ended. */
static void add_ended(struct inspect_view *view, const struct inspect_choice *choice)
{
    const struct inspect_options *options = choice->options;
    if (options->state || options->verb || options->older)
        return;
    for (size_t i = 0; i < view->window->room; i++) {
        const struct inspect_runner *runner = view->window->runners[i];
        if (!runner || runner->met)
            continue;
        add_row(view, NULL, runner);
        view->row_count -= !passes(view, choice->filter);
    }
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static int by_count(const void *one, const void *other)
{
    size_t a = ((const struct inspect_verb_count *)one)->greenlets,
           b = ((const struct inspect_verb_count *)other)->greenlets;
    return a > b ? -1 : a < b;
}

static void count_verbs(struct inspect_view *view)
{
    for (size_t i = 0; i < view->snapshot->greenlet_count; i++) {
        const struct inspect_greenlet *g = &view->snapshot->greenlets[i];
        size_t at = 0;
        if (g->state != INSPECT_PARKED || g->hidden)
            continue;
        while (at < view->verb_count && view->verbs[at].verb != g->verb)
            at++;
        if (at == INSPECT_MOST_VERBS)
            continue;
        if (at == view->verb_count)
            view->verbs[view->verb_count++] = (struct inspect_verb_count){g->verb, 0};
        view->verbs[at].greenlets++;
    }
    qsort(view->verbs, view->verb_count, sizeof *view->verbs, by_count);
}

/* 0 is the most frequent. */
static int64_t rank_of(const struct inspect_view *view, const struct inspect_greenlet *g)
{
    size_t at = 0;
    if (!g || g->state != INSPECT_PARKED)
        return INSPECT_MOST_VERBS + 1;
    while (at < view->verb_count && view->verbs[at].verb != g->verb)
        at++;
    return (int64_t)at;
}

/* ---- the order ------------------------------------------------------------------------------- */

struct order {
    const struct inspect_view *view;
    char key; /* the first letter of the sort */
};

static void name_of(const struct inspect_view *view, const struct inspect_row_of_view *row,
                    char *text, size_t size)
{
    if (row->greenlet)
        inspect_name(view->snapshot, row->greenlet, text, size);
    else
        snprintf(text, size, "%s", row->runner->name);
}

static int compare_numbers(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

static int by_processor(const struct inspect_row_of_view *a, const struct inspect_row_of_view *b)
{
    int order = compare_numbers(b->runner ? b->runner->looks : 0, a->runner ? a->runner->looks : 0);
    if (!order && a->runner && b->runner)
        order = compare_numbers(b->runner->computing, a->runner->computing);
    return order;
}

static int by_wait(const struct inspect_view *view, const struct inspect_row_of_view *a,
                   const struct inspect_row_of_view *b)
{
    int order = compare_numbers(rank_of(view, a->greenlet), rank_of(view, b->greenlet));
    if (!order && a->greenlet && b->greenlet && a->greenlet->object != b->greenlet->object)
        order = a->greenlet->object < b->greenlet->object ? -1 : 1;
    return order;
}

/* Those that have waited longest, where it is recorded; the others as they are in the list, the
 * oldest first. */
static int by_age(const struct inspect_row_of_view *a, const struct inspect_row_of_view *b)
{
    return compare_numbers(a->greenlet && a->greenlet->since >= 0 ? a->greenlet->since : INT64_MAX,
                           b->greenlet && b->greenlet->since >= 0 ? b->greenlet->since : INT64_MAX);
}

/* The order in the list, and those that have ended behind it. */
static int by_place(const struct inspect_row_of_view *a, const struct inspect_row_of_view *b)
{
    if (a->greenlet && b->greenlet)
        return a->greenlet < b->greenlet ? -1 : a->greenlet > b->greenlet;
    if (!a->greenlet && !b->greenlet)
        return compare_numbers((int64_t)a->runner->number, (int64_t)b->runner->number);
    return a->greenlet ? -1 : 1;
}

static int compare_rows(const void *one, const void *other, void *arg)
{
    const struct order *how = arg;
    const struct inspect_row_of_view *a = one, *b = other;
    char names[2][200];
    int order = 0;
    switch (how->key) {
    case 'c':
        order = by_processor(a, b);
        break;
    case 'w':
        order = by_wait(how->view, a, b);
        break;
    case 'a':
        order = by_age(a, b);
        break;
    case 'n':
        name_of(how->view, a, names[0], sizeof names[0]);
        name_of(how->view, b, names[1], sizeof names[1]);
        order = strcmp(names[0], names[1]);
        break;
    default:
        break;
    }
    return order ? order : by_place(a, b);
}

bool inspect_view_make(struct inspect_view *view, const struct inspect_snapshot *snapshot,
                       struct inspect_window *window, const struct inspect_choice *choice)
{
    char path[64];
    *view = (struct inspect_view){.snapshot = snapshot, .window = window};
    view->rows = calloc(snapshot->greenlet_count + window->count + 1, sizeof *view->rows);
    if (!view->rows)
        return false;
    snprintf(path, sizeof path, "/proc/%d/comm", snapshot->target->pid);
    FILE *comm = fopen(path, "re");
    if (comm) {
        if (fgets(view->program, sizeof view->program, comm))
            view->program[strcspn(view->program, "\n")] = '\0';
        inspect_disarm(view->program);
        fclose(comm);
    }
    count_verbs(view);
    for (size_t i = 0; i < window->room; i++)
        if (window->runners[i])
            window->runners[i]->met = false;
    add_greenlets(view, choice);
    add_ended(view, choice);
    qsort_r(view->rows, view->row_count, sizeof *view->rows, compare_rows,
            &(struct order){view, *choice->sort});
    return true;
}

void inspect_view_free(struct inspect_view *view)
{
    free(view->rows);
    *view = (struct inspect_view){0};
}

/* ---- the heading ----------------------------------------------------------------------------- */

static void share(char *text, size_t size, double part, double whole)
{
    double percent = whole > 0 ? 100 * part / whole : 0;
    snprintf(text, size, percent > 0 && percent < 0.5 ? "<1%%" : "%.0f%%", percent);
}

/* In three digits. */
static void brief(char *text, size_t size, int64_t ns)
{
    static const struct {
        int64_t below;
        const char *format;
        double unit;
    } forms[] = {
        {10, "%.0fus", 1e3},         {10000, "%.2fus", 1e3},    {100000, "%.1fus", 1e3},
        {1000000, "%.0fus", 1e3},    {10000000, "%.2fms", 1e6}, {100000000, "%.1fms", 1e6},
        {1000000000, "%.0fms", 1e6}, {INT64_MAX, "%.2fs", 1e9},
    };
    size_t i = 0;
    while (ns >= forms[i].below && forms[i].below != INT64_MAX)
        i++;
    snprintf(text, size, forms[i].format, (double)ns / forms[i].unit);
}

static void put_hub(const struct inspect_view *view, const struct inspect_hub *hub, FILE *out)
{
    const struct inspect_hub_window *at = inspect_window_hub(view->window, hub);
    char processor[16] = "-", busy[16] = "-", median[16] = "-", most[16] = "-", longest[16] = "-";
    double seconds = (double)(view->window->last - view->window->began) / 1e9;
    double switches = 0, turns = 0;
    int64_t used = inspect_processor(view->snapshot->target->pid, hub->tid), delays[2];
    if (at && at->looks) {
        share(busy, sizeof busy, at->busy, at->looks);
        if (used >= 0 && at->processor >= 0)
            share(processor, sizeof processor, (double)(used - at->processor),
                  (double)(inspect_now() - view->window->began));
        if (inspect_delays_find(&at->delays, &delays[0], &delays[1])) {
            brief(median, sizeof median, delays[0]);
            brief(most, sizeof most, delays[1]);
        }
        switches = seconds > 0 ? (double)(at->hub.switches - at->switches) / seconds : 0;
        turns = seconds > 0 ? (double)(at->hub.turns - at->turns) / seconds : 0;
        if (at->longest)
            brief(longest, sizeof longest, at->longest);
    }
    fprintf(out, "%3u %-7d %4s %4s %6u %7s %7s %9.0f %8.0f %9" PRIu64 " %s", hub->number, hub->tid,
            processor, busy, hub->ready, median, most, switches, turns,
            hub->greenlets ? hub->greenlets : (uint64_t)hub->count, longest);
    if (at && at->longest && at->longest_runner)
        fprintf(out, " by %u.%u %s", hub->number, at->longest_runner->number,
                at->longest_runner->name);
    else if (at && at->longest)
        fprintf(out, " in a turn");
    fprintf(out, "\n");
}

static void put_waits(const struct inspect_view *view, FILE *out)
{
    size_t named = 0, all = 0;
    for (size_t i = 0; i < view->snapshot->greenlet_count; i++)
        all += view->snapshot->greenlets[i].state == INSPECT_PARKED &&
               !view->snapshot->greenlets[i].hidden;
    fprintf(out, "%zu wait", all);
    for (size_t i = 0; i < view->verb_count && i < 5; i++) {
        char verb[64];
        if (!inspect_text(view->snapshot->target, view->verbs[i].verb, verb, sizeof verb))
            snprintf(verb, sizeof verb, "?");
        fprintf(out, "%s %zu in %s", i ? "," : ":", view->verbs[i].greenlets, verb);
        named += view->verbs[i].greenlets;
    }
    if (all > named)
        fprintf(out, ", %zu in others", all - named);
    fprintf(out, "\n");
}

void inspect_view_put_heading(const struct inspect_view *view, FILE *out)
{
    const struct inspect_snapshot *snapshot = view->snapshot;
    struct inspect_pool pool;
    bool incomplete = false;
    fprintf(out, "%s, process %d: %zu %s, %u looks in %.1f s\n",
            *view->program ? view->program : "?", snapshot->target->pid, snapshot->hub_count,
            snapshot->hub_count == 1 ? "hub" : "hubs", view->window->looks,
            (double)(view->window->last - view->window->began) / 1e9);
    if (inspect_read_pool(snapshot, &pool))
        fprintf(out,
                "offload pool: %" PRIu64 " threads, %" PRIu64 " calls run, %" PRIu64
                " wait for a thread\n",
                pool.threads, pool.running, pool.queued);
    put_waits(view, out);
    for (size_t i = 0; i < snapshot->hub_count; i++)
        incomplete |= snapshot->hubs[i].incomplete;
    if (incomplete)
        fprintf(out, "greenlets come and go too quickly: the youngest are not shown\n");
    fprintf(out, "\nHUB THREAD   CPU BUSY  READY  MEDIAN    99TH  SWITCH/S   TURN/S GREENLETS "
                 "LONGEST RUN\n");
    for (size_t i = 0; i < snapshot->hub_count; i++)
        put_hub(view, &snapshot->hubs[i], out);
}

/* ---- a greenlet ------------------------------------------------------------------------------ */

const char inspect_view_columns[] =
    "ID        STATE   RUNS  CPU    SINCE NAME                      WAITS FOR";

/* Writes a text of UTF-8 as a column of so many characters. */
static void put_column(FILE *out, const char *text, int width)
{
    int characters = 0;
    const char *at = text;
    for (; *at; at++) {
        bool begins = ((unsigned char)*at & 0xc0) != 0x80;
        if (begins && characters == width)
            break;
        characters += begins;
    }
    fprintf(out, "%.*s%*s", (int)(at - text), text, width - characters, "");
}

void inspect_view_id(const struct inspect_view *view, size_t row, char *text, size_t size)
{
    *text = '\0';
    if (view->rows[row].greenlet)
        inspect_id(view->snapshot, view->rows[row].greenlet, text, size);
}

void inspect_view_put_row(const struct inspect_view *view, size_t place, FILE *out)
{
    const struct inspect_row_of_view *row = &view->rows[place];
    const struct inspect_greenlet *g = row->greenlet;
    char runs[16] = "-", processor[16] = "-", since[16] = "-", name[200], wait[INSPECT_SHORT] = "",
         id[32] = "-";
    if (row->runner) {
        const struct inspect_hub_window *at =
            g ? window_of(view, g) : &view->window->hubs[row->runner->hub];
        share(runs, sizeof runs, row->runner->looks, at ? at->looks : 0);
        share(processor, sizeof processor, row->runner->computing, at ? at->looks : 0);
    }
    name_of(view, row, name, sizeof name);
    if (g) {
        inspect_id(view->snapshot, g, id, sizeof id);
        inspect_wait_text(view->snapshot, g, wait, sizeof wait);
        int64_t now = view->snapshot->target->now;
        if (g->since >= 0)
            brief(since, sizeof since, now > g->since ? now - g->since : 0);
    }
    fprintf(out, "%-9s %-7s %4s %4s %8s ", id, g ? inspect_state_name(g) : "ended", runs, processor,
            since);
    put_column(out, name, 25);
    fprintf(out, " %s", *wait ? wait : "-");
}

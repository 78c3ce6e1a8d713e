/* What bine top shows of a window of looks and of the snapshot at its end, as lines of text. */
#ifndef BINE_INSPECT_VIEW_H
#define BINE_INSPECT_VIEW_H

#include <stdio.h>

#include "options.h"
#include "window.h"

struct inspect_row_of_view {
    const struct inspect_greenlet *greenlet; /* NULL: it has ended */
    const struct inspect_runner *runner;     /* NULL: it ran at no look */
};

struct inspect_verb_count {
    uint64_t verb;
    size_t greenlets;
};

enum {
    INSPECT_MOST_VERBS = 64 /* that are told apart */
};

struct inspect_view {
    const struct inspect_snapshot *snapshot;
    const struct inspect_window *window;
    char program[64];
    struct inspect_row_of_view *rows;
    size_t row_count;
    struct inspect_verb_count verbs[INSPECT_MOST_VERBS]; /* the most frequent first */
    size_t verb_count;
};

/* What is shown and in which order. */
struct inspect_choice {
    const struct inspect_options *options;
    const char *sort;   /* "cpu", "waits", "age", "name" or "id" */
    const char *filter; /* what the line has to contain; "": anything */
};

/* Returns false for lack of memory. Snapshot and window must stay until the view is freed. */
bool inspect_view_make(struct inspect_view *view, const struct inspect_snapshot *snapshot,
                       struct inspect_window *window, const struct inspect_choice *choice);
void inspect_view_free(struct inspect_view *view);

/* The process, the offload pool, what greenlets wait for, and a table of the hubs. */
void inspect_view_put_heading(const struct inspect_view *view, FILE *out);
/* The names of the columns of the greenlets. */
extern const char inspect_view_columns[];
/* One greenlet, without the end of the line. */
void inspect_view_put_row(const struct inspect_view *view, size_t row, FILE *out);
/* The number of the row's greenlet as bine stack takes it. Empty if it has ended. */
void inspect_view_id(const struct inspect_view *view, size_t row, char *text, size_t size);

#endif

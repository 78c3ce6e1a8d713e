/* The arguments that the subcommands have in common. */
#ifndef BINE_INSPECT_OPTIONS_H
#define BINE_INSPECT_OPTIONS_H

#include "inspect/snapshot/snapshot.h"

struct inspect_options {
    const char *usage; /* the text of --help, which begins with the line of arguments */
    const char *flags; /* those that the command takes: "json state older verb sort" */
    const char *keys;  /* the values of --sort; NULL: those of bine ps */
    const char *target;
    char **rest; /* what follows the target */
    int rest_count;
    bool json;
    bool several; /* the command takes arguments after the target */
    const char *state, *verb, *sort;
    int64_t older; /* ns; 0: any age */
    bool once;
    int64_t interval; /* ns; 0: not given */
    long rate, rows;  /* 0: not given */
};

/* Returns -1, or the exit status with which the command shall end at once. */
int inspect_parse(struct inspect_options *options, int count, char **arguments);
/* Does the greenlet pass the filters? */
bool inspect_wanted(const struct inspect_options *options, const struct inspect_snapshot *snapshot,
                    const struct inspect_greenlet *g);
/* Orders places of greenlets in the snapshot as --sort says. */
void inspect_sort(const struct inspect_options *options, const struct inspect_snapshot *snapshot,
                  size_t *places, size_t count);

#endif

/* bine tree: who spawned whom. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inspect/snapshot/describe.h"
#include "options.h"

static const char usage[] =
    "tree PID|CORE\n"
    "\n"
    "Shows which greenlets spawned which others. A greenlet whose spawner has ended, or\n"
    "was a callback, stands beside the roots. Of many that were spawned at one place,\n"
    "wait alike and spawned none, the first stands for all.\n";

enum {
    DEPTH = 64
};

/* Children in the order of their spawning: the first of each greenlet and the next of the same. */
struct family {
    size_t first, last, next;
};

static void put(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                int depth, size_t like)
{
    char id[32], name[160], verb[64], place[200];
    inspect_id(snapshot, g, id, sizeof id);
    inspect_name(snapshot, g, name, sizeof name);
    inspect_verb(snapshot, g, verb, sizeof verb);
    inspect_place(snapshot, g, place, sizeof place);
    printf("%*s%s %s  %s%s%s%s%s", 4 * depth, "", id, name, inspect_state_name(g),
           *verb ? " in " : "", verb, g->root || !*place ? "" : ", spawned at ",
           g->root ? "" : place);
    if (like)
        printf(", and %zu more like it", like);
    putchar('\n');
}

static bool alike(const struct inspect_snapshot *snapshot, const struct family *families,
                  size_t one, size_t other)
{
    const struct inspect_greenlet *a = &snapshot->greenlets[one], *b = &snapshot->greenlets[other];
    return families[one].first == INSPECT_NOBODY && families[other].first == INSPECT_NOBODY &&
           a->site == b->site && a->state == b->state && a->verb == b->verb &&
           a->hidden == b->hidden;
}

/* The depth is bounded, so the recursion is. */
static void put_siblings(const struct inspect_snapshot *snapshot, const struct family *families,
                         size_t at, int depth)
{
    while (at != INSPECT_NOBODY) {
        size_t like = 0, next = families[at].next;
        while (next != INSPECT_NOBODY && alike(snapshot, families, at, next)) {
            like++;
            next = families[next].next;
        }
        if (!snapshot->greenlets[at].hidden)
            put(snapshot, &snapshot->greenlets[at], depth, like);
        if (depth < DEPTH)
            put_siblings(snapshot, families, families[at].first, depth + 1);
        at = next;
    }
}

static int show(const struct inspect_snapshot *snapshot)
{
    size_t count = snapshot->greenlet_count;
    struct family *families = malloc((count + 1) * sizeof *families),
                  *roots = families ? &families[count] : NULL;
    if (!families) {
        fprintf(stderr, "bine: there is not enough memory\n");
        return 1;
    }
    for (size_t i = 0; i <= count; i++)
        families[i] = (struct family){INSPECT_NOBODY, INSPECT_NOBODY, INSPECT_NOBODY};
    for (size_t i = 0; i < count; i++) {
        /* A spawner is older, so there are no circles. */
        size_t spawner = snapshot->greenlets[i].spawner;
        struct family *parent = spawner < i ? &families[spawner] : roots;
        if (parent->last == INSPECT_NOBODY)
            parent->first = i;
        else
            families[parent->last].next = i;
        parent->last = i;
    }
    put_siblings(snapshot, families, roots->first, 0);
    free(families);
    return 0;
}

int inspect_tree(int count, char **arguments)
{
    struct inspect_options options = {.usage = usage, .flags = ""};
    int status = inspect_parse(&options, count, arguments);
    if (status >= 0)
        return status;
    struct inspect_target *target = inspect_open(options.target);
    struct inspect_snapshot *snapshot = target ? inspect_snapshot(target) : NULL;
    status = snapshot ? show(snapshot) : 1;
    inspect_snapshot_free(snapshot);
    inspect_close(target);
    return status;
}

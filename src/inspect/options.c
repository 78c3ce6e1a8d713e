/* See options.h. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/snapshot/describe.h"

/* Is the word one of these, which spaces part? */
static bool one_of(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; length && at && (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static bool parse_duration(const char *text, int64_t *ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"", 1e9}};
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != text && strcmp(end, units[i].unit) == 0 && number >= 0 &&
            number * units[i].ns < 9e18) {
            *ns = (int64_t)(number * units[i].ns);
            return true;
        }
    return false;
}

static int wrong(const struct inspect_options *options, const char *what, const char *argument)
{
    fprintf(stderr, "bine: %s %s\nusage: bine %.*s\n", what, argument,
            (int)strcspn(options->usage, "\n"), options->usage);
    return 2;
}

static int check_words(const struct inspect_options *options)
{
    const char *keys = options->keys ? options->keys : "id age until stack verb name";
    if (options->state && !one_of("new running ready parked", options->state))
        return wrong(options, "there is no state", options->state);
    if (options->sort && !one_of(keys, options->sort))
        return wrong(options, "greenlets cannot be sorted by", options->sort);
    return -1;
}

static bool parse_number(const char *text, long most, long *number)
{
    char *end;
    *number = strtol(text, &end, 10);
    return end != text && !*end && *number > 0 && *number <= most;
}

/* Returns -1, or an exit status. */
static int take_value(struct inspect_options *options, const char *flag, const char *value)
{
    if (strcmp(flag, "--state") == 0)
        options->state = value;
    else if (strcmp(flag, "--verb") == 0)
        options->verb = value;
    else if (strcmp(flag, "--sort") == 0)
        options->sort = value;
    else if (strcmp(flag, "--rate") == 0)
        return parse_number(value, 1000, &options->rate)
                   ? -1
                   : wrong(options, "this is not a number from 1 to 1000:", value);
    else if (strcmp(flag, "--rows") == 0)
        return parse_number(value, 100000000, &options->rows)
                   ? -1
                   : wrong(options, "this is not a number of rows:", value);
    else if (!parse_duration(value, strcmp(flag, "--interval") == 0 ? &options->interval
                                                                    : &options->older))
        return wrong(options, "this is not a duration such as 10s:", value);
    return -1;
}

int inspect_parse(struct inspect_options *options, int count, char **arguments)
{
    int at = 0;
    for (; at < count && arguments[at][0] == '-' && arguments[at][1]; at++) {
        const char *flag = arguments[at], *value = at + 1 < count ? arguments[at + 1] : NULL;
        if (strcmp(flag, "--help") == 0 || strcmp(flag, "-h") == 0) {
            printf("usage: bine %s", options->usage);
            return 0;
        }
        if (strncmp(flag, "--", 2) != 0 || !one_of(options->flags, flag + 2))
            return wrong(options, "there is no option", flag);
        if (strcmp(flag, "--json") == 0 || strcmp(flag, "--once") == 0) {
            options->json |= flag[2] == 'j';
            options->once |= flag[2] == 'o';
            continue;
        }
        if (!value)
            return wrong(options, "an argument is missing after", flag);
        at++;
        int status = take_value(options, flag, value);
        if (status >= 0)
            return status;
    }
    if (at == count)
        return wrong(options, "it takes the number of a process or the name of a core file", "");
    options->target = arguments[at++];
    options->rest = arguments + at;
    options->rest_count = count - at;
    if (options->rest_count && !options->several)
        return wrong(options, "there is an argument too many:", options->rest[0]);
    return check_words(options);
}

bool inspect_wanted(const struct inspect_options *options, const struct inspect_snapshot *snapshot,
                    const struct inspect_greenlet *g)
{
    char verb[64];
    if (g->hidden || (options->state && strcmp(options->state, inspect_state_name(g)) != 0))
        return false;
    if (options->older && (g->since < 0 || snapshot->target->now - g->since < options->older))
        return false;
    if (!options->verb)
        return true;
    inspect_verb(snapshot, g, verb, sizeof verb);
    return strstr(verb, options->verb) != NULL;
}

struct sorting {
    const struct inspect_snapshot *snapshot;
    const char *key;
};

static int compare(const void *one, const void *other, void *arg)
{
    const struct sorting *sorting = arg;
    size_t first = *(const size_t *)one, second = *(const size_t *)other;
    const struct inspect_greenlet *a = &sorting->snapshot->greenlets[first],
                                  *b = &sorting->snapshot->greenlets[second];
    int64_t left = 0, right = 0;
    char texts[2][100] = {"", ""};
    switch (*sorting->key) {
    case 'a': /* the longest first; what is not recorded last */
        left = a->since < 0 ? INT64_MAX : a->since;
        right = b->since < 0 ? INT64_MAX : b->since;
        break;
    case 'u':
        left = a->deadline;
        right = b->deadline;
        break;
    case 's':
        left = a->top && a->sp < a->top ? (int64_t)(a->sp - a->top) : 0;
        right = b->top && b->sp < b->top ? (int64_t)(b->sp - b->top) : 0;
        break;
    case 'v':
        inspect_verb(sorting->snapshot, a, texts[0], sizeof texts[0]);
        inspect_verb(sorting->snapshot, b, texts[1], sizeof texts[1]);
        break;
    case 'n':
        inspect_name(sorting->snapshot, a, texts[0], sizeof texts[0]);
        inspect_name(sorting->snapshot, b, texts[1], sizeof texts[1]);
        break;
    default:
        break;
    }
    int order = left < right ? -1 : left > right ? 1 : strcmp(texts[0], texts[1]);
    return order ? order : first < second ? -1 : first > second;
}

void inspect_sort(const struct inspect_options *options, const struct inspect_snapshot *snapshot,
                  size_t *places, size_t count)
{
    struct sorting sorting = {snapshot, options->sort ? options->sort : "id"};
    if (count && *sorting.key != 'i')
        qsort_r(places, count, sizeof *places, compare, &sorting);
}

/*
 * bine run. Judges the program, and becomes it with libbine-run.so preloaded. So exit status,
 * signals, streams, directory and job control are the program's own.
 */
#include "run.h"

#include <bine.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runnable.h"

/* As a shell's and env's. */
enum {
    USAGE = 125,
    CANNOT_RUN = 126,
    NOT_FOUND = 127
};

static const char help[] =
    "usage: bine run [OPTION...] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs the program with everything patched and its threads as greenlets of one OS thread.\n"
    "docs/run.md says what is served and what is not.\n"
    "\n"
    "  --no-children  programs that it starts run as usual\n"
    "  --preempt=MS   threads that compute for MS milliseconds let others run\n"
    "  --stats        print figures at the end, on standard error\n"
    "\n"
    "The exit status is the program's, 126 if it cannot be run so, and 127 if there is none.\n";

struct options {
    bool no_children, stats;
    const char *preempt; /* milliseconds, or NULL */
};

/* Milliseconds from 1 to 10,000, in digits. */
static bool is_limit(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits && digits <= 5 && !text[digits] && atoi(text) >= 1 && atoi(text) <= 10000;
}

/* Returns the index of the program's name, or the exit status as a negative number; 0 is help's. */
static int read_options(int count, char **arguments, struct options *options)
{
    int i = 0;
    for (; i < count && arguments[i][0] == '-'; i++) {
        if (strcmp(arguments[i], "--") == 0) {
            i++;
            break;
        }
        if (strcmp(arguments[i], "--help") == 0) {
            fputs(help, stdout);
            return INT_MAX;
        }
        if (strcmp(arguments[i], "--no-children") == 0) {
            options->no_children = true;
        } else if (strcmp(arguments[i], "--stats") == 0) {
            options->stats = true;
        } else if (strncmp(arguments[i], "--preempt=", 10) == 0 && is_limit(arguments[i] + 10)) {
            options->preempt = arguments[i] + 10;
        } else {
            fprintf(stderr, "bine run: unknown option, or a bad value: %s\n%s", arguments[i], help);
            return -USAGE;
        }
    }
    if (i == count) {
        fprintf(stderr, "bine run: no program\n%s", help);
        return -USAGE;
    }
    return i;
}

/* The library lies at one of these places, seen from the command's directory: in a build's, or
 * installed. */
static char *find_library(void)
{
    static const char *const places[] = {"../run/libbine-run.so",
                                         BINE_RUN_FROM_BINDIR "/libbine-run.so"};
    char own[PATH_MAX], *found = NULL;
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return NULL;
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    for (size_t i = 0; !found && i < sizeof places / sizeof *places; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", own, places[i]) < 0)
            return NULL;
        found = realpath(path, NULL);
        free(path);
    }
    return found;
}

static int set_environment(const char *library, struct options options)
{
    const char *before = getenv("LD_PRELOAD");
    char *all, own[16];
    /* Only the program that was named prints: it keeps the number of this process. */
    snprintf(own, sizeof own, "%d", (int)getpid());
    if (asprintf(&all, "%s%s%s", library, before && *before ? ":" : "", before ? before : "") < 0)
        return -1;
    int failed = setenv("LD_PRELOAD", all, 1) || setenv("BINE_RUN", library, 1) ||
                 (options.preempt ? setenv("BINE_RUN_PREEMPT", options.preempt, 1)
                                  : unsetenv("BINE_RUN_PREEMPT")) ||
                 (options.no_children && setenv("BINE_RUN_NO_CHILDREN", "1", 1)) ||
                 (options.stats && setenv("BINE_RUN_STATS", own, 1));
    free(all);
    return failed ? -1 : 0;
}

static int refuse(const char *name, const char *why)
{
    fprintf(stderr, "bine run: %s: %s\n", name, why);
    return CANNOT_RUN;
}

int run(int count, char **arguments)
{
    struct options options = {0};
    int first = read_options(count, arguments, &options);
    if (first == INT_MAX)
        return 0;
    if (first < 0)
        return -first;
    char found[PATH_MAX], text[PATH_MAX];
    const char *name = arguments[first], *path = runnable_find(name, found, sizeof found);
    if (!path) {
        int error = errno;
        refuse(name, strerror(error));
        return error == ENOENT || error == ENOTDIR ? NOT_FOUND : CANNOT_RUN;
    }
    const char *refusal = runnable_refusal(path, text, sizeof text);
    if (!refusal)
        refusal = bine_own_thread_refusal();
    if (refusal)
        return refuse(name, refusal);
    char *library = find_library();
    if (!library)
        return refuse(name, "libbine-run.so is not where it was installed");
    if (strpbrk(library, " :"))
        return refuse(library, "the loader takes no path with a blank or a colon (LD_PRELOAD)");
    if (set_environment(library, options) != 0)
        return refuse(name, strerror(errno));
    execv(path, arguments + first);
    return refuse(name, strerror(errno));
}

/*
 * What `bine run` preloads into a program: before main everything is patched, and threads become
 * greenlets with threads of their own. Stands on the public headers.
 */
#include <bine.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CANNOT_RUN = 126, /* as a shell's */
    PARKS = 20,       /* verbs that --stats prints, those with the most parks */
};

static pid_t process;

static void say(const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "bine run: %s: %s\n", what, why);
}

/* Takes this library out of LD_PRELOAD, which may name others. */
static void forget_preload(const char *own)
{
    const char *all = getenv("LD_PRELOAD");
    const char *here = all && own ? strstr(all, own) : NULL;
    if (!here)
        return;
    const char *rest = here + strlen(own);
    rest += strspn(rest, " :");
    char *left;
    if (asprintf(&left, "%.*s%s", (int)(here - all), all, rest) < 0)
        return;
    if (*left)
        setenv("LD_PRELOAD", left, 1);
    else
        unsetenv("LD_PRELOAD");
    free(left);
}

static void print_figures(void)
{
    bine_hub_figures figures;
    bine_park_count parks[PARKS];
    /* Not for its children, which have written nothing of the parent's either. */
    if (getpid() != process || bine_hub_read_figures(&figures, sizeof figures) != 0)
        return;
    dprintf(STDERR_FILENO,
            "bine run: threads made %llu, switches %llu, turns of the poller (%s) %llu, calls that "
            "blocked %llu\n",
            (unsigned long long)figures.own_threads, (unsigned long long)figures.switches,
            bine_poller_name(), (unsigned long long)figures.turns,
            (unsigned long long)figures.blocking_calls);
    size_t count = bine_hub_read_park_counts(parks, PARKS);
    for (size_t i = 0; i < count && i < PARKS; i++)
        dprintf(STDERR_FILENO, "bine run: parked %llu times: %s\n",
                (unsigned long long)parks[i].parks, parks[i].verb);
}

__attribute__((constructor)) static void run_begin(void)
{
    int saved = errno;
    const char *own = getenv("BINE_RUN");
    const char *refusal = bine_own_thread_refusal();
    if (refusal) {
        say("threads cannot be greenlets here", refusal);
        _exit(CANNOT_RUN);
    }
    if (bine_patch_all() != 0 || bine_patch_own_threads("*") != 0) {
        say("the program cannot be patched", strerror(errno));
        _exit(CANNOT_RUN);
    }
    const char *limit = getenv("BINE_RUN_PREEMPT");
    if (limit && bine_preempt_start(atoi(limit) * BINE_MS) != 0) {
        say("threads that compute cannot be interrupted",
            errno == ENOTSUP ? "the program has an allocator of its own, or the processor no XSAVE"
                             : strerror(errno));
        _exit(CANNOT_RUN);
    }
    process = getpid();
    const char *printer = getenv("BINE_RUN_STATS");
    if (printer && atoi(printer) == process) {
        bine_hub_count_parks();
        atexit(print_figures);
    }
    if (getenv("BINE_RUN_NO_CHILDREN")) {
        forget_preload(own);
        unsetenv("BINE_RUN_NO_CHILDREN");
        unsetenv("BINE_RUN_STATS");
        unsetenv("BINE_RUN_PREEMPT");
        unsetenv("BINE_RUN");
    }
    errno = saved;
}

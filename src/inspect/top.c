/* bine top: hubs and greenlets, by what they do during some time. See window.h for how. */
#include "top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "inspect/snapshot/stack_use.h"
#include "inspect/target/sockets.h"

static const char usage[] =
    "top [--once] [--interval TIME] [--rate N] [--rows N] [--sort KEY] [--state STATE]\n"
    "                [--older TIME] [--verb TEXT] PID\n"
    "\n"
    "Shows what the hubs and greenlets of a running process do: live in a terminal, or\n"
    "with --once as text. It looks at the process from outside, many times a second, and\n"
    "does not stop it.\n"
    "\n"
    "  --once           looks for one interval, prints, and ends\n"
    "  --interval TIME  what is shown is of so long: 1s if not given\n"
    "  --rate N         looks a second, at most 1000: 100 if not given\n"
    "  --rows N         with --once, so many greenlets: 20 if not given\n"
    "  --sort KEY       by cpu, waits, age, name or id\n"
    "  --state, --older, --verb   choose greenlets as those of bine ps\n"
    "\n"
    "Keys: c w a n i sort, / filters, Enter shows a stack, space pauses, h explains, q ends.\n";

enum {
    RATE = 100,
    ROWS = 20,
    SHARE = 4, /* looks and snapshots take at most about one in so many parts of the time */
};

static const int64_t second = 1000000000;

static int out_of_memory(void)
{
    fprintf(stderr, "bine: there is not enough memory\n");
    return 1;
}

/* ---- steps ----------------------------------------------------------------------------------- */

bool inspect_top_ended(const struct inspect_top *top)
{
    struct pollfd process = {.fd = top->process, .events = POLLIN};
    if (top->process < 0)
        return kill(top->target->pid, 0) < 0 && errno == ESRCH;
    return poll(&process, 1, 0) == 1 && process.revents;
}

/* Between half and one and a half times the mean: a process that does something at regular times
 * would otherwise always be seen in the same moment of it. */
static int64_t top_pause(struct inspect_top *top)
{
    int64_t mean = second / (top->options->rate ? top->options->rate : RATE);
    top->random ^= top->random << 13;
    top->random ^= top->random >> 7;
    top->random ^= top->random << 17;
    return mean / 2 + (int64_t)(top->random % (uint64_t)mean);
}

/* Takes a snapshot, shows the window, and begins the next. */
static enum inspect_top_step end_window(struct inspect_top *top)
{
    int64_t began = inspect_now();
    inspect_forget(top->target);
    inspect_descriptors_free();
    top->target->now = began;
    struct inspect_snapshot *snapshot = inspect_snapshot_running(top->target);
    if (!snapshot)
        return inspect_top_ended(top) ? INSPECT_TOP_ENDED : INSPECT_TOP_FAILED;
    inspect_view_free(&top->view);
    inspect_window_free(&top->shown);
    top->shown = top->looking;
    top->looking = (struct inspect_window){0};
    inspect_snapshot_free(top->snapshot);
    top->snapshot = snapshot;
    if (!inspect_window_begin(&top->looking, snapshot, &top->shown) || !inspect_top_view(top)) {
        out_of_memory();
        return INSPECT_TOP_FAILED;
    }
    int64_t now = inspect_now(),
            interval = top->options->interval ? top->options->interval : second;
    if (interval < (now - began) * SHARE)
        interval = (now - began) * SHARE;
    top->window_due = now + interval;
    top->look_due = now + top_pause(top);
    return INSPECT_TOP_SHOWS;
}

enum inspect_top_step inspect_top_step(struct inspect_top *top)
{
    int64_t now = inspect_now();
    if (inspect_top_ended(top))
        return INSPECT_TOP_ENDED;
    if (now < top->look_due)
        return INSPECT_TOP_WAITS;
    if (!inspect_window_look(&top->looking, top->snapshot)) {
        out_of_memory();
        return INSPECT_TOP_FAILED;
    }
    if (now >= top->window_due)
        return end_window(top);
    int64_t after = inspect_now(), pause = top_pause(top);
    if (pause < (after - now) * SHARE)
        pause = (after - now) * SHARE;
    top->look_due = after + pause < top->window_due ? after + pause : top->window_due;
    return INSPECT_TOP_WAITS;
}

bool inspect_top_view(struct inspect_top *top)
{
    inspect_view_free(&top->view);
    return inspect_view_make(&top->view, top->snapshot, &top->shown, &top->choice);
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_view(const struct inspect_top *top)
{
    size_t rows = top->options->rows ? (size_t)top->options->rows : ROWS;
    inspect_view_put_heading(&top->view, stdout);
    printf("\n%s\n", inspect_view_columns);
    for (size_t i = 0; i < top->view.row_count && i < rows; i++) {
        inspect_view_put_row(&top->view, i, stdout);
        putchar('\n');
    }
    if (top->view.row_count > rows)
        printf("and %zu more\n", top->view.row_count - rows);
}

static int once(struct inspect_top *top)
{
    for (;;) {
        int64_t left = top->look_due - inspect_now();
        if (left > 0)
            nanosleep(&(struct timespec){left / second, left % second}, NULL);
        switch (inspect_top_step(top)) {
        case INSPECT_TOP_WAITS:
            break;
        case INSPECT_TOP_SHOWS:
            print_view(top);
            return 0;
        case INSPECT_TOP_ENDED:
            fprintf(stderr, "bine: process %d has ended\n", top->target->pid);
            return 1;
        case INSPECT_TOP_FAILED:
            return 1;
        }
    }
}

/* ---- the command ----------------------------------------------------------------------------- */

static int open_process(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0); /* Linux 5.3 */
#else
    return -1;
#endif
}

static int run_top(struct inspect_top *top)
{
    if (!top->target->live) {
        fprintf(stderr, "bine: top looks at a running process; bine ps shows a core file\n");
        return 1;
    }
    top->process = open_process(top->target->pid);
    top->snapshot = inspect_snapshot_running(top->target);
    if (!top->snapshot)
        return 1;
    if (!inspect_window_begin(&top->looking, top->snapshot, NULL))
        return out_of_memory();
    top->random = (uint64_t)inspect_now() | 1;
    top->look_due = inspect_now() + top_pause(top);
    top->window_due =
        top->looking.began + (top->options->interval ? top->options->interval : second);
#ifdef BINE_WITH_NCURSES
    if (!top->options->once)
        return inspect_screen(top);
#endif
    return once(top);
}

int inspect_top(int count, char **arguments)
{
    struct inspect_options options = {.usage = usage,
                                      .flags = "once interval rate rows sort state older verb",
                                      .keys = "cpu waits age name id"};
    int status = inspect_parse(&options, count, arguments);
    if (status >= 0)
        return status;
#ifndef BINE_WITH_NCURSES
    if (!options.once) {
        fprintf(stderr, "bine: this command was built without ncurses (libncursesw), which shows "
                        "top in a terminal; bine top --once prints it\n");
        return 2;
    }
#endif
    struct inspect_top top = {
        .options = &options,
        .choice = {.options = &options, .sort = options.sort ? options.sort : "cpu", .filter = ""},
        .target = inspect_open(options.target),
        .process = -1};
    status = top.target ? run_top(&top) : 1;
    inspect_view_free(&top.view);
    inspect_window_free(&top.shown);
    inspect_window_free(&top.looking);
    inspect_snapshot_free(top.snapshot);
    inspect_close(top.target);
    if (top.process >= 0)
        close(top.process);
    inspect_descriptors_free();
    inspect_stack_use_free();
    return status;
}

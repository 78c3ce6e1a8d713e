/* The dump: for what each greenlet waits, one line a greenlet. The deadlock report is the same list
 * with a heading. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/schedule/schedule.h"
#include "core/stack/watermark.h"
#include "dump.h"
#include "libc/layout.h"
#include "libc/libc.h"

const char bine_wait_verb[] = "wait";
size_t (*_Atomic bine_dump_describe_wait)(uintptr_t iteration, char *text, size_t size);

BINE_LAYOUT(dump_rows) = {
    BINE_ADDRESS("verb.wait", bine_wait_verb),
};

static int put(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = bine_libc.write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

static int put_greenlet(int fd, struct bine_greenlet *g)
{
    static const char *const states[] = {"not started", "ready", "parked", "dead"};
    char line[512];
    const char *place = g->site[0] ? g->site + strlen(g->site) + 1 : "";
    int length =
        snprintf(line, sizeof line, "  %s: %s", bine_name(g),
                 g == g->hub->current && g->state == BINE_READY ? "running" : states[g->state]);
    if (g->state == BINE_PARKED && g->verb == bine_wait_verb && length < (int)sizeof line - 16) {
        length += snprintf(line + length, sizeof line - (size_t)length, " in wait for ");
        length +=
            (int)bine_dump_describe_wait(g->object, line + length, sizeof line - (size_t)length);
    } else if (g->state == BINE_PARKED && length < (int)sizeof line)
        length +=
            snprintf(line + length, sizeof line - (size_t)length,
                     g->object < 65536 ? " in %s %ld" : " in %s %#lx", g->verb, (long)g->object);
    if (bine_timer_started(&g->hub->timers, g->timer) && length < (int)sizeof line)
        length += snprintf(
            line + length, sizeof line - (size_t)length, ", until %.3f s from now",
            (double)(bine_timer_deadline(&g->hub->timers, g->timer) - bine_hub_now(g->hub)) /
                BINE_SECOND);
    if ((g->attention & BINE_A_KILLED) && length < (int)sizeof line)
        length += snprintf(line + length, sizeof line - (size_t)length, ", killed");
    if (*place && length < (int)sizeof line)
        length += snprintf(line + length, sizeof line - (size_t)length, ", spawned at %s", place);
    if (length >= (int)sizeof line)
        length = (int)sizeof line - 1;
    line[length] = '\n';
    return put(fd, line, (size_t)length + 1);
}

int bine_dump(int fd)
{
    struct bine_hub *hub = bine_hub_of_thread;
    char line[200];
    if (!hub)
        return 0;
    size_t greenlets = hub->greenlets;
    unsigned long switches = bine_hub_switches(hub);
    int length = snprintf(
        line, sizeof line, "%zu greenlet%s besides the root, %s poller, %lu switch%s\n", greenlets,
        greenlets == 1 ? "" : "s", hub->driver->name, switches, switches == 1 ? "" : "es");
    if (put(fd, line, (size_t)length) < 0)
        return -1;
    /* The list is newest first; people read oldest first. */
    struct bine_greenlet *g = hub->all;
    while (g && g->all_next)
        g = g->all_next;
    for (; g; g = g->all_previous)
        if (!(g->flags & BINE_G_HIDDEN) && put_greenlet(fd, g) < 0)
            return -1;
    bine_watermark_report(fd);
    return 0;
}

void bine_report_deadlock(struct bine_hub *hub)
{
    static const char heading[] = "bine: deadlock: nothing can wake any greenlet of this thread; "
                                  "the root's wait fails with EDEADLK\n";
    const char *wanted = secure_getenv("BINE_DEADLOCK_DUMP");
    (void)hub;
    if (wanted && strcmp(wanted, "0") == 0)
        return;
    put(STDERR_FILENO, heading, sizeof heading - 1);
    bine_dump(STDERR_FILENO);
}

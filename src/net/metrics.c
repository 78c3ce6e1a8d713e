/* Figures as OpenMetrics text (https://prometheus.io/docs/specs/om/open_metrics_spec/). */
#include <bine/hub.h>
#include <bine/metrics.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hub/hub.h"
#include "io/offload/offload.h"

/* What is read of one hub. */
struct figures {
    pid_t tid;
    const char *poller;
    uint64_t greenlets, ready, timers, operations, switches, turns;
    bool asleep;
};

enum {
    TRIES = 8
};

/* Three words make up the count of switches. Its thread changes two of them together at the end
 * of a turn, so they are read until two readings agree. */
static BINE_NO_SANITIZE uint64_t read_switches(const struct bine_hub *hub)
{
    uint64_t base, total = 0;
    uint32_t end;
    int tries = 0;
    do {
        base = __atomic_load_n(&hub->switches, __ATOMIC_ACQUIRE);
        end = __atomic_load_n(&hub->turn_at, __ATOMIC_ACQUIRE);
        total = base - (uint32_t)(end - __atomic_load_n(&hub->ready.head, __ATOMIC_ACQUIRE));
    } while ((base != __atomic_load_n(&hub->switches, __ATOMIC_ACQUIRE) ||
              end != __atomic_load_n(&hub->turn_at, __ATOMIC_ACQUIRE)) &&
             ++tries < TRIES);
    return total;
}

static BINE_NO_SANITIZE void read_figures(struct bine_hub *hub, struct figures *figures)
{
    struct bine_driver *driver = __atomic_load_n(&hub->driver, __ATOMIC_ACQUIRE);
    *figures = (struct figures){
        .tid = hub->tid,
        .poller = driver->name,
        .greenlets = hub->greenlets,
        .ready = hub->ready.tail - hub->ready.head,
        .timers = hub->timers.count,
        .operations = driver->pending(driver),
        .switches = read_switches(hub),
        .turns = hub->turns,
        .asleep = atomic_load_explicit(&hub->asleep, memory_order_relaxed),
    };
}

struct all {
    struct figures *hubs;
    size_t count, room;
    bool failed;
};

static void add(struct bine_hub *hub, void *arg)
{
    struct all *all = arg;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 16;
        struct figures *hubs = realloc(all->hubs, room * sizeof *hubs);
        if (!hubs) {
            all->failed = true;
            return;
        }
        all->hubs = hubs;
        all->room = room;
    }
    read_figures(hub, &all->hubs[all->count++]);
}

#define FAMILY(out, name, type, help) \
    fprintf(out, "# TYPE " name " " type "\n# HELP " name " " help "\n")

#define EACH(out, all, name, type, help, suffix, member)                              \
    do {                                                                              \
        FAMILY(out, name, type, help);                                                \
        for (size_t i_ = 0; i_ < (all)->count; i_++)                                  \
            fprintf(out, name suffix "{hub=\"%d\"} %llu\n", (int)(all)->hubs[i_].tid, \
                    (unsigned long long)(all)->hubs[i_].member);                      \
    } while (0)

static void write_metrics(FILE *out, const struct all *all)
{
    FAMILY(out, "bine", "info", "The release, and how stacks are guarded.");
    fprintf(out, "bine_info{version=\"%s\",guard=\"%s\"} 1\n", bine_version(), bine_guard_name());
    FAMILY(out, "bine_hub", "info", "The poller of each hub.");
    for (size_t i = 0; i < all->count; i++)
        fprintf(out, "bine_hub_info{hub=\"%d\",poller=\"%s\"} 1\n", (int)all->hubs[i].tid,
                all->hubs[i].poller);
    EACH(out, all, "bine_greenlets", "gauge", "Greenlets that have not ended.", "", greenlets);
    EACH(out, all, "bine_ready_greenlets", "gauge", "Greenlets that wait for the processor.", "",
         ready);
    EACH(out, all, "bine_timers", "gauge", "Timers that run.", "", timers);
    EACH(out, all, "bine_operations", "gauge", "Operations of the poller in flight.", "",
         operations);
    EACH(out, all, "bine_hub_asleep", "gauge", "1 while the hub waits for events.", "", asleep);
    EACH(out, all, "bine_switches", "counter", "Switches from one greenlet to the next.", "_total",
         switches);
    EACH(out, all, "bine_turns", "counter", "Looks at timers and poller.", "_total", turns);
    FAMILY(out, "bine_offload_threads", "gauge", "Threads of the offload pool.");
    fprintf(out, "bine_offload_threads %zu\n", bine_offload_threads());
    FAMILY(out, "bine_offload_queued", "gauge",
           "Calls that wait for a thread of the offload pool.");
    fprintf(out, "bine_offload_queued %zu\n# EOF\n", bine_offload_queued());
}

char *bine_metrics(void)
{
    struct all all = {0};
    char *text = NULL;
    size_t size;
    bine_hub_each(add, &all);
    FILE *out = all.failed ? NULL : open_memstream(&text, &size);
    if (out) {
        write_metrics(out, &all);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(all.hubs);
    if (!text)
        errno = ENOMEM;
    return text;
}

/* The works on bine_choose: of two channels, where one is ready and where neither is. */
#include "objects.h"

#include <bine.h>
#include <stdio.h>
#include <stdlib.h>

#include "../bench.h"

static bine_channel *odd, *even;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

/* Takes `count` numbers from the two and checks that each came once. */
static void receive_from_both(long count)
{
    long sum = 0;
    for (long i = 0; i < count; i++) {
        bine_choice choices[] = {{.operation = BINE_CHOOSE_RECEIVE, .object = odd},
                                 {.operation = BINE_CHOOSE_RECEIVE, .object = even}};
        ssize_t taken = bine_choose(choices, 2, BINE_FOREVER);
        must(taken >= 0, "bine_choose");
        sum += (long)choices[taken].item;
    }
    must(sum == count * (count + 1) / 2, "the sum");
}

static void *send_to_either(void *count)
{
    for (long i = 1; i <= (long)count; i++)
        must(bine_channel_send(i % 2 ? odd : even, (void *)i, BINE_FOREVER) == 0,
             "bine_channel_send");
    return NULL;
}

/* The chooser waits first, so each choice parks and is served. */
void choose_waiting(long count)
{
    odd = bine_channel_new(0, 0);
    even = bine_channel_new(0, 0);
    double start = bench_cpu();
    bine_greenlet *sender = bine_spawn(send_to_either, (void *)count);
    must(sender != NULL, "bine_spawn");
    receive_from_both(count);
    must(bine_join(sender, NULL, BINE_FOREVER) == 0, "bine_join");
    bench_report("choose_waiting", (bench_cpu() - start) / (double)count, "ns");
}

/* Both channels have an item whenever the choice is made; what was taken is sent again. */
void choose_ready(long count)
{
    odd = bine_channel_new(1, 0);
    even = bine_channel_new(1, 0);
    double start = bench_cpu();
    must(bine_channel_send(odd, odd, 0) == 0 && bine_channel_send(even, even, 0) == 0,
         "bine_channel_send");
    for (long i = 0; i < count; i++) {
        bine_choice choices[] = {{.operation = BINE_CHOOSE_RECEIVE, .object = odd},
                                 {.operation = BINE_CHOOSE_RECEIVE, .object = even}};
        ssize_t taken = bine_choose(choices, 2, BINE_FOREVER);
        must(taken >= 0, "bine_choose");
        must(bine_channel_send(choices[taken].object, choices[taken].item, 0) == 0,
             "bine_channel_send");
    }
    bench_report("choose_ready", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- the loop of a worker: the next job of another hub, or its own event --------------------- */

static bine_queue *jobs;

static void *work(void *count)
{
    long sum = 0;
    bine_event *stop = bine_event_new(0);
    must(stop != NULL, "bine_event_new");
    for (;;) {
        bine_choice choices[] = {{.operation = BINE_CHOOSE_READY, .object = stop},
                                 {.operation = BINE_CHOOSE_GET, .object = jobs}};
        must(bine_choose_first(choices, 2, BINE_FOREVER) == 1, "bine_choose_first");
        if (choices[1].error)
            break;
        sum += (long)choices[1].item;
    }
    must(sum == (long)count * ((long)count + 1) / 2, "the sum");
    return NULL;
}

void choose_job(long count)
{
    jobs = bine_queue_new(1000, BINE_SHARED);
    bine_workers *workers = bine_workers_start(1, work, (void *)count);
    must(workers != NULL, "bine_workers_start");
    double start = bench_now();
    for (long i = 1; i <= count; i++)
        must(bine_queue_put(jobs, (void *)i, BINE_FOREVER) == 0, "bine_queue_put");
    must(bine_queue_shutdown(jobs, false) == 0, "bine_queue_shutdown");
    must(bine_workers_join(workers, BINE_FOREVER) == 0, "bine_workers_join");
    bench_report("choose_job", (bench_now() - start) / (double)count, "ns");
}

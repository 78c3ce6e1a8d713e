/*
 * Jobs over several hubs, one thread each: a shared queue gives each job to one of them, whichever
 * is free, and a mailbox brings the results back.
 *
 *     hubs [LIMIT [HUBS]]      counts the primes below LIMIT (1000000), on 3 hubs
 *
 * SIGTERM stops it between two jobs; it prints what was counted. Exit status: 0 if all were done.
 */
#include <bine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define JOB_SIZE 10000 /* numbers */
#define BACKLOG 16     /* jobs that wait */

struct job {
    unsigned first, end, primes;
    int hub;
};

static bine_queue *jobs;   /* shared */
static bine_event *stop;   /* shared */
static bine_mailbox *done; /* of the main thread */

static unsigned count_primes(unsigned first, unsigned end)
{
    unsigned found = 0;
    for (unsigned number = first < 2 ? 2 : first; number < end; number++) {
        unsigned divisor = 2;
        while (divisor * divisor <= number && number % divisor)
            divisor++;
        found += divisor * divisor > number;
    }
    return found;
}

/* The root greenlet of each hub. It computes, so one greenlet per hub is enough; one that waits for
 * something would spawn several that run this loop. */
static void *work(void *arg)
{
    bine_choice choices[] = {{.operation = BINE_CHOOSE_READY, .object = stop},
                             {.operation = BINE_CHOOSE_GET, .object = jobs}};
    while (bine_choose_first(choices, 2, BINE_FOREVER) == 1 && choices[1].error == 0) {
        struct job *job = choices[1].item;
        job->primes = count_primes(job->first, job->end);
        job->hub = bine_worker();
        if (bine_mailbox_send(done, job, BINE_FOREVER) != 0)
            free(job);
    }
    return arg;
}

/* Gives the jobs out; the queue's bound holds it up. Its end is the end of the workers. */
static void *give_out(void *arg)
{
    unsigned limit = *(unsigned *)arg;
    for (unsigned first = 0; first < limit; first += JOB_SIZE) {
        struct job *job = malloc(sizeof *job);
        if (!job)
            break;
        *job = (struct job){.first = first,
                            .end = limit - first < JOB_SIZE ? limit : first + JOB_SIZE};
        if (bine_queue_put(jobs, job, BINE_FOREVER) != 0) { /* shut down, since we are to stop */
            free(job);
            break;
        }
    }
    bine_queue_shutdown(jobs, false);
    return NULL;
}

static void *end_by_signal(void *term)
{
    if (bine_event_wait(term, BINE_FOREVER) == 0) {
        bine_event_set(stop);
        bine_queue_shutdown(jobs, true);
    }
    return NULL;
}

/* The mailbox is closed when the last worker has ended: then all results are there. */
static void *close_results(void *workers)
{
    bine_workers_join(workers, BINE_FOREVER);
    bine_mailbox_close(done);
    return NULL;
}

int main(int count, char **arguments)
{
    unsigned limit = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 1000000;
    int hubs = count > 2 ? atoi(arguments[2]) : 3;
    if (hubs < 1 || hubs > 64 || limit > 1000000000)
        return fprintf(stderr, "usage: hubs [LIMIT [HUBS]]\n"), 2;
    jobs = bine_queue_new_with(
        &(bine_queue_options){.capacity = BACKLOG, .flags = BINE_SHARED, .discard = free});
    stop = bine_event_new(BINE_SHARED);
    done = bine_mailbox_new(BACKLOG);
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_workers *workers =
        jobs && stop && done && term ? bine_workers_start((unsigned)hubs, work, NULL) : NULL;
    if (!workers || bine_go(give_out, &limit) != 0 || bine_go(close_results, workers) != 0 ||
        bine_go(end_by_signal, term) != 0)
        return perror("hubs"), 1;
    void *item;
    unsigned primes = 0, of_hub[64] = {0}, counted = 0;
    while (bine_mailbox_receive(done, &item, BINE_FOREVER) == 0) {
        struct job *job = item;
        primes += job->primes;
        of_hub[job->hub]++;
        counted += job->end - job->first;
        free(job);
    }
    for (int i = 0; i < hubs; i++)
        printf("hub %d: %u jobs\n", i, of_hub[i]);
    printf("%u primes among %u numbers\n", primes, counted);
    return counted < limit;
}

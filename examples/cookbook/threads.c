/*
 * Real threads beside greenlets, in both directions. A thread that Bine knows nothing of, as a
 * library may have it, brings items: it reads the input by calls that block. Greenlets take them,
 * and hand the computing to Bine's pool of threads.
 *
 *     threads < NUMBERS      for each number, prints how many primes there are below it
 *
 * The end of the input ends it, and so does SIGTERM: what has been read by then is still answered.
 * Exit status: 0 if all numbers were answered.
 */
#include <bine.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BACKLOG = 64, /* numbers that wait: the thread that reads waits when there are more */
    AT_A_TIME = 4
};

static bine_mailbox *numbers;

/* The thread. It waits for room in the mailbox as a greenlet would. */
static void *read_numbers(void *arg)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        unsigned *number = malloc(sizeof *number);
        if (number)
            *number = (unsigned)strtoul(line, NULL, 10);
        if (!number || bine_mailbox_send(numbers, number, BINE_FOREVER) != 0) {
            free(number); /* EPIPE: SIGTERM has closed the mailbox */
            break;
        }
    }
    bine_mailbox_close(numbers);
    return arg;
}

/* Computes, on one of Bine's threads. It uses nothing that belongs to the greenlets. */
static void *count_primes(void *arg)
{
    unsigned end = *(unsigned *)arg, *found = arg;
    *found = 0;
    for (unsigned number = 2; number < end; number++) {
        unsigned divisor = 2;
        while (divisor * divisor <= number && number % divisor)
            divisor++;
        *found += divisor * divisor > number;
    }
    return arg;
}

static int failed;

/* A greenlet: it waits while the thread computes, and the others run. */
static void *answer(void *arg)
{
    unsigned number = *(unsigned *)arg;
    if (number > 10000000 || bine_offload(count_primes, arg, NULL) != 0 ||
        printf("%u: %u\n", number, *(unsigned *)arg) < 0 || fflush(stdout) != 0)
        failed++;
    free(arg);
    return NULL;
}

static void *close_by_signal(void *term)
{
    if (bine_event_wait(term, BINE_FOREVER) == 0)
        bine_mailbox_close(numbers);
    return NULL;
}

int main(void)
{
    pthread_t reader;
    void *number;
    signal(SIGPIPE, SIG_IGN); /* a reader of the output that leaves is an error of printf */
    numbers = bine_mailbox_new_with(&(bine_mailbox_options){.capacity = BACKLOG, .discard = free});
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_pool *pool = bine_pool_new(AT_A_TIME, 0);
    if (!numbers || !term || !pool || bine_go(close_by_signal, term) != 0) {
        perror("threads");
        return 1;
    }
    int error = pthread_create(&reader, NULL, read_numbers, NULL);
    if (error) {
        fprintf(stderr, "threads: %s\n", bine_strerror(error));
        return 1;
    }
    pthread_detach(reader); /* nothing ends its wait for input: the process's end does */
    while (bine_mailbox_receive(numbers, &number, BINE_FOREVER) == 0)
        if (!bine_pool_spawn(pool, answer, number)) { /* waits for a free place */
            free(number);
            failed++;
        }
    bine_pool_join(pool, BINE_FOREVER);
    /* glibc 2.41's exit waits for stdin, which the thread that reads has locked. Each answer has
     * been flushed. */
    _exit(failed != 0);
}

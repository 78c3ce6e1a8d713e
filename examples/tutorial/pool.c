/* Twenty jobs, three at a time. */
#include <bine.h>
#include <stdio.h>

static int running, most;

static void *work(void *job)
{
    running++; /* no lock: greenlets of one thread take turns, and only where they wait */
    if (running > most)
        most = running;
    bine_sleep(10 * BINE_MS); /* a request, say */
    running--;
    return (void *)((long)job * (long)job);
}

int main(void)
{
    void *jobs[20], *results[20];
    for (long i = 0; i < 20; i++)
        jobs[i] = (void *)i;

    bine_pool *pool = bine_pool_new(3, 0);
    if (!pool || bine_pool_map(pool, work, jobs, 20, results, BINE_FOREVER) != 0) {
        perror("pool");
        return 1;
    }
    for (int i = 0; i < 20; i++)
        printf("%ld ", (long)results[i]);
    printf("\nat most %d at a time\n", most);
    return bine_pool_free(pool);
}

/* One greenlet puts numbers into a queue, a slower one takes them out. */
#include <bine.h>
#include <stdio.h>

static void *produce(void *queue)
{
    for (long i = 1; i <= 5; i++) {
        bine_queue_put(queue, (void *)i, BINE_FOREVER); /* waits while the queue is full */
        printf("put %ld\n", i);
    }
    bine_queue_shutdown(queue, false); /* no more will come */
    return NULL;
}

static void *consume(void *queue)
{
    void *item;
    while (bine_queue_get(queue, &item, BINE_FOREVER) == 0) {
        printf("        got %ld\n", (long)item);
        bine_sleep(10 * BINE_MS);
    }
    return NULL; /* the queue is empty, and shut down */
}

int main(void)
{
    bine_queue *queue = bine_queue_new(2, 0); /* room for two items */
    bine_greenlet *both[] = {bine_spawn(produce, queue), bine_spawn(consume, queue)};
    bine_joinall(both, 2, BINE_FOREVER);
    return bine_queue_free(queue);
}

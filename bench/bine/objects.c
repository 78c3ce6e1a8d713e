/* The works on Bine's objects: channel, queue, lock, pool, and mailbox between two threads. */
#include "objects.h"

#include <bine.h>
#include <bine/channel.h>
#include <bine/lock.h>
#include <bine/mailbox.h>
#include <bine/pool.h>
#include <bine/queue.h>
#include <pthread.h>

#include "../bench.h"

enum {
    QUEUE = 1000
};

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void join(bine_greenlet *g)
{
    must(g && bine_join(g, NULL, BINE_FOREVER) == 0, "bine_join");
}

/* ---- a rendezvous ---------------------------------------------------------------------------- */

static bine_channel *meeting;

static void *send_all(void *count)
{
    for (long i = 1; i <= (long)count; i++)
        must(bine_channel_send(meeting, (void *)i, BINE_FOREVER) == 0, "bine_channel_send");
    return NULL;
}

static void *receive_all(void *count)
{
    long sum = 0;
    void *item;
    for (long i = 0; i < (long)count; i++) {
        must(bine_channel_receive(meeting, &item, BINE_FOREVER) == 0, "bine_channel_receive");
        sum += (long)item;
    }
    must(sum == (long)count * ((long)count + 1) / 2, "the sum");
    return NULL;
}

void channel(long count)
{
    meeting = bine_channel_new(0, 0);
    double start = bench_cpu();
    bine_greenlet *sender = bine_spawn(send_all, (void *)count),
                  *receiver = bine_spawn(receive_all, (void *)count);
    join(sender);
    join(receiver);
    bench_report("channel", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- a bounded queue: a put and a get -------------------------------------------------------- */

static bine_queue *line;

static void *put_all(void *count)
{
    for (long i = 1; i <= (long)count; i++)
        must(bine_queue_put(line, (void *)i, BINE_FOREVER) == 0, "bine_queue_put");
    return NULL;
}

static void *get_all(void *count)
{
    void *item;
    for (long i = 1; i <= (long)count; i++)
        must(bine_queue_get(line, &item, BINE_FOREVER) == 0 && (long)item == i, "bine_queue_get");
    return NULL;
}

void queue(long count)
{
    line = bine_queue_new(QUEUE, 0);
    double start = bench_cpu();
    bine_greenlet *producer = bine_spawn(put_all, (void *)count),
                  *consumer = bine_spawn(get_all, (void *)count);
    join(producer);
    join(consumer);
    bench_report("queue", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- a lock that somebody always waits for --------------------------------------------------- */

static bine_rlock *lock;

static void *take_turns(void *count)
{
    for (long i = 0; i < (long)count; i++) {
        must(bine_rlock_acquire(lock, BINE_FOREVER) == 0, "bine_rlock_acquire");
        bine_sleep(0);
        must(bine_rlock_release(lock) == 0, "bine_rlock_release");
    }
    return NULL;
}

void lock_handoff(long count)
{
    lock = bine_rlock_new(0);
    double start = bench_cpu();
    bine_greenlet *a = bine_spawn(take_turns, (void *)(count / 2)),
                  *b = bine_spawn(take_turns, (void *)(count / 2));
    join(a);
    join(b);
    bench_report("lock_handoff", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- a pool's map, 100 places ---------------------------------------------------------------- */

static void *twice(void *item)
{
    return (void *)((long)item * 2);
}

void pool_map(long count)
{
    enum {
        ITEMS = 10000
    };
    static void *items[ITEMS], *results[ITEMS];
    bine_pool *pool = bine_pool_new(100, 0);
    for (long i = 0; i < ITEMS; i++)
        items[i] = (void *)i;
    double start = bench_cpu();
    for (long done = 0; done < count; done += ITEMS) {
        must(bine_pool_map(pool, twice, items, ITEMS, results, BINE_FOREVER) == 0, "bine_pool_map");
        must((long)results[ITEMS - 1] == 2 * (ITEMS - 1), "the results");
    }
    bench_report("pool_map", (bench_cpu() - start) / (double)count, "ns");
}

/* ---- messages from a hub to a hub ------------------------------------------------------------ */

static bine_mailbox *mailbox;

static void *send_from_thread(void *count)
{
    for (long i = 1; i <= (long)count; i++)
        must(bine_mailbox_send(mailbox, (void *)i, BINE_FOREVER) == 0, "bine_mailbox_send");
    return NULL;
}

void cross_hub(long count)
{
    pthread_t thread;
    void *item;
    mailbox = bine_mailbox_new(QUEUE);
    double start = bench_now();
    must(pthread_create(&thread, NULL, send_from_thread, (void *)count) == 0, "pthread_create");
    for (long i = 1; i <= count; i++)
        must(bine_mailbox_receive(mailbox, &item, BINE_FOREVER) == 0 && (long)item == i,
             "bine_mailbox_receive");
    bench_report("cross_hub", (bench_now() - start) / (double)count, "ns");
    pthread_join(thread, NULL);
}

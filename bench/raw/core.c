/*
 * The raw limits of the scheduling works: what the machine allows when nothing but the work is
 * done. No guards, no cancelling, no names; coroutines on dense stacks of one page, their records
 * in an array of their own, so that the processor can run ahead to the next ones while a stack is
 * fetched from memory.
 */
#include <stdbool.h>
#include <sys/mman.h>

#include "../bench.h"
#include "switch.h"

/* How far stacks lie apart: a page, or RAW_STACK bytes, to see what page tables cost. */
static size_t stack_size(void)
{
    const char *text = getenv("RAW_STACK");
    return text ? strtoull(text, NULL, 0) : 4096;
}

struct coroutine {
    void *sp;
    struct coroutine *next;
    char *top;
    long left;
    uint32_t seed;
};

static void *main_sp;
static struct coroutine *pool;

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

/* n coroutines and their stacks, a list in order. The stacks' tops are spread over the cache
 * sets. */
static struct coroutine *coroutines_map(long n)
{
    size_t size = stack_size();
    char *stacks = map((size_t)n * size);
    struct coroutine *all = map((size_t)n * sizeof *all);
    for (long i = 0; i < n; i++) {
        all[i].top = stacks + (size_t)(i + 1) * size - (i & 15) * 64;
        all[i].next = i + 1 < n ? &all[i + 1] : NULL;
    }
    return all;
}

static void coroutine_begin(struct coroutine *c, void (*run)(struct coroutine *))
{
#if defined(__x86_64__)
    /* Six registers and where to go; top is aligned to 16, as `call` wants it. */
    void **sp = (void **)c->top - 8;
    sp[0] = c;           /* r15 */
    sp[1] = (void *)run; /* r14 */
    sp[6] = (void *)raw_entry;
    sp[-1] = (void *)0x037f00001f80; /* the control words a thread begins with */
#else
    void **sp = (void **)c->top - 20;
    sp[0] = c;
    sp[1] = (void *)run;
    sp[11] = (void *)raw_entry;
#endif
    c->sp = sp;
}

/* ---- yield ----------------------------------------------------------------------------------- */

/* Which one runs is kept outside the stacks: read back from the stack it would make each switch
 * wait for the memory of the one before. */
static struct coroutine *current;
static long left;

static void spin(struct coroutine *self)
{
    (void)self;
    for (;;) {
        struct coroutine *from = current;
        if (--left == 0)
            raw_switch(&from->sp, main_sp);
        current = from->next;
        raw_switch(&from->sp, current->sp);
    }
}

static void robin(const char *name, long n, long switches)
{
    struct coroutine *first = coroutines_map(n);
    for (long i = 0; i < n; i++)
        coroutine_begin(&first[i], spin);
    first[n - 1].next = first;
    current = first;
    left = n + 1;
    raw_switch(&main_sp, first->sp); /* once around, to touch the stacks */
    left = switches + 1;
    double start = bench_cpu();
    raw_switch(&main_sp, current->sp);
    bench_report(name, (bench_cpu() - start) / (double)switches, "ns");
}

static void yield_2(long count)
{
    robin("yield_2", 2, count);
}

static void robin_1000(long count)
{
    robin("robin_1000", 1000, count);
}

static void robin_100000(long count)
{
    robin("robin_100000", 100000, count);
}

/* ---- spawn and join -------------------------------------------------------------------------- */

static void end(struct coroutine *self)
{
    raw_switch(&self->sp, main_sp);
}

static void spawn(const char *name, long batch, long count)
{
    pool = coroutines_map(batch);
    double start = 0;
    for (long done = -batch; done < count; done += batch) {
        if (done == 0)
            start = bench_cpu();
        struct coroutine *ready = NULL, **tail = &ready;
        for (long i = 0; i < batch; i++) {
            struct coroutine *c = pool;
            pool = c->next;
            c->next = NULL;
            coroutine_begin(c, end);
            *tail = c;
            tail = &c->next;
        }
        while (ready) {
            struct coroutine *c = ready;
            ready = c->next;
            raw_switch(&main_sp, c->sp);
            c->next = pool;
            pool = c;
        }
    }
    bench_report(name, (bench_cpu() - start) / (double)count, "ns");
}

static void spawn_join(long count)
{
    spawn("spawn_join", 1, count);
}

static void spawn_10000(long count)
{
    spawn("spawn_10000", 10000, count);
}

/* ---- channel: a rendezvous that switches only when it must: one switch a message ------------- */

static struct {
    struct coroutine *sender, *receiver;
    void *offer, *given;
    bool offered, wanted;
    long sum, left;
} channel;

static void channel_send(void *item)
{
    if (channel.wanted) { /* the receiver is parked: hand over and run on */
        channel.wanted = false;
        channel.given = item;
        return;
    }
    channel.offer = item;
    channel.offered = true;
    raw_switch(&channel.sender->sp, channel.receiver->sp);
}

static void *channel_receive(void)
{
    if (channel.offered) {
        channel.offered = false;
        return channel.offer;
    }
    channel.wanted = true;
    raw_switch(&channel.receiver->sp, channel.sender->sp);
    return channel.given;
}

static void sender(struct coroutine *self)
{
    (void)self;
    for (long i = 1;; i++)
        channel_send((void *)i);
}

static void receiver(struct coroutine *self)
{
    while (channel.left-- > 0)
        channel.sum += (long)channel_receive();
    raw_switch(&self->sp, main_sp);
}

static void channel_work(long count)
{
    struct coroutine *c = coroutines_map(2);
    channel.sender = c;
    channel.receiver = c->next;
    coroutine_begin(channel.sender, sender);
    coroutine_begin(channel.receiver, receiver);
    channel.left = count;
    double start = bench_cpu();
    raw_switch(&main_sp, channel.receiver->sp);
    bench_report("channel", (bench_cpu() - start) / (double)count, "ns");
    if (channel.sum != count * (count + 1) / 2) {
        fprintf(stderr, "channel: wrong sum\n");
        exit(1);
    }
}

/* ---- timers: 4-ary heap, the clock read once a sleep, one nanosleep when nothing is due ------ */

static struct entry {
    int64_t deadline;
    struct coroutine *coroutine;
} * heap;
static long heap_count;

static void heap_push(int64_t deadline, struct coroutine *c)
{
    long at = heap_count++;
    while (at > 0 && heap[(at - 1) / 4].deadline > deadline) {
        heap[at] = heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap[at] = (struct entry){deadline, c};
}

static struct coroutine *heap_pop(void)
{
    struct coroutine *first = heap[0].coroutine;
    struct entry moved = heap[--heap_count];
    long at = 0;
    for (;;) {
        long least = at * 4 + 1;
        if (least >= heap_count)
            break;
        for (long child = least + 1; child < at * 4 + 5 && child < heap_count; child++)
            if (heap[child].deadline < heap[least].deadline)
                least = child;
        if (heap[least].deadline >= moved.deadline)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = moved;
    return first;
}

static void sleeper(struct coroutine *self)
{
    while (self->left-- > 0) {
        heap_push((int64_t)bench_now() + bench_sleep_ns(&self->seed), self);
        raw_switch(&self->sp, main_sp);
    }
    raw_switch(&self->sp, main_sp);
}

static void timers(long count)
{
    long n = count / 10;
    heap = malloc((size_t)n * sizeof *heap);
    double start = bench_now(), cpu = bench_cpu();
    uint32_t seed = 1;
    for (struct coroutine *c = coroutines_map(n), *next; c; c = next) {
        next = c->next;
        coroutine_begin(c, sleeper);
        c->left = 10;
        c->seed = seed++;
        raw_switch(&main_sp, c->sp);
    }
    while (heap_count) {
        int64_t now = (int64_t)bench_now();
        if (heap[0].deadline > now) {
            struct timespec until = {heap[0].deadline / 1000000000, heap[0].deadline % 1000000000};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
            continue;
        }
        while (heap_count && heap[0].deadline <= now)
            raw_switch(&main_sp, heap_pop()->sp);
    }
    bench_report("timers", (bench_cpu() - cpu) / 1e9, "s");
    bench_report("timers_wall", (bench_now() - start) / 1e9, "s");
}

/* ---- parked ---------------------------------------------------------------------------------- */

static void parked(long count)
{
    double rss = bench_memory("VmRSS"), tables = bench_memory("VmPTE");
    for (struct coroutine *c = coroutines_map(count), *next; c; c = next) {
        next = c->next;
        coroutine_begin(c, end);
        raw_switch(&main_sp, c->sp);
    }
    bench_report("parked", (bench_memory("VmRSS") - rss) / (double)count, "B");
    bench_report("parked_tables", (bench_memory("VmPTE") - tables) / (double)count, "B");
}

int main(int argc, char **argv)
{
    static const struct bench_work works[] = {
        {"yield_2", yield_2, 20000000},
        {"robin_1000", robin_1000, 20000000},
        {"robin_100000", robin_100000, 5000000},
        {"spawn_join", spawn_join, 5000000},
        {"spawn_10000", spawn_10000, 5000000},
        {"channel", channel_work, 20000000},
        {"timers", timers, 1000000},
        {"parked", parked, 100000},
        {NULL, NULL, 0},
    };
    return bench_main(argc, argv, works);
}

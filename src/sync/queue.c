/*
 * The queue. A putter hands the item to the first getter. A getter of a full queue lets the first
 * putter's item in. So a getter never finds that another greenlet took its item, and a putter never
 * finds that the room is gone.
 *
 * Room. In a queue of one thread the items that are there count. In a bounded queue that other
 * threads put to, an atomic counter takes room before an item is sent. So a put from another thread
 * knows at once whether it fits.
 */
#include "queue.h"

#include "libc/layout.h"
#include "remote.h"

BINE_LAYOUT(queue_rows) = {
    BINE_FIELD_AS("queue", "ring_count", struct bine_queue_object, ring.count),
    BINE_FIELD_AS("queue", "heap_count", struct bine_queue_object, heap.count),
    BINE_FIELD("queue", struct bine_queue_object, capacity)};

static size_t count_of(const struct bine_queue_object *queue)
{
    return queue->ring.count + queue->heap.count;
}

static bool is_shut(const struct bine_queue_object *queue)
{
    return atomic_load_explicit(&queue->shut, memory_order_relaxed);
}

static bool queue_ready(const struct bine_waitable *object)
{
    const struct bine_queue_object *queue = (const struct bine_queue_object *)object;
    return count_of(queue) > 0 || is_shut(queue);
}

static void queue_forked(struct bine_object *object)
{
    struct bine_queue_object *queue = (struct bine_queue_object *)object;
    queue->getters = queue->putters = queue->joiners = (struct bine_waiters){NULL, NULL};
}

/* ---- room ------------------------------------------------------------------------------------ */

static bool take_room_shared(struct bine_queue_object *queue)
{
    if (queue->capacity == SIZE_MAX)
        return true;
    atomic_size_t *taken = &queue->object.remote->taken;
    if (atomic_fetch_add(taken, 1) < queue->capacity)
        return true;
    atomic_fetch_sub(taken, 1);
    return false;
}

static bool take_room(struct bine_queue_object *queue)
{
    return queue->object.remote ? take_room_shared(queue) : count_of(queue) < queue->capacity;
}

static void give_room(struct bine_queue_object *queue)
{
    if (queue->object.remote && queue->capacity != SIZE_MAX)
        atomic_fetch_sub(&queue->object.remote->taken, 1);
}

/* ---- items ----------------------------------------------------------------------------------- */

static int reserve(struct bine_queue_object *queue)
{
    return queue->order == BINE_PRIORITY ? bine_heap_reserve(&queue->heap)
                                         : bine_ring_reserve(&queue->ring);
}

static void insert(struct bine_queue_object *queue, void *item)
{
    if (queue->order == BINE_PRIORITY)
        bine_heap_push(&queue->heap, item);
    else
        bine_ring_push(&queue->ring, item);
}

static void *next_item(const struct bine_queue_object *queue)
{
    if (queue->order == BINE_PRIORITY)
        return queue->heap.entries[0].item;
    return queue->order == BINE_LIFO ? bine_ring_last(&queue->ring)
                                     : queue->ring.slots[queue->ring.first];
}

static void *extract(struct bine_queue_object *queue)
{
    if (queue->order == BINE_PRIORITY)
        return bine_heap_pop(&queue->heap);
    return queue->order == BINE_LIFO ? bine_ring_pop_last(&queue->ring)
                                     : bine_ring_pop_first(&queue->ring);
}

static void discard_all(struct bine_queue_object *queue)
{
    while (count_of(queue) > 0) {
        void *item = extract(queue);
        give_room(queue);
        if (queue->discard)
            queue->discard(item);
    }
}

/* ---- put and get ----------------------------------------------------------------------------- */

/* Gives the item to the first getter. Shows it on the way to those that only want to look. */
static bool hand_over(struct bine_queue_object *queue, void *item)
{
    struct bine_taker *getter;
    while ((getter = bine_taker_claim(&queue->getters))) {
        getter->item = item;
        if (getter->kind == BINE_QUEUE_GET)
            return true;
    }
    return false;
}

static inline int attempt_put(struct bine_queue_object *queue, void *item)
{
    if (is_shut(queue))
        return EPIPE;
    /* First, so that no getter is shown an item for which there is no memory. */
    int error = reserve(queue);
    if (error)
        return error;
    if (!bine_waiters_empty(&queue->getters) && hand_over(queue, item)) {
        queue->unfinished++;
        return 0;
    }
    if (!take_room(queue))
        return EAGAIN;
    queue->unfinished++;
    insert(queue, item);
    bine_object_notify(&queue->object);
    return 0;
}

static inline int attempt_get(struct bine_queue_object *queue, void **item)
{
    if (count_of(queue) == 0)
        return is_shut(queue) ? EPIPE : EAGAIN;
    *item = extract(queue);
    struct bine_taker *putter =
        bine_waiters_empty(&queue->putters) ? NULL : bine_taker_claim(&queue->putters);
    if (putter) {
        queue->unfinished++;
        insert(queue, putter->item);
        return 0;
    }
    give_room(queue);
    if (count_of(queue) == 0)
        bine_ring_shrink(&queue->ring);
    return 0;
}

int bine_queue_attempt_put(struct bine_queue_object *queue, void *item)
{
    return attempt_put(queue, item);
}

int bine_queue_attempt_get(struct bine_queue_object *queue, void **item)
{
    return attempt_get(queue, item);
}

/* The party is decided before any getter is given or shown the item, so room comes first. Where
 * items that are on their way have all the room, the party waits for room although greenlets wait
 * for items. It is let in when those items have arrived. */
int bine_queue_put_as(struct bine_queue_object *queue, void *item, struct bine_party *party)
{
    int error = is_shut(queue) ? EPIPE : reserve(queue);
    if (error)
        return bine_party_decide(party) ? error : EAGAIN;
    if (!take_room(queue))
        return EAGAIN;
    if (!bine_party_decide(party)) {
        give_room(queue);
        return EAGAIN;
    }
    queue->unfinished++;
    if (hand_over(queue, item)) {
        give_room(queue);
        return 0;
    }
    insert(queue, item);
    bine_object_notify(&queue->object);
    return 0;
}

int bine_queue_get_as(struct bine_queue_object *queue, void **item, struct bine_party *party)
{
    bool there = count_of(queue) > 0 || is_shut(queue);
    return there && bine_party_decide(party) ? attempt_get(queue, item) : EAGAIN;
}

/* In a shared queue greenlets may wait for room that items on their way from other threads had
 * taken, and that comes free because these go straight to getters. */
static void let_putters_in(struct bine_queue_object *queue)
{
    while (!bine_waiters_empty(&queue->putters) && reserve(queue) == 0 && take_room(queue)) {
        struct bine_taker *putter = bine_taker_claim(&queue->putters);
        if (putter)
            queue->unfinished++;
        if (putter && !hand_over(queue, putter->item))
            insert(queue, putter->item);
        else
            give_room(queue);
    }
}

/* Items that other threads put; their room is taken already. */
static void queue_received(struct bine_object *object)
{
    struct bine_queue_object *queue = (struct bine_queue_object *)object;
    struct bine_remote_item *next, *node = bine_remote_take(object);
    for (; node; node = next) {
        next = node->next;
        bool lost = is_shut(queue) || reserve(queue) != 0;
        if (lost || hand_over(queue, node->item)) {
            give_room(queue);
            queue->unfinished += !lost;
            if (lost && queue->discard)
                queue->discard(node->item);
        } else {
            queue->unfinished++;
            insert(queue, node->item);
        }
        free(node);
    }
    let_putters_in(queue);
    if (queue_ready(&object->waitable))
        bine_object_notify(object);
}

const struct bine_object_class bine_queue_class = {
    {"queue", queue_ready, bine_object_external, bine_object_hub}, queue_forked, queue_received};

/* The wait of a putter, getter or peeker (see bine_taker_wait_inlined). `got` is NULL for a
 * putter. */
static __attribute__((noinline)) int queue_wait(struct bine_queue_object *queue, void *item,
                                                void **got, uint8_t kind, int64_t timeout)
{
    struct bine_taker taker;
    taker.item = item;
    taker.kind = kind;
    int error = bine_taker_wait_inlined(&queue->object, got ? &queue->getters : &queue->putters,
                                        &taker, got ? "get from queue" : "put to queue", timeout);
    if (__builtin_expect(error != 0, 0))
        return bine_result(error);
    if (got)
        *got = taker.item;
    return 0;
}

static int put_there(struct bine_errand *errand)
{
    return bine_outcome(bine_queue_put(errand->object, errand->item, errand->timeout));
}

BINE_ELSEWHERE int put_elsewhere(struct bine_queue_object *queue, void *item, int64_t timeout)
{
    return bine_object_elsewhere(
        bine_object_check(queue),
        &(struct bine_errand){put_there, "put to queue", queue, item, .timeout = timeout});
}

int bine_queue_put(bine_queue *queue, void *item, int64_t timeout)
{
    if (__builtin_expect(!bine_object_here(queue) || timeout < 0, 0))
        return put_elsewhere(queue, item, timeout);
    int error = attempt_put(queue, item);
    return error == EAGAIN ? queue_wait(queue, item, NULL, 0, timeout) : bine_result(error);
}

int bine_queue_put_nowait(bine_queue *queue, void *item)
{
    if (!queue)
        return bine_result(EINVAL);
    if (queue->object.hub == bine_hub_of_thread)
        return bine_result(bine_queue_attempt_put(queue, item));
    int error = bine_remote_check(&queue->object);
    if (!error && is_shut(queue))
        error = EPIPE;
    if (!error && !take_room_shared(queue))
        error = EAGAIN;
    if (error)
        return bine_result(error);
    error = bine_remote_put(&queue->object, item, 0);
    if (error)
        give_room(queue);
    return bine_result(error);
}

static int get_there(struct bine_errand *errand)
{
    return bine_outcome(bine_queue_get(errand->object, &errand->item, errand->timeout));
}

BINE_ELSEWHERE int get_elsewhere(struct bine_queue_object *queue, void **item, int64_t timeout)
{
    return bine_object_elsewhere_item(
        item ? bine_object_check(queue) : EINVAL,
        (struct bine_errand){get_there, "get from queue", queue, .timeout = timeout}, item);
}

int bine_queue_get(bine_queue *queue, void **item, int64_t timeout)
{
    if (__builtin_expect(!bine_object_here(queue) || timeout < 0 || !item, 0))
        return get_elsewhere(queue, item, timeout);
    int error = attempt_get(queue, item);
    return error == EAGAIN ? queue_wait(queue, NULL, item, BINE_QUEUE_GET, timeout)
                           : bine_result(error);
}

static int get_nowait_there(struct bine_errand *errand)
{
    return bine_queue_attempt_get(errand->object, &errand->item);
}

int bine_queue_get_nowait(bine_queue *queue, void **item)
{
    int error = item ? bine_object_check(queue) : EINVAL;
    if (error)
        return bine_object_elsewhere_item(
            error, (struct bine_errand){get_nowait_there, "get from queue", queue}, item);
    return bine_result(bine_queue_attempt_get(queue, item));
}

static int peek_there(struct bine_errand *errand)
{
    return bine_outcome(bine_queue_peek(errand->object, &errand->item, errand->timeout));
}

int bine_queue_peek(bine_queue *queue, void **item, int64_t timeout)
{
    int error = bine_object_check(queue);
    if (error || timeout < 0 || !item)
        return bine_object_elsewhere_item(
            item ? error : EINVAL,
            (struct bine_errand){peek_there, "peek at queue", queue, .timeout = timeout}, item);
    if (count_of(queue) == 0)
        return is_shut(queue) ? bine_result(EPIPE)
                              : queue_wait(queue, NULL, item, BINE_QUEUE_PEEK, timeout);
    *item = next_item(queue);
    return 0;
}

/* ---- tasks, shutting down -------------------------------------------------------------------- */

static void queue_finish(struct bine_queue_object *queue, size_t tasks)
{
    queue->unfinished -= tasks;
    if (queue->unfinished == 0)
        bine_taker_claim_all(&queue->joiners, 0);
}

static int task_done_there(struct bine_errand *errand)
{
    return bine_outcome(bine_queue_task_done(errand->object));
}

int bine_queue_task_done(bine_queue *queue)
{
    int error = bine_object_check(queue);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){task_done_there, "say that a task is done", queue,
                                         .timeout = BINE_FOREVER, .firm = true});
    if (queue->unfinished == 0)
        return bine_result(EINVAL);
    queue_finish(queue, 1);
    return 0;
}

static int queue_join_there(struct bine_errand *errand)
{
    return bine_outcome(bine_queue_join(errand->object, errand->timeout));
}

int bine_queue_join(bine_queue *queue, int64_t timeout)
{
    int error = bine_object_check(queue);
    if (error || timeout < 0)
        return bine_object_elsewhere(error, &(struct bine_errand){queue_join_there, "join queue",
                                                                  queue, .timeout = timeout});
    if (queue->unfinished == 0)
        return 0;
    struct bine_taker taker;
    return bine_result(
        bine_taker_wait(&queue->object, &queue->joiners, &taker, "join queue", timeout));
}

static int shutdown_there(struct bine_errand *errand)
{
    return bine_outcome(bine_queue_shutdown(errand->object, errand->number));
}

int bine_queue_shutdown(bine_queue *queue, bool immediate)
{
    int error = bine_object_check(queue);
    if (error)
        return bine_object_elsewhere(error,
                                     &(struct bine_errand){shutdown_there, "shut down queue", queue,
                                                           .number = immediate,
                                                           .timeout = BINE_FOREVER, .firm = true});
    atomic_store(&queue->shut, true);
    bine_taker_claim_all(&queue->putters, EPIPE);
    bine_taker_claim_all(&queue->getters, EPIPE);
    if (immediate) {
        size_t left = count_of(queue);
        discard_all(queue);
        queue_finish(queue, left < queue->unfinished ? left : queue->unfinished);
    }
    bine_object_notify(&queue->object);
    return 0;
}

/* ---- making, freeing, looking ---------------------------------------------------------------- */

bine_queue *bine_queue_new_with(const bine_queue_options *options)
{
    static const bine_queue_options defaults;
    if (!options)
        options = &defaults;
    if ((unsigned)options->order > BINE_PRIORITY || BINE_RESERVED_USED(options)) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_queue_object *queue =
        bine_object_new(sizeof *queue, &bine_queue_class, options->flags);
    if (!queue)
        return NULL;
    queue->capacity = options->capacity ? options->capacity : SIZE_MAX;
    queue->order = options->order;
    queue->heap.compare = options->compare;
    queue->discard = options->discard;
    return queue;
}

bine_queue *bine_queue_new(size_t capacity, unsigned flags)
{
    return bine_queue_new_with(&(bine_queue_options){.capacity = capacity, .flags = flags});
}

int bine_queue_free(bine_queue *queue)
{
    if (!queue)
        return 0;
    int error = bine_object_check_free(queue);
    bool orphan = !error && bine_object_orphan(queue);
    if (!error && !orphan &&
        !(bine_waiters_empty(&queue->getters) && bine_waiters_empty(&queue->putters) &&
          bine_waiters_empty(&queue->joiners) &&
          bine_waiters_empty(&queue->object.waitable.watchers)))
        error = EBUSY;
    if (error)
        return bine_result(error);
    /* What other threads have put and is still on its way is put first, so that it is discarded as
     * well. */
    if (orphan)
        queue_forked(&queue->object); /* the waiters are gone */
    if (queue->object.remote)
        queue_received(&queue->object);
    discard_all(queue);
    bine_ring_free(&queue->ring);
    bine_heap_free(&queue->heap);
    return bine_result(bine_object_free(&queue->object));
}

size_t bine_queue_size(const bine_queue *queue)
{
    return queue ? count_of(queue) : 0;
}

size_t bine_queue_capacity(const bine_queue *queue)
{
    return queue && queue->capacity != SIZE_MAX ? queue->capacity : 0;
}

bool bine_queue_full(const bine_queue *queue)
{
    return queue && count_of(queue) >= queue->capacity;
}

size_t bine_queue_unfinished(const bine_queue *queue)
{
    return queue ? queue->unfinished : 0;
}

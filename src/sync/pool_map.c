/* Work that is done in a pool: apply, map, and imap, whose results come one by one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

#include "libc/free.h"

/* Wait until none of `pending` is left, cut short or not: what they write to is about to go. */
static void wait_firmly(struct bine_pool *pool, struct bine_waiters *queue, const size_t *pending)
{
    while (*pending > 0) {
        struct bine_taker taker;
        bine_taker_wait_firmly(&pool->object, queue, &taker, "wait for killed greenlets");
    }
}

/* ---- map ------------------------------------------------------------------------------------- */

/* What one item's greenlet is given, where run takes a context as well. */
struct call {
    const struct map *map;
    void *item;
};

struct map {
    const struct bine_pool *pool;
    struct bine_waiters waiter; /* the caller of map */
    void **results;
    int *errors;
    bine_map_run *run_with;
    void *context;
    struct call *calls; /* one an item, if run_with */
    size_t pending;
    size_t failed; /* the smallest index that failed */
    int error;
    bool broken_off; /* what ends from now on was killed: it has no result */
};

static void mapped(struct bine_member *member)
{
    struct map *map = member->context;
    int error = bine_error(member->greenlet);
    if (map->pool->object.orphan)
        /* the thread ends; a caller on another one has been told so, and what it wanted filled may
         * be gone */
        return;
    if (map->results && !map->broken_off)
        map->results[member->index] = bine_value(member->greenlet);
    if (map->errors && !map->broken_off)
        map->errors[member->index] = error;
    if (error && member->index < map->failed) {
        map->failed = member->index;
        map->error = error;
    }
    if (--map->pending == 0)
        bine_taker_claim_all(&map->waiter, 0);
}

static void *pool_map_run_call(void *arg)
{
    const struct call *call = arg;
    return call->map->run_with(call->item, call->map->context);
}

/* 0, or why no greenlet runs for this item. */
static inline __attribute__((always_inline)) int begin_item(struct bine_pool *pool, struct map *map,
                                                            bine_run *run, void *item, size_t i,
                                                            int64_t deadline, const char *site)
{
    struct bine_member member = {.ended = mapped, .context = map, .index = i};
    if (map->calls) {
        map->calls[i] = (struct call){map, item};
        item = &map->calls[i];
    }
    map->pending++;
    if (bine_pool_spawn_member(pool, run, item, deadline, site, &member))
        return 0;
    map->pending--;
    return errno;
}

/* All items, in a pool of this thread. 0 or an error number. */
static int map_items(struct bine_pool *pool, struct map *map, bine_run *run, void *const *items,
                     size_t n, int64_t timeout, const char *site)
{
    int error = 0;
    int64_t deadline = timeout == 0 ? 0 : bine_object_deadline(&pool->object, timeout);
    map->failed = SIZE_MAX;
    for (size_t i = 0; map->results && i < n; i++)
        map->results[i] = NULL;
    for (size_t i = 0; map->errors && i < n; i++)
        map->errors[i] = ECANCELED; /* until it has ended by itself */
    for (size_t i = 0; i < n && !error; i++)
        error = begin_item(pool, map, run, items[i], i, deadline, site);
    while (!error && map->pending > 0) {
        struct bine_taker taker;
        error = timeout == 0 ? bine_streak_refused(pool->object.hub, ETIMEDOUT)
                             : bine_taker_wait_until(&pool->object, &map->waiter, &taker,
                                                     "map in pool", deadline, 0);
    }
    if (error) {
        map->broken_off = true;
        bine_pool_kill_context(pool, map);
        wait_firmly(pool, &map->waiter, &map->pending);
    }
    return error ? error : map->error;
}

/* May the calling thread map in the pool? 0 or an error number. */
static int check_map(const struct bine_pool *pool, bool run, void *const *items, size_t n,
                     int64_t timeout)
{
    int error = run && (items || !n) && timeout >= 0 ? bine_object_check(pool) : EINVAL;
    return !error && pool->object.hub->no_park ? EDEADLK : error;
}

/*
 * A map for a caller on another thread: copies of all that is the caller's, which goes with its
 * thread at any moment.
 */
struct far_map {
    bine_run *run;
    bine_map_run *run_with; /* in place of it; or NULL */
    void *context;
    size_t n;
    void **results;
    int *errors;
    void *items[];
};

/* NULL: ENOMEM. */
static struct far_map *far_map_new(void *const *items, size_t n)
{
    struct far_map *far;
    size_t each = 2 * sizeof(void *) + sizeof(int);
    if (n > (SIZE_MAX - sizeof *far) / each || !(far = malloc(sizeof *far + n * each))) {
        errno = ENOMEM;
        return NULL;
    }
    *far =
        (struct far_map){.n = n, .results = far->items + n, .errors = (int *)(far->items + 2 * n)};
    if (n) {
        memcpy(far->items, items, n * sizeof *items);
        far->results[0] = far; /* until it begins: see map_began */
    }
    return far;
}

static bool map_began(const struct far_map *far)
{
    return far->n > 0 && far->results[0] != far;
}

static int map_there(struct bine_errand *errand)
{
    struct far_map *far = errand->item;
    if (!far->run_with)
        return bine_outcome(bine_pool_map_at(errand->object, far->run, far->items, far->n,
                                             far->results, errand->timeout, errand->site));
    bine_map_options options = {far->context, far->results, far->errors};
    return bine_outcome(bine_pool_map_with_at(errand->object, &options, far->run_with, far->items,
                                              far->n, errand->timeout, errand->site));
}

static void forget_map(struct bine_errand *errand, int error)
{
    (void)error;
    free(errand->item);
}

/* What came of it, for the caller. `error`: of the call as a whole. */
static void bring_back(const struct far_map *far, int error, void **results, int *errors)
{
    bool began = map_began(far);
    if (!began && (error == EINVAL || error == EPERM || error == EDEADLK || error == ENOMEM))
        return;
    for (size_t i = 0; results && i < far->n; i++)
        results[i] = began ? far->results[i] : NULL;
    for (size_t i = 0; errors && i < far->n; i++)
        errors[i] = began ? far->errors[i] : ECANCELED;
}

/* check_map said `error`. Of `far` only the functions and the context count. */
static int map_elsewhere(int error, bine_pool *pool, const struct far_map *what, void *const *items,
                         size_t n, void **results, int *errors, int64_t timeout, const char *site)
{
    if (error != EPERM)
        return bine_result(error);
    struct far_map *far = far_map_new(items, n);
    if (!far)
        return -1;
    far->run = what->run;
    far->run_with = what->run_with;
    far->context = what->context;
    int result = bine_object_elsewhere(error, &(struct bine_errand){.run = map_there,
                                                                    .verb = "map in pool",
                                                                    .object = pool,
                                                                    .item = far,
                                                                    .site = site,
                                                                    .timeout = timeout,
                                                                    .forsaken = forget_map});
    bring_back(far, result == 0 ? 0 : errno, results, errors);
    bine_free(far);
    return result;
}

int bine_pool_map_at(bine_pool *pool, bine_run *run, void *const *items, size_t n, void **results,
                     int64_t timeout, const char *site)
{
    int error = check_map(pool, run, items, n, timeout);
    if (error)
        return map_elsewhere(error, pool, &(struct far_map){.run = run}, items, n, results, NULL,
                             timeout, site);
    struct map map = {.pool = pool, .results = results};
    return bine_result(map_items(pool, &map, run, items, n, timeout, site));
}

int bine_pool_map_with_at(bine_pool *pool, const bine_map_options *options, bine_map_run *run,
                          void *const *items, size_t n, int64_t timeout, const char *site)
{
    static const bine_map_options defaults;
    if (!options)
        options = &defaults;
    int error = BINE_RESERVED_USED(options) ? EINVAL : check_map(pool, run, items, n, timeout);
    if (error)
        return map_elsewhere(error, pool,
                             &(struct far_map){.run_with = run, .context = options->context}, items,
                             n, options->results, options->errors, timeout, site);
    if (n > PTRDIFF_MAX / sizeof(struct call))
        return bine_result(ENOMEM);
    struct map map = {.pool = pool,
                      .results = options->results,
                      .errors = options->errors,
                      .run_with = run,
                      .context = options->context,
                      .calls = n ? calloc(n, sizeof *map.calls) : NULL};
    if (n && !map.calls)
        return -1;
    error = map_items(pool, &map, pool_map_run_call, items, n, timeout, site);
    free(map.calls);
    return bine_result(error);
}

static int apply_there(struct bine_errand *errand)
{
    return bine_outcome(bine_pool_apply_at(errand->object, errand->function, errand->item,
                                           &errand->item, errand->timeout, errand->site));
}

int bine_pool_apply_at(bine_pool *pool, bine_run *run, void *arg, void **value, int64_t timeout,
                       const char *site)
{
    if (bine_object_check(pool) == EPERM && run)
        return bine_object_elsewhere_item(EPERM,
                                          (struct bine_errand){apply_there, "apply in pool", pool,
                                                               arg, .function = run, .site = site,
                                                               .timeout = timeout},
                                          value);
    void *result = NULL;
    int failed = bine_pool_map_at(pool, run, &arg, 1, &result, timeout, site);
    if (!failed && value)
        *value = result;
    return failed;
}

/* ---- imap ------------------------------------------------------------------------------------ */

struct outcome {
    void *value;
    int error;
    bool there;
};

struct bine_imap {
    struct bine_pool *pool;
    struct bine_waiters waiter; /* of imap_next, imap_end */
    struct bine_waiters feed;   /* the feeder, for a result to be taken */
    bine_run *run;
    void *const *items;
    const char *site;
    struct bine_greenlet *feeder; /* a reference */
    bool ordered;
    bool ended; /* freed by the last of `pending` */
    size_t n;
    size_t most;     /* begun and not returned; SIZE_MAX: no limit */
    size_t pending;  /* members that run, and the feeder */
    size_t returned; /* results given out */
    size_t arrived;  /* unordered: entries of `order` */
    int error;       /* why the feeder gave up */
    size_t *order;   /* unordered: indices as they came; else NULL */
    struct outcome outcomes[];
};

static bool next_is_there(const struct bine_imap *imap)
{
    return imap->ordered ? imap->outcomes[imap->returned].there : imap->returned < imap->arrived;
}

/* A member, or the feeder, has ended. */
static void one_less(struct bine_imap *imap)
{
    imap->pending--;
    bine_taker_claim_all(&imap->waiter, 0);
    if (imap->ended && imap->pending == 0)
        free(imap);
}

static void imapped(struct bine_member *member)
{
    struct bine_imap *imap = member->context;
    struct outcome *outcome = &imap->outcomes[member->index];
    *outcome = (struct outcome){bine_value(member->greenlet), bine_error(member->greenlet), true};
    if (!imap->ordered)
        imap->order[imap->arrived++] = member->index;
    one_less(imap);
}

/* Until the reader has taken enough for item i. 0 or an error number. */
static int wait_for_reader(struct bine_imap *imap, size_t i)
{
    int error = 0;
    while (!error && i - imap->returned >= imap->most) {
        struct bine_taker taker;
        error = bine_taker_wait(&imap->pool->object, &imap->feed, &taker, "wait for reader of imap",
                                BINE_FOREVER);
    }
    return error;
}

static void *feed(void *arg)
{
    struct bine_imap *imap = arg;
    for (size_t i = 0; i < imap->n; i++) {
        int error = wait_for_reader(imap, i);
        if (error)
            bine_fail(error);
        struct bine_member member = {.ended = imapped, .context = imap, .index = i};
        imap->pending++;
        if (!bine_pool_spawn_member(imap->pool, imap->run, imap->items[i], INT64_MAX, imap->site,
                                    &member)) {
            imap->pending--;
            bine_fail(errno);
        }
    }
    return NULL;
}

static void fed(bine_greenlet *g, void *arg)
{
    struct bine_imap *imap = arg;
    imap->error = bine_error(g);
    one_less(imap);
}

static int start_feeder(struct bine_imap *imap)
{
    imap->feeder = bine_spawn(feed, imap);
    if (!imap->feeder)
        return errno;
    if (bine_link(imap->feeder, fed, imap) != 0) {
        bine_kill(imap->feeder);
        bine_detach(imap->feeder);
        return ENOMEM;
    }
    imap->pending = 1;
    return 0;
}

bine_imap *bine_pool_imap_at(bine_pool *pool, bine_run *run, void *const *items, size_t n,
                             bool ordered, const char *site)
{
    int error = bine_object_check(pool);
    if (!error && (!run || (!items && n)))
        error = EINVAL;
    if (!error && n > SIZE_MAX / 4 / sizeof(struct outcome))
        error = ENOMEM;
    if (error) {
        errno = error;
        return NULL;
    }
    struct bine_imap *imap =
        calloc(1, sizeof *imap + n * sizeof(struct outcome) + (ordered ? 0 : n * sizeof(size_t)));
    if (!imap)
        return NULL;
    imap->pool = pool;
    imap->run = run;
    imap->items = items;
    imap->site = site;
    imap->ordered = ordered;
    imap->n = n;
    imap->most = SIZE_MAX;
    imap->order = ordered ? NULL : (size_t *)&imap->outcomes[n];
    error = n > 0 ? start_feeder(imap) : 0;
    if (error) {
        free(imap);
        errno = error;
        return NULL;
    }
    return imap;
}

int bine_imap_limit(bine_imap *imap, size_t most)
{
    int error = imap ? bine_object_check(imap->pool) : EINVAL;
    if (error)
        return bine_result(error);
    imap->most = most ? most : SIZE_MAX;
    return 0;
}

int bine_imap_next(bine_imap *imap, bine_imap_result *result, int64_t timeout)
{
    int refused = !imap || !result || timeout < 0 ? EINVAL : bine_object_check(imap->pool);
    if (refused)
        return bine_result(refused);
    if (imap->returned == imap->n)
        return 0;
    int64_t deadline = timeout == 0 ? 0 : bine_object_deadline(&imap->pool->object, timeout);
    while (!next_is_there(imap)) {
        if (imap->error && imap->pending == 0)
            return bine_result(imap->error);
        struct bine_taker taker;
        int error = timeout == 0 ? bine_streak_refused(imap->pool->object.hub, ETIMEDOUT)
                                 : bine_taker_wait_until(&imap->pool->object, &imap->waiter, &taker,
                                                         "wait for result of imap", deadline, 0);
        if (error)
            return bine_result(error);
    }
    size_t index = imap->ordered ? imap->returned : imap->order[imap->returned];
    imap->returned++;
    bine_taker_claim_all(&imap->feed, 0);
    const struct outcome *outcome = &imap->outcomes[index];
    *result = (bine_imap_result){index, imap->items[index], outcome->value, outcome->error, {0}};
    return 1;
}

static int pool_map_end_there(struct bine_errand *errand)
{
    bine_imap_end(errand->object);
    return 0;
}

/* Another thread's is ended by that thread; with it, its greenlets have gone. */
static void pool_map_end_elsewhere(struct bine_imap *imap)
{
    if (atomic_load(&imap->pool->object.hub->over) ||
        bine_errand(imap->pool->object.hub, &(struct bine_errand){.run = pool_map_end_there,
                                                                  .verb = "end imap",
                                                                  .object = imap,
                                                                  .timeout = BINE_FOREVER,
                                                                  .firm = true}) == ESRCH)
        free(imap);
}

void bine_imap_end(bine_imap *imap)
{
    if (!imap)
        return;
    if (bine_object_check(imap->pool) != 0) {
        pool_map_end_elsewhere(imap);
        return;
    }
    if (imap->feeder) {
        bine_kill(imap->feeder);
        bine_detach(imap->feeder);
        bine_pool_kill_context(imap->pool, imap);
        /* In a callback, which may not park, the last that ends frees it. */
        if (imap->pending > 0 && imap->pool->object.hub->no_park) {
            imap->ended = true;
            return;
        }
        wait_firmly(imap->pool, &imap->waiter, &imap->pending);
    }
    free(imap);
}

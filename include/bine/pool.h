/*
 * Pool and group: greenlets that belong together. One call waits for them or kills them all. A pool
 * also limits how many of them there are at a time. A group is a pool without a limit: every
 * bine_pool_* call accepts one.
 *
 * The pool holds a reference to each of its greenlets until that greenlet has ended and drops out
 * by itself. The greenlets that the calls return are borrowed: bine_ref one to keep it beyond its
 * end.
 */
#ifndef BINE_POOL_H
#define BINE_POOL_H

#include <stdbool.h>
#include <sys/types.h>

#include "greenlet.h"
#include "object.h"

BINE_BEGIN

typedef struct bine_pool bine_pool;
typedef struct bine_pool bine_group;

/* Make a pool for at most `size` greenlets at a time (0 means no limit). flags: 0 or BINE_SHARED.
 * Other threads may give work to a shared pool, and the pool's own thread does it. Fails with
 * EINVAL, ENOMEM, or EAGAIN (no hub could be made). Free it with bine_pool_free. Switches: no. */
BINE_API bine_pool *bine_pool_new(size_t size, unsigned flags);
/* Make a pool without a limit, which is not shared. Fails as bine_pool_new. Switches: no. */
BINE_API bine_group *bine_group_new(void);
/* Free the pool. Returns 0, or -1 with EBUSY (greenlets are in it, or wait for it) or EPERM.
 * Switches: no. */
BINE_API int bine_pool_free(bine_pool *pool);

/* ---- greenlets in it ------------------------------------------------------------------------- */

/* bine_pool_spawn(pool, run, arg): spawn run(arg) in the pool, and wait for a free place. Returns
 * the greenlet, borrowed. Fails as bine_spawn and as a wait does. To a caller on another thread the
 * result only says that the greenlet was spawned: it may have ended by the time the call returns.
 * The pool is ready when a place is free. Waits. */
#define bine_pool_spawn(pool, run, ...) \
    bine_pool_spawn_at((pool), (run), __VA_ARGS__, BINE_FOREVER, BINE_SITE(run))
BINE_API bine_greenlet *bine_pool_spawn_at(bine_pool *pool, bine_run *run, void *arg,
                                           int64_t timeout, const char *site);

/* bine_pool_spawn_with(pool, options, run, arg, timeout): the same with options, as for
 * bine_spawn_with. NULL means all defaults. A greenlet with a delay takes its place at once. Where
 * `discard` is set, the pool's thread calls it if the greenlet is killed before it ran, by
 * bine_pool_kill or otherwise. Returns and fails as bine_pool_spawn and bine_spawn_with. Waits. */
#define bine_pool_spawn_with(pool, ...) \
    bine_pool_spawn_with_at((pool), __VA_ARGS__, BINE_SITE_BEFORE_2(__VA_ARGS__))
BINE_API bine_greenlet *bine_pool_spawn_with_at(bine_pool *pool, const bine_spawn_options *options,
                                                bine_run *run, void *arg, int64_t timeout,
                                                const char *site);

/* Take in a greenlet that exists, and wait for a free place. The pool takes a reference of its own.
 * A greenlet that has ended is not taken in, and the call succeeds. Returns 0, or -1, also with
 * EINVAL (g is NULL or not of the pool's thread), EEXIST (it is in this pool) or ENOMEM. Waits. */
BINE_API int bine_pool_add(bine_pool *pool, bine_greenlet *g, int64_t timeout);
/* Take a greenlet out of the pool. It runs on, outside the pool. Returns 0, or -1 with EINVAL,
 * EPERM, or ENOENT (it is not in the pool). Switches: no. */
BINE_API int bine_pool_discard(bine_pool *pool, bine_greenlet *g);

/* bine_pool_count returns how many greenlets are in the pool. bine_pool_free_count returns how many
 * more fit (SIZE_MAX without a limit). bine_pool_full returns true if none fits. For NULL they
 * return 0, 0 and true. They are for the pool's own thread. They never switch. */
BINE_API size_t bine_pool_count(const bine_pool *pool);
BINE_API size_t bine_pool_free_count(const bine_pool *pool);
BINE_API bool bine_pool_full(const bine_pool *pool);
/* Returns true if g is in the pool, false for NULL. Call it on the pool's own thread.
 * Switches: no. */
BINE_API bool bine_pool_contains(const bine_pool *pool, const bine_greenlet *g);
/* Store the greenlets of the pool, the latest first, in all[] (room for `room`), borrowed. Returns
 * how many are in the pool, which may be more than `room`. Returns 0 for NULL. Call it on the
 * pool's own thread. Switches: no. */
BINE_API size_t bine_pool_list(const bine_pool *pool, bine_greenlet **all, size_t room);
/* Wait until a place is free, without taking it. Returns 0 or -1. Waits. */
BINE_API int bine_pool_wait_available(bine_pool *pool, int64_t timeout);

/* Wait until the pool is empty. Returns 0, or -1, also with EDEADLK (the caller is in the pool).
 * Waits. */
BINE_API int bine_pool_join(bine_pool *pool, int64_t timeout);
/* Kill all greenlets in the pool, and those that come in meanwhile, then wait for their end. A
 * caller that is in the pool is killed, and the call does not wait for it. With timeout 0 the call
 * only kills, and succeeds. Returns 0 or -1. Waits. */
BINE_API int bine_pool_kill(bine_pool *pool, int64_t timeout);

/* ---- work ------------------------------------------------------------------------------------ */

/* bine_pool_apply(pool, run, arg, value, timeout): run run(arg) in the pool, wait for its end and
 * store what it returned in *value (may be NULL). Returns 0. Otherwise returns -1 with the error
 * that the greenlet failed with (bine_fail), or with the reason why the call failed; in that case
 * the greenlet was killed and has ended. Waits. */
#define bine_pool_apply(pool, run, ...) \
    bine_pool_apply_at((pool), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API int bine_pool_apply_at(bine_pool *pool, bine_run *run, void *arg, void **value,
                                int64_t timeout, const char *site);

/*
 * bine_pool_map(pool, run, items, n, results, timeout): run run(items[i]) in the pool for each of
 * the n items, each in a greenlet of its own, as many at a time as places are free, and wait for
 * all of them. results[i] is what run(items[i]) returned, or NULL if it failed. `results` may be
 * NULL.
 *
 * Returns 0. If some greenlets failed, returns -1 with the error of the one with the smallest i,
 * after all have ended. If the call itself failed (kill, timeout, no memory), returns -1 with the
 * reason, after the greenlets that run have been killed and have ended; their results are NULL.
 * Waits.
 */
#define bine_pool_map(pool, run, ...) bine_pool_map_at((pool), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API int bine_pool_map_at(bine_pool *pool, bine_run *run, void *const *items, size_t n,
                              void **results, int64_t timeout, const char *site);

/* bine_pool_map_with runs this function on each item. The pointer that it returns is the item's
 * result. */
typedef void *bine_map_run(void *item, void *context);

typedef struct bine_map_options {
    void *context;  /* the second argument of run, the same for all items */
    void **results; /* n of them, as for bine_pool_map. NULL stores no results. */
    /* n of them. Each is 0, or the error that run(items[i]) failed with. It is ECANCELED if run was
     * killed, or was never called because the call was cut short. NULL stores no errors. */
    int *errors;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_map_options;

/* bine_pool_map_with(pool, options, run, items, n, timeout): the same with options (NULL means
 * none). run gets a context besides the item, and the error of each item is stored. Returns 0, or
 * -1 as bine_pool_map. It also fails with ENOMEM before anything was begun. In this case, and for
 * EINVAL, EPERM and EDEADLK, results and errors stay as they were. Waits. */
#define bine_pool_map_with(pool, ...) \
    bine_pool_map_with_at((pool), __VA_ARGS__, BINE_SITE_BEFORE_3(__VA_ARGS__))
BINE_API int bine_pool_map_with_at(bine_pool *pool, const bine_map_options *options,
                                   bine_map_run *run, void *const *items, size_t n, int64_t timeout,
                                   const char *site);

/* ---- results as they come -------------------------------------------------------------------- */

typedef struct bine_imap bine_imap;

typedef struct bine_imap_result {
    size_t index; /* of the item */
    void *item;
    void *value;           /* what run(item) returned; NULL if it failed */
    int error;             /* 0, or the error that it failed with */
    uintptr_t reserved[2]; /* Bine sets it to 0; more fields may be added here */
} bine_imap_result;

/* bine_pool_imap(pool, run, items, n): as bine_pool_map, but it returns at once. A greenlet outside
 * the pool feeds the items to it, and bine_imap_next gives the results: in the order of the items,
 * or (unordered) as they come. `items` must outlive the iteration. Fails with EINVAL, EPERM, ENOMEM
 * or EAGAIN. End it with bine_imap_end, before the pool is freed. Switches: no. */
#define bine_pool_imap(pool, run, ...) \
    bine_pool_imap_at((pool), (run), __VA_ARGS__, true, BINE_SITE(run))
#define bine_pool_imap_unordered(pool, run, ...) \
    bine_pool_imap_at((pool), (run), __VA_ARGS__, false, BINE_SITE(run))
BINE_API bine_imap *bine_pool_imap_at(bine_pool *pool, bine_run *run, void *const *items, size_t n,
                                      bool ordered, const char *site);
/* From now on begin at most `most` items whose results bine_imap_next has not given yet (0 means no
 * limit), so that a slow reader holds up the work instead of gathering results (gevent's maxsize).
 * Call it before the first bine_imap_next. It does not take back items that have begun already.
 * Returns 0, or -1 with EINVAL, or EPERM (the iteration is another thread's). Switches: no. */
BINE_API int bine_imap_limit(bine_imap *imap, size_t most);
/* Store the next result in *result. Returns 1, or 0 when there are no more. Otherwise returns -1
 * with EINVAL, EPERM (the iteration is another thread's), ETIMEDOUT, ECANCELED, EDEADLK, or ENOMEM
 * (the rest could not be spawned). Switches: when it has to wait. */
BINE_API int bine_imap_next(bine_imap *imap, bine_imap_result *result, int64_t timeout);
/* Kill the greenlets of the iteration that still run, wait for their end whatever happens, and free
 * the iteration. NULL is ignored. Any thread may call it; an iteration of another thread is ended
 * by that thread. Call it before its pool is freed. Switches: when it has to wait. */
BINE_API void bine_imap_end(bine_imap *imap);

BINE_END

#endif

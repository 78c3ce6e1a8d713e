/*
 * Pool and group: greenlets that belong together. They can be waited for and killed as one; a pool also limits
 * how many of them there are at a time. A group is a pool without a limit: every bine_pool_* call takes one.
 *
 * The pool holds a reference to each of its greenlets until it has ended and drops out by itself. What the
 * calls return is borrowed: bine_ref it to keep it beyond its end.
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

/* A pool for at most `size` greenlets at a time (0: no limit). flags: 0 or BINE_SHARED: other threads may give
 * it work, which its own thread does. NULL: EINVAL, ENOMEM, EAGAIN (no hub). Free with bine_pool_free.
 * Switches: no. */
BINE_API bine_pool *bine_pool_new(size_t size, unsigned flags);
/* A pool without a limit. */
BINE_API bine_group *bine_group_new(void);
/* -1: EBUSY (greenlets are in it, or wait for it), EPERM. Switches: no. */
BINE_API int bine_pool_free(bine_pool *pool);

/* ---- greenlets in it -------------------------------------------------------------------------- */

/* bine_pool_spawn(pool, run, arg): spawn run(arg) in the pool, waiting for a free place. Returns the greenlet,
 * borrowed, or NULL: as bine_spawn, and as a wait fails. To another thread, where it may have ended by the time the
 * call returns, it only says that it was spawned. Waits. Ready: a place is free. */
#define bine_pool_spawn(pool, run, ...) bine_pool_spawn_at((pool), (run), __VA_ARGS__, BINE_FOREVER, BINE_SITE(run))
BINE_API bine_greenlet *bine_pool_spawn_at(bine_pool *pool, bine_run *run, void *arg, int64_t timeout,
                                           const char *site);

/* bine_pool_spawn_with(pool, options, run, arg, timeout): the same with options, as for bine_spawn_with (NULL: none).
 * One with a delay takes its place at once. Where `discard` is set, it is called in the pool's thread if the greenlet
 * is killed before it ran, by bine_pool_kill or otherwise. */
#define bine_pool_spawn_with(pool, ...) bine_pool_spawn_with_at((pool), __VA_ARGS__, BINE_SITE_BEFORE_2(__VA_ARGS__))
BINE_API bine_greenlet *bine_pool_spawn_with_at(bine_pool *pool, const bine_spawn_options *options, bine_run *run,
                                                void *arg, int64_t timeout, const char *site);

/* Take in a greenlet that exists, waiting for a free place; the pool takes a reference of its own. One that has
 * ended is not taken in, which is a success. Returns 0 or -1: also EINVAL (g NULL or not of the pool's thread), EEXIST
 * (it is in this pool), ENOMEM. Waits. */
BINE_API int bine_pool_add(bine_pool *pool, bine_greenlet *g, int64_t timeout);
/* Let it go: it runs on, outside the pool. -1: EINVAL, EPERM, ENOENT (it is not in the pool). Switches: no. */
BINE_API int bine_pool_discard(bine_pool *pool, bine_greenlet *g);

/* How many greenlets are in it; how many more fit (SIZE_MAX without a limit); does none? For the pool's own
 * thread. They never switch; 0, 0, true for NULL. */
BINE_API size_t bine_pool_count(const bine_pool *pool);
BINE_API size_t bine_pool_free_count(const bine_pool *pool);
BINE_API bool bine_pool_full(const bine_pool *pool);
/* Is g in it? False for NULL. For the pool's own thread. Switches: no. */
BINE_API bool bine_pool_contains(const bine_pool *pool, const bine_greenlet *g);
/* Store those that are in it, the latest first, in all[] (room for `room`), borrowed. Returns how many are in
 * it, which may be more; 0 for NULL. For the pool's own thread. Switches: no. */
BINE_API size_t bine_pool_list(const bine_pool *pool, bine_greenlet **all, size_t room);
/* Wait until a place is free, without taking it. Returns 0 or -1. Waits. */
BINE_API int bine_pool_wait_available(bine_pool *pool, int64_t timeout);

/* Wait until it is empty. Returns 0 or -1: also EDEADLK (the caller is in it). Waits. */
BINE_API int bine_pool_join(bine_pool *pool, int64_t timeout);
/* Kill all that are in it, and those that come in meanwhile, then wait for their end; the caller, if it is in
 * it, is killed and not waited for. With timeout 0 it only kills, and succeeds. Returns 0 or -1. Waits. */
BINE_API int bine_pool_kill(bine_pool *pool, int64_t timeout);

/* ---- work ------------------------------------------------------------------------------------- */

/* bine_pool_apply(pool, run, arg, value, timeout): run run(arg) in the pool, wait for its end and store what it
 * returned in *value (may be NULL). Returns 0, or -1: the error it failed with (bine_fail), or why the call failed;
 * in that case it was killed and has ended. Waits. */
#define bine_pool_apply(pool, run, ...) bine_pool_apply_at((pool), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API int bine_pool_apply_at(bine_pool *pool, bine_run *run, void *arg, void **value, int64_t timeout,
                                const char *site);

/*
 * bine_pool_map(pool, run, items, n, results, timeout): run run(items[i]) in the pool for each of the n items, in a
 * greenlet each, as many at a time as places are free, and wait for all of them. results[i] (may be NULL) is what
 * run(items[i]) returned, NULL if it failed. Returns 0, or -1: if some failed, the error of the one with the smallest
 * i, after all have ended; or why the call itself failed (kill, timeout, no memory), after those that run have been
 * killed and have ended; their results are NULL. Waits.
 */
#define bine_pool_map(pool, run, ...) bine_pool_map_at((pool), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API int bine_pool_map_at(bine_pool *pool, bine_run *run, void *const *items, size_t n, void **results,
                              int64_t timeout, const char *site);

/* What bine_pool_map_with runs on each item. The returned pointer is the item's result. */
typedef void *bine_map_run(void *item, void *context);

typedef struct bine_map_options {
    void *context;  /* the second argument of run, the same for all items */
    void **results; /* n of them, as for bine_pool_map; NULL: nobody wants them */
    int *errors; /* n of them: 0, or what run(items[i]) failed with; ECANCELED if it was killed, or never called, since
                       the call was cut short; NULL: nobody wants them */
} bine_map_options;

/*
 * bine_pool_map_with(pool, options, run, items, n, timeout): the same with options (NULL: none): run gets a context
 * besides the item, and each item's error is told. Returns 0, or -1 as bine_pool_map; ENOMEM also before anything was
 * begun, and then, as for EINVAL, EPERM and EDEADLK, results and errors are as they were. Waits.
 */
#define bine_pool_map_with(pool, ...) bine_pool_map_with_at((pool), __VA_ARGS__, BINE_SITE_BEFORE_3(__VA_ARGS__))
BINE_API int bine_pool_map_with_at(bine_pool *pool, const bine_map_options *options, bine_map_run *run,
                                   void *const *items, size_t n, int64_t timeout, const char *site);

/* ---- results as they come --------------------------------------------------------------------- */

typedef struct bine_imap bine_imap;

typedef struct bine_imap_result {
    size_t index; /* of the item */
    void *item;
    void *value; /* what run(item) returned; NULL if it failed */
    int error;   /* 0, or what it failed with */
} bine_imap_result;

/* bine_pool_imap(pool, run, items, n): as bine_pool_map, but returns at once: a greenlet outside the pool feeds it,
 * and bine_imap_next gives the results, in the order of the items, or (unordered) as they come. `items` must outlive
 * it. NULL: EINVAL, EPERM, ENOMEM, EAGAIN. End with bine_imap_end, before the pool is freed. Switches: no. */
#define bine_pool_imap(pool, run, ...) bine_pool_imap_at((pool), (run), __VA_ARGS__, true, BINE_SITE(run))
#define bine_pool_imap_unordered(pool, run, ...) bine_pool_imap_at((pool), (run), __VA_ARGS__, false, BINE_SITE(run))
BINE_API bine_imap *bine_pool_imap_at(bine_pool *pool, bine_run *run, void *const *items, size_t n, bool ordered,
                                      const char *site);
/* From now on at most `most` (0: no limit) items are begun whose results bine_imap_next has not given yet, so
 * that a slow reader holds up the work instead of gathering results (gevent's maxsize). Before the first
 * bine_imap_next; what has begun already is not taken back. -1: EINVAL, EPERM (another thread's). Switches: no. */
BINE_API int bine_imap_limit(bine_imap *imap, size_t most);
/* The next result. Returns 1, 0 when there are no more, or -1: EINVAL, EPERM (another thread's), ETIMEDOUT,
 * ECANCELED, EDEADLK, or ENOMEM (the rest could not be spawned). Switches: when it has to wait. */
BINE_API int bine_imap_next(bine_imap *imap, bine_imap_result *result, int64_t timeout);
/* Kill what still runs of it, wait for its end whatever happens, and free it. NULL is ignored. Any thread;
 * another one's is ended by that thread. Before its pool is freed. Switches: when it has to wait. */
BINE_API void bine_imap_end(bine_imap *imap);

BINE_END

#endif

/* What pool_map.c and scope.c need of a pool: members of which they learn the end. */
#ifndef BINE_SYNC_POOL_H
#define BINE_SYNC_POOL_H

#include <bine/pool.h>

#include "object.h"

struct bine_member {
    struct bine_member *next, *previous;
    struct bine_pool *pool;
    struct bine_greenlet *greenlet; /* a reference */
    /* Called when the member has ended and is out of the pool already. May not park. NULL: it is
     * not needed. */
    void (*ended)(struct bine_member *member);
    void *context;
    size_t index;
};

struct bine_pool {
    struct bine_object object;
    /* They wait for a free place. The kind is TAKE, or LOOK for a waiter that only wants to know of
     * one. */
    struct bine_waiters spawners;
    struct bine_waiters joiners;
    struct bine_member *members;
    size_t size;       /* SIZE_MAX: no limit */
    size_t taken;      /* places of members, and promised to spawners that were woken */
    size_t count;      /* members */
    size_t departures; /* members that have left, ever */
    unsigned killing;  /* callers inside bine_pool_kill: new members are killed as well */
};

/* Spawns a member. Copies the template's ended, context and index. options: NULL for none. Returns
 * NULL with errno. */
struct bine_greenlet *bine_pool_spawn_member_with(struct bine_pool *pool,
                                                  const bine_spawn_options *options, bine_run *run,
                                                  void *arg, int64_t deadline, const char *site,
                                                  const struct bine_member *template);
static inline struct bine_greenlet *bine_pool_spawn_member(struct bine_pool *pool, bine_run *run,
                                                           void *arg, int64_t deadline,
                                                           const char *site,
                                                           const struct bine_member *template)
{
    return bine_pool_spawn_member_with(pool, NULL, run, arg, deadline, site, template);
}

/* Kills all members with this context (NULL: all members). Does not wait. */
void bine_pool_kill_context(struct bine_pool *pool, const void *context);

#endif

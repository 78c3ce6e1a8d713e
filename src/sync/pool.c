/*
 * The pool: a list of members, and places. A place is taken before a greenlet is spawned. When a
 * greenlet ends, its place is given straight to the first spawner that waits for one. A link on
 * each greenlet tells of its end.
 */
#include "pool.h"

#include <string.h>

#include "libc/free.h"

enum {
    TAKE,
    LOOK
};

static bool pool_ready(const struct bine_waitable *object)
{
    const struct bine_pool *pool = (const struct bine_pool *)object;
    return pool->taken < pool->size;
}

/* The members are gone, without having ended. */
static void pool_forked(struct bine_object *object)
{
    struct bine_pool *pool = (struct bine_pool *)object;
    pool->spawners = pool->joiners = (struct bine_waiters){NULL, NULL};
    struct bine_member *self = NULL, *next;
    for (struct bine_member *member = pool->members; member; member = next) {
        next = member->next;
        if (member->greenlet == pool->object.hub->current)
            self = member;
        else
            free(member);
    }
    pool->members = self;
    if (self)
        self->next = self->previous = NULL;
    pool->count = pool->taken = self ? 1 : 0;
    pool->killing = 0;
}

static const struct bine_object_class pool_class = {
    {"pool", pool_ready, bine_object_external, bine_object_hub}, pool_forked, NULL};

/* ---- places ---------------------------------------------------------------------------------- */

/* Gives the place to a spawner that waits. Returns false if there is none. Wakes those that wait to
 * look on the way. */
static __attribute__((noinline)) bool pass_place(struct bine_pool *pool)
{
    struct bine_taker *taker;
    while ((taker = bine_taker_claim(&pool->spawners)))
        if (taker->kind == TAKE)
            return true;
    return false;
}

static void give_place(struct bine_pool *pool)
{
    if (!bine_waiters_empty(&pool->spawners) && pass_place(pool))
        return; /* the place stays taken: it is the taker's now */
    pool->taken--;
    bine_object_notify(&pool->object);
}

static int take_place(struct bine_pool *pool, uint8_t kind, int64_t deadline)
{
    if (pool->taken < pool->size) {
        pool->taken += kind == TAKE;
        return 0;
    }
    if (deadline == 0)
        return bine_streak_refused(pool->object.hub, ETIMEDOUT);
    struct bine_taker taker = {.kind = kind};
    return bine_taker_wait_until(&pool->object, &pool->spawners, &taker, "wait for place in pool",
                                 deadline, 0);
}

/* 0 stays 0, "do not wait". */
static int64_t pool_deadline_of(const struct bine_pool *pool, int64_t timeout)
{
    return timeout == 0 ? 0 : bine_object_deadline(&pool->object, timeout);
}

static int pool_check(const struct bine_pool *pool, int64_t timeout)
{
    int error = bine_object_check(pool);
    return error ? error : timeout < 0 ? EINVAL : 0;
}

/* ---- members --------------------------------------------------------------------------------- */

static void unlink_member(struct bine_member *member)
{
    struct bine_pool *pool = member->pool;
    if (member->previous)
        member->previous->next = member->next;
    else
        pool->members = member->next;
    if (member->next)
        member->next->previous = member->previous;
    pool->count--;
    pool->departures++;
    give_place(pool);
    if (pool->count == 0)
        bine_taker_claim_all(&pool->joiners, 0);
}

static void pool_greenlet_ended(bine_greenlet *g, void *arg)
{
    struct bine_member *member = arg;
    unlink_member(member);
    if (member->ended)
        member->ended(member);
    bine_detach(member->greenlet);
    free(member);
}

/* g becomes a member. The pool takes over its reference, and a place has been taken. Returns 0, or
 * ENOMEM with nothing taken over. */
static int join_in(struct bine_pool *pool, struct bine_greenlet *g,
                   const struct bine_member *template)
{
    struct bine_member *member = malloc(sizeof *member);
    if (!member)
        return ENOMEM;
    *member = *template;
    member->pool = pool;
    member->greenlet = g;
    if (bine_link(g, pool_greenlet_ended, member) != 0) {
        free(member);
        return ENOMEM;
    }
    member->previous = NULL;
    member->next = pool->members;
    if (pool->members)
        pool->members->previous = member;
    pool->members = member;
    pool->count++;
    if (pool->killing)
        bine_kill(g);
    return 0;
}

struct bine_greenlet *bine_pool_spawn_member_with(struct bine_pool *pool,
                                                  const bine_spawn_options *options, bine_run *run,
                                                  void *arg, int64_t deadline, const char *site,
                                                  const struct bine_member *template)
{
    int error = take_place(pool, TAKE, deadline);
    if (error) {
        errno = error;
        return NULL;
    }
    struct bine_greenlet *g =
        options ? bine_spawn_with_at(options, run, arg, site) : bine_spawn_at(run, arg, site);
    error = g ? join_in(pool, g, template) : errno;
    if (error) {
        if (g) {
            bine_greenlet_keep_argument(g); /* the spawn failed: it is the caller's */
            bine_kill(g);                   /* it has not started, so it never runs */
            bine_detach(g);
        }
        give_place(pool);
        errno = error;
        return NULL;
    }
    return g;
}

static struct bine_member *pool_find(const struct bine_pool *pool, const struct bine_greenlet *g)
{
    for (struct bine_member *member = pool->members; member; member = member->next)
        if (member->greenlet == g)
            return member;
    return NULL;
}

static int spawn_there(struct bine_errand *errand)
{
    errand->item = bine_pool_spawn_with_at(errand->object, errand->options, errand->function,
                                           errand->item, errand->timeout, errand->site);
    return errand->item ? 0 : errno;
}

/* A copy that the other thread can read although the caller's may end. NULL with errno. */
static bine_spawn_options *copy_options(const bine_spawn_options *options)
{
    size_t length = options->name ? strlen(options->name) + 1 : 0;
    bine_spawn_options *copy = malloc(sizeof *copy + length);
    if (!copy)
        return NULL;
    *copy = *options;
    if (length)
        copy->name = memcpy(copy + 1, options->name, length);
    return copy;
}

static void forget_options(struct bine_errand *errand, int error)
{
    (void)error;
    free((void *)errand->options);
}

/* The pool is another thread's, or the call failed: `error`. */
static bine_greenlet *spawn_elsewhere(int error, bine_pool *pool, const bine_spawn_options *options,
                                      bine_run *run, void *arg, int64_t timeout, const char *site)
{
    bine_spawn_options *copy = options ? copy_options(options) : NULL;
    if (options && !copy)
        return NULL;
    struct bine_errand errand = {spawn_there,
                                 "spawn in pool",
                                 pool,
                                 arg,
                                 .function = run,
                                 .site = site,
                                 .timeout = timeout,
                                 .options = copy,
                                 .forsaken = forget_options};
    int failed = bine_object_elsewhere(error, &errand);
    bine_free(copy);
    return failed ? NULL : errand.item;
}

bine_greenlet *bine_pool_spawn_with_at(bine_pool *pool, const bine_spawn_options *options,
                                       bine_run *run, void *arg, int64_t timeout, const char *site)
{
    static const struct bine_member plain;
    int error = run ? pool_check(pool, timeout) : EINVAL;
    if (error)
        return spawn_elsewhere(error, pool, options, run, arg, timeout, site);
    return bine_pool_spawn_member_with(pool, options, run, arg, pool_deadline_of(pool, timeout),
                                       site, &plain);
}

bine_greenlet *bine_pool_spawn_at(bine_pool *pool, bine_run *run, void *arg, int64_t timeout,
                                  const char *site)
{
    return bine_pool_spawn_with_at(pool, NULL, run, arg, timeout, site);
}

static int add_there(struct bine_errand *errand)
{
    return bine_outcome(bine_pool_add(errand->object, errand->item, errand->timeout));
}

int bine_pool_add(bine_pool *pool, bine_greenlet *g, int64_t timeout)
{
    static const struct bine_member plain;
    int error = g ? pool_check(pool, timeout) : EINVAL;
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){add_there, "add to pool", pool, g, .timeout = timeout});
    if (!bine_dead(g)) {
        if (g->hub != pool->object.hub)
            error = EINVAL;
        else if (pool_find(pool, g))
            error = EEXIST;
    }
    if (error || bine_dead(g))
        return bine_result(error);
    bine_ref(g); /* it may end while we wait */
    error = take_place(pool, TAKE, pool_deadline_of(pool, timeout));
    if (!error) {
        bool gone = bine_dead(g);
        error = gone ? 0 : join_in(pool, g, &plain);
        if (!error && !gone)
            return 0;
        give_place(pool);
    }
    bine_detach(g);
    return bine_result(error);
}

static int discard_there(struct bine_errand *errand)
{
    return bine_outcome(bine_pool_discard(errand->object, errand->item));
}

int bine_pool_discard(bine_pool *pool, bine_greenlet *g)
{
    int error = g ? bine_object_check(pool) : EINVAL;
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){discard_there, "discard from pool", pool, g,
                                         .timeout = BINE_FOREVER, .firm = true});
    struct bine_member *member = pool_find(pool, g);
    if (!member)
        return bine_result(ENOENT);
    bine_unlink(g, pool_greenlet_ended, member);
    unlink_member(member);
    bine_detach(member->greenlet);
    free(member);
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int wait_available_there(struct bine_errand *errand)
{
    return bine_outcome(bine_pool_wait_available(errand->object, errand->timeout));
}

int bine_pool_wait_available(bine_pool *pool, int64_t timeout)
{
    int error = pool_check(pool, timeout);
    if (error)
        return bine_object_elsewhere(error, &(struct bine_errand){wait_available_there,
                                                                  "wait for place in pool", pool,
                                                                  .timeout = timeout});
    return bine_result(take_place(pool, LOOK, pool_deadline_of(pool, timeout)));
}

static int pool_join_there(struct bine_errand *errand)
{
    return bine_outcome(bine_pool_join(errand->object, errand->timeout));
}

int bine_pool_join(bine_pool *pool, int64_t timeout)
{
    int error = pool_check(pool, timeout);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){pool_join_there, "join pool", pool, .timeout = timeout});
    if (pool->count == 0)
        return 0;
    if (pool_find(pool, pool->object.hub->current))
        return bine_result(EDEADLK);
    struct bine_taker taker;
    return bine_result(
        bine_taker_wait(&pool->object, &pool->joiners, &taker, "join pool", timeout));
}

void bine_pool_kill_context(struct bine_pool *pool, const void *context)
{
    struct bine_member *member = pool->members;
    while (member) {
        struct bine_member *next = member->next;
        size_t before = pool->departures;
        if (!context || member->context == context) {
            /* One that has not started ends here and now, and leaves; and its links may send others
             * away. */
            size_t leaving = member->greenlet->state == BINE_NEW ? 1 : 0;
            bine_kill(member->greenlet);
            if (pool->departures - before > leaving)
                next = pool->members;
        }
        member = next;
    }
}

static struct bine_member *another(const struct bine_pool *pool)
{
    struct bine_member *member = pool->members;
    return member && member->greenlet == pool->object.hub->current ? member->next : member;
}

static int kill_there(struct bine_errand *errand)
{
    return bine_outcome(bine_pool_kill(errand->object, errand->timeout));
}

int bine_pool_kill(bine_pool *pool, int64_t timeout)
{
    int error = pool_check(pool, timeout);
    if (error)
        return bine_object_elsewhere(
            error, &(struct bine_errand){kill_there, "kill pool", pool, .timeout = timeout});
    bine_pool_kill_context(pool, NULL);
    if (timeout == 0) {
        bine_streak_firmly(pool->object.hub);
        return 0;
    }
    int64_t deadline = bine_object_deadline(&pool->object, timeout);
    pool->killing++;
    /* The caller need not be the only one that is in here and in the pool, so wait for one after
     * the other. */
    for (struct bine_member *member; !error && (member = another(pool));) {
        struct bine_greenlet *g = bine_ref(member->greenlet);
        struct bine_taker taker = {.waiter.greenlet = pool->object.hub->current};
        bine_waiters_push(&g->waitable.watchers, &taker.waiter);
        error = bine_park(pool->object.hub, "kill pool", (uintptr_t)pool, deadline, 0);
        bine_waiters_remove(&taker.waiter);
        bine_detach(g);
    }
    pool->killing--;
    return bine_result(error == ETIME ? ETIMEDOUT : error);
}

/* ---- making, freeing, looking ---------------------------------------------------------------- */

bine_pool *bine_pool_new(size_t size, unsigned flags)
{
    struct bine_pool *pool = bine_object_new(sizeof *pool, &pool_class, flags);
    if (pool)
        pool->size = size ? size : SIZE_MAX;
    return pool;
}

bine_group *bine_group_new(void)
{
    return bine_pool_new(0, 0);
}

int bine_pool_free(bine_pool *pool)
{
    if (!pool)
        return 0;
    int error = bine_object_check_free(pool);
    bool busy = !error && !bine_object_orphan(pool) &&
                (pool->taken || !bine_waiters_empty(&pool->spawners) ||
                 !bine_waiters_empty(&pool->joiners));
    if (!error)
        error = busy ? EBUSY : bine_object_free(&pool->object);
    return bine_result(error);
}

size_t bine_pool_count(const bine_pool *pool)
{
    return pool ? pool->count : 0;
}

size_t bine_pool_free_count(const bine_pool *pool)
{
    return !pool ? 0 : pool->size == SIZE_MAX ? SIZE_MAX : pool->size - pool->taken;
}

bool bine_pool_contains(const bine_pool *pool, const bine_greenlet *g)
{
    return pool && g && pool_find(pool, g);
}

size_t bine_pool_list(const bine_pool *pool, bine_greenlet **all, size_t room)
{
    size_t n = 0;
    for (const struct bine_member *member = pool ? pool->members : NULL; member;
         member = member->next, n++)
        if (n < room)
            all[n] = member->greenlet;
    return n;
}

bool bine_pool_full(const bine_pool *pool)
{
    return bine_pool_free_count(pool) == 0;
}

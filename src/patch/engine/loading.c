/* The lock in front of libc's loader. See loading.h. */
#include "loading.h"

#include <errno.h>
#include <pthread.h>

#include "libc/carrier.h"
#include "locks/parking_lot.h"
#include "patch/table/hook.h"

/* Guarded by the lock of its bucket in the parking lot; its address is where greenlets wait. */
static struct {
    const struct bine_greenlet *owner;
    unsigned depth;   /* calls of the owner under way, one inside the other */
    unsigned foreign; /* calls of those that do not wait */
} loading;

/* Of these, the calling thread's. */
static BINE_CARRIED unsigned foreign_here_;
#define foreign_here BINE_OF_CARRIER(foreign_here_)

/* Greenlets of this thread that are inside dl_iterate_phdr; those that wait for their end. */
struct walk {
    struct walk *next;
    const struct bine_greenlet *greenlet;
};
static BINE_CARRIED struct walk *walks_;
#define walks BINE_OF_CARRIER(walks_)
static BINE_CARRIED struct bine_waiters walk_waiters_;
#define walk_waiters BINE_OF_CARRIER(walk_waiters_)

static enum bine_lot_answer loading_take(struct bine_lot_waiter *waiter)
{
    if (loading.owner || loading.foreign)
        return BINE_LOT_REFUSED;
    loading.owner = waiter->greenlet;
    loading.depth = 1;
    return BINE_LOT_GRANTED;
}

/* For a greenlet that only waits until no other is inside. */
static enum bine_lot_answer loading_look(struct bine_lot_waiter *waiter)
{
    (void)waiter;
    return loading.owner || loading.foreign ? BINE_LOT_REFUSED : BINE_LOT_GRANTED;
}

/* With the bucket locked, which is given back. The deadlock check has to know whether greenlets of
 * this hub alone can end the wait. */
static int loading_await(struct bine_lot_bucket *bucket, struct bine_hub *hub,
                         enum bine_lot_answer (*acquire)(struct bine_lot_waiter *))
{
    struct bine_lot_waiter waiter;
    bine_lot_waiter_init(&waiter, hub, &loading);
    waiter.acquire = acquire;
    unsigned flags = BINE_PARK_FIRM;
    if (loading.foreign || loading.owner->hub != hub)
        flags |= BINE_PARK_EXTERNAL;
    bine_lot_enqueue_locked(bucket, &waiter, 0);
    bine_lot_unlock(bucket);
    return bine_lot_await(&waiter, "loader", INT64_MAX, flags);
}

/* May a greenlet of this thread other than g be in the middle of the list of objects? */
static bool others_walk(const struct bine_greenlet *g)
{
    for (const struct walk *walk = walks; walk; walk = walk->next)
        if (walk->greenlet != g)
            return true;
    return false;
}

static __attribute__((noinline)) void await_walks(struct bine_hub *hub)
{
    while (others_walk(hub->current)) {
        struct bine_waiter waiter = {.greenlet = hub->current};
        bine_waiters_push(&walk_waiters, &waiter);
        int error = bine_park(hub, "loader", (uintptr_t)&walk_waiters, INT64_MAX, BINE_PARK_FIRM);
        if (waiter.queue)
            bine_waiters_remove(&waiter);
        if (error)
            return;
    }
}

static enum bine_loading begin_as_foreign(struct bine_lot_bucket *bucket)
{
    loading.foreign++;
    foreign_here++;
    bine_lot_unlock(bucket);
    return BINE_LOADING_FOREIGN;
}

enum bine_loading bine_loading_begin(void)
{
    if (bine_vforked)
        return BINE_LOADING_NOTHING;
    struct bine_hub *hub = bine_hub_here();
    struct bine_lot_bucket *bucket = bine_lot_lock(&loading);
    if (!hub)
        return begin_as_foreign(bucket);
    struct bine_greenlet *g = hub->current;
    if (loading.owner == g) {
        loading.depth++;
    } else if (hub->no_park && !bine_signal_handler_was_left(hub)) {
        return begin_as_foreign(bucket);
    } else if (loading.owner || loading.foreign) {
        int saved = errno;
        int error = loading_await(bucket, hub, loading_take);
        errno = error ? error : saved;
        if (error)
            return BINE_LOADING_REFUSED;
        g->flags |= BINE_G_LOADING;
        await_walks(hub);
        return BINE_LOADING_OWNER;
    } else {
        loading.owner = g;
        loading.depth = 1;
        g->flags |= BINE_G_LOADING;
    }
    bine_lot_unlock(bucket);
    if (walks)
        await_walks(hub);
    return BINE_LOADING_OWNER;
}

void bine_loading_end(enum bine_loading what)
{
    if (what == BINE_LOADING_NOTHING || what == BINE_LOADING_REFUSED)
        return;
    struct bine_lot_bucket *bucket = bine_lot_lock(&loading);
    if (what == BINE_LOADING_FOREIGN) {
        loading.foreign--;
        foreign_here--;
    } else if (--loading.depth == 0) {
        bine_hub_here()->current->flags &= (uint8_t)~BINE_G_LOADING;
        loading.owner = NULL;
    }
    bine_lot_unlock(bucket);
    if (bine_lot_waited(&loading))
        bine_lot_balance(&loading);
}

void bine_loading_await(void)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_LOADER);
    if (!hub || !__atomic_load_n(&loading.owner, __ATOMIC_RELAXED))
        return;
    int saved = errno;
    struct bine_lot_bucket *bucket = bine_lot_lock(&loading);
    if (loading.owner && loading.owner->hub != hub)
        loading_await(bucket, hub, loading_look);
    else
        bine_lot_unlock(bucket);
    errno = saved;
}

/* ---- walks ----------------------------------------------------------------------------------- */

static void end_walk(struct walk *walk)
{
    struct walk **link = &walks;
    while (*link != walk)
        link = &(*link)->next;
    *link = walk->next;
    for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(&walk_waiters));)
        bine_unpark(waiter->greenlet);
}

struct guarded_walk {
    struct bine_hub *hub;
    bool no_park;
};

static void allow_parks(struct guarded_walk *guarded)
{
    guarded->hub->no_park = guarded->no_park;
}

/* Another greenlet of this thread is inside the loader, and will change the list when it runs
 * again. So no other greenlet runs until the walk is over. A callback may throw, or end the
 * thread. */
static __attribute__((noinline)) int walk_at_once(
    struct bine_hub *hub, int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    __attribute__((cleanup(allow_parks), unused)) struct guarded_walk guarded = {hub, hub->no_park};
    hub->no_park = true;
    return bine_libc.dl_iterate_phdr(callback, data);
}

static void forget_walk(struct walk *walk)
{
    end_walk(walk);
}

int bine_loading_walk(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_LOADER);
    if (!hub)
        return bine_libc.dl_iterate_phdr(callback, data);
    const struct bine_greenlet *owner = __atomic_load_n(&loading.owner, __ATOMIC_RELAXED);
    if (owner && owner != hub->current && owner->hub == hub)
        return walk_at_once(hub, callback, data);
    __attribute__((cleanup(forget_walk))) struct walk walk = {walks, hub->current};
    walks = &walk;
    return bine_libc.dl_iterate_phdr(callback, data);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* Those that are gone do not come out any more. libc makes its own locks anew. */
static void loading_after_fork_in_child(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || loading.owner != hub->current) {
        loading.owner = NULL;
        loading.depth = 0;
    }
    loading.foreign = foreign_here;
    walk_waiters = (struct bine_waiters){0};
    for (struct walk **link = &walks; *link;)
        if (hub && (*link)->greenlet != hub->current)
            *link = (*link)->next;
        else
            link = &(*link)->next;
}

__attribute__((constructor(102))) static void loading_set_up(void)
{
    pthread_atfork(NULL, NULL, loading_after_fork_in_child);
}

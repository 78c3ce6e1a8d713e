/*
 * The scope: a group whose members report their end, around a timeout scope of the greenlet that
 * began it. Cancelling marks that timeout as expired. That makes every later wait of the block
 * fail, and interrupts the present one.
 */
#include <bine/scope.h>

#include "pool.h"

struct bine_scope {
    struct bine_timeout timeout;
    struct bine_pool *group;
    /* the greenlet that began it: a reference, in case it forgets to end it */
    struct bine_greenlet *owner;
    struct bine_scope *older, *younger; /* in hub->scopes */
    int error;
    bool cancelled;
    bool ending; /* the owner is in bine_scope_end, or has been */
    bool interrupted;
};

/* ---- scopes that their owners leave open ----------------------------------------------------- */

static void enlist(struct bine_scope *scope)
{
    struct bine_hub *hub = scope->group->object.hub;
    scope->older = hub->scopes;
    if (hub->scopes)
        hub->scopes->younger = scope;
    hub->scopes = scope;
}

static void delist(struct bine_scope *scope)
{
    if (scope->younger)
        scope->younger->older = scope->older;
    else
        scope->group->object.hub->scopes = scope->older;
    if (scope->older)
        scope->older->younger = scope->younger;
}

static struct bine_scope *youngest_of(const struct bine_greenlet *g)
{
    struct bine_scope *scope = g->hub->scopes;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a scope that was freed is not in the list */
    while (scope && scope->owner != g)
        scope = scope->older;
    return scope;
}

static bool has_open(const struct bine_greenlet *g)
{
    return youngest_of(g) != NULL;
}

static void scope_cancel(struct bine_scope *scope, int error);
static void wait_firmly(struct bine_scope *scope);
static void free_scope(struct bine_scope *scope);

static void close_open(struct bine_greenlet *g)
{
    for (struct bine_scope *scope; (scope = youngest_of(g));) {
        scope->ending = true;
        scope_cancel(scope, ECANCELED);
        wait_firmly(scope);
        free_scope(scope);
    }
}

static const struct bine_block_class scope_blocks = {has_open, close_open};

/* ---- beginning, spawning, ending ------------------------------------------------------------- */

bine_scope *bine_scope_begin(int64_t timeout)
{
    if (timeout < 0) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_scope *scope = calloc(1, sizeof *scope);
    if (!scope)
        return NULL;
    scope->group = bine_group_new();
    if (!scope->group || bine_timeout_begin(&scope->timeout, timeout) != 0) {
        int error = errno;
        bine_pool_free(scope->group);
        free(scope);
        errno = error;
        return NULL;
    }
    scope->owner = bine_ref(scope->group->object.hub->current);
    enlist(scope);
    bine_greenlet_on_left_open(&scope_blocks);
    return scope;
}

/* Tell the block, unless it is waiting for the end anyway. */
static void interrupt_owner(struct bine_scope *scope)
{
    scope->timeout.expired = true;
    if (scope->owner != scope->group->object.hub->current) {
        bine_interrupt(scope->owner, ECANCELED);
        scope->interrupted = true;
    }
}

static void scope_cancel(struct bine_scope *scope, int error)
{
    if (scope->cancelled)
        return;
    scope->cancelled = true;
    scope->error = error;
    if (!scope->ending)
        interrupt_owner(scope);
    bine_pool_kill(scope->group, 0);
}

static void scope_ended(struct bine_member *member)
{
    int error = bine_error(member->greenlet);
    if (error)
        scope_cancel(member->context, error);
}

bine_greenlet *bine_scope_spawn_with_at(bine_scope *scope, const bine_spawn_options *options,
                                        bine_run *run, void *arg, const char *site)
{
    int error = !scope || !run ? EINVAL : bine_object_check(scope->group);
    if (!error && scope->cancelled)
        error = ECANCELED;
    if (error) {
        errno = error;
        return NULL;
    }
    struct bine_member member = {.ended = scope_ended, .context = scope};
    return bine_pool_spawn_member_with(scope->group, options, run, arg, 0, site, &member);
}

bine_greenlet *bine_scope_spawn_at(bine_scope *scope, bine_run *run, void *arg, const char *site)
{
    return bine_scope_spawn_with_at(scope, NULL, run, arg, site);
}

int bine_scope_cancel(bine_scope *scope, int error)
{
    int failure = !scope || error < 0 ? EINVAL : bine_object_check(scope->group);
    if (!failure)
        scope_cancel(scope, error);
    return bine_result(failure);
}

/* Members may have spawned siblings meanwhile, so look again whenever it was empty. */
static int wait_for_members(struct bine_scope *scope)
{
    struct bine_pool *group = scope->group;
    while (group->count > 0) {
        struct bine_taker taker;
        int error =
            bine_taker_wait(&group->object, &group->joiners, &taker, "end scope", BINE_FOREVER);
        if (error)
            return error;
    }
    return 0;
}

/* For those that have been killed. */
static void wait_firmly(struct bine_scope *scope)
{
    while (scope->group->count > 0) {
        struct bine_taker taker;
        bine_taker_wait_firmly(&scope->group->object, &scope->group->joiners, &taker, "end scope");
    }
}

static void free_scope(struct bine_scope *scope)
{
    delist(scope);
    bine_pool_free(scope->group);
    bine_detach(scope->owner);
    free(scope);
}

int bine_scope_end(bine_scope *scope)
{
    if (!scope)
        return bine_result(EINVAL);
    int error = bine_object_check(scope->group);
    if (!error && scope->owner != scope->group->object.hub->current)
        error = EPERM;
    if (!error && scope->owner->timeouts != &scope->timeout)
        error = EINVAL;
    if (!error && scope->group->count > 0 && scope->group->object.hub->no_park)
        error = EDEADLK;
    if (error)
        return bine_result(error);

    scope->ending = true;
    error = scope->cancelled ? 0 : wait_for_members(scope);
    /* The time has cut a wait of the block short, and none of its greenlets is left to notice. */
    if (!error && !scope->cancelled && scope->timeout.expired)
        error = ETIMEDOUT;
    if (error)
        scope_cancel(scope, error);
    wait_firmly(scope);
    /* An interrupt that no wait has received is not for whatever the caller waits for next. */
    if (scope->interrupted && scope->owner->interrupt == ECANCELED)
        bine_interrupt(scope->owner, 0);
    bine_timeout_end(&scope->timeout);
    error = scope->error;
    free_scope(scope);
    return bine_result(error);
}

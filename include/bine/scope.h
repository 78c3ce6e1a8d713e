/*
 * Scope: structured concurrency. A scope ends only when all greenlets that were spawned in it have
 * ended, so none outlives the block of code that began it. When one of them fails, the others are
 * killed, the waits of the block itself fail, and the scope's end returns the error.
 *
 *      bine_scope *scope = bine_scope_begin(5 * BINE_SECOND);
 *      bine_scope_spawn(scope, fetch, first);
 *      bine_scope_spawn(scope, fetch, second);
 *      if (bine_scope_end(scope) != 0)
 *          perror("fetching");      // the first error, or ETIMEDOUT; neither runs any more
 */
#ifndef BINE_SCOPE_H
#define BINE_SCOPE_H

#include "greenlet.h"
#include "object.h"

BINE_BEGIN

typedef struct bine_scope bine_scope;

/* Begin a scope in the current greenlet, which must end it. If the greenlet ends first, Bine
 * reports this on standard error by the greenlet's name, and cancels and ends the scope. bine_fail
 * and bine_exit do so without a report. After `timeout` (ns) the block's waits fail with ETIMEDOUT,
 * as in a bine_timeout, and at the scope's end the greenlets that still run in it are killed.
 * Scopes nest, with each other and with bine_timeouts. Fails with EINVAL, ENOMEM, or EAGAIN (no hub
 * could be made). Switches: no. */
BINE_API bine_scope *bine_scope_begin(int64_t timeout);

/* bine_scope_spawn(scope, run, arg): spawn run(arg) in the scope. The scope's own greenlets may do
 * so, too. Returns the greenlet, which is borrowed until it ends; bine_ref it to keep it. Fails as
 * bine_spawn, and with ECANCELED (the scope has been cancelled) or EPERM (the scope is another
 * thread's). Switches: no. */
#define bine_scope_spawn(scope, run, ...) \
    bine_scope_spawn_at((scope), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API bine_greenlet *bine_scope_spawn_at(bine_scope *scope, bine_run *run, void *arg,
                                            const char *site);
/* bine_scope_spawn_with(scope, options, run, arg): the same with options, as for bine_spawn_with.
 * NULL means all defaults. Fails as bine_scope_spawn and bine_spawn_with. Switches: no. */
#define bine_scope_spawn_with(scope, ...) \
    bine_scope_spawn_with_at((scope), __VA_ARGS__, BINE_SITE_BEFORE_1(__VA_ARGS__))
BINE_API bine_greenlet *bine_scope_spawn_with_at(bine_scope *scope,
                                                 const bine_spawn_options *options, bine_run *run,
                                                 void *arg, const char *site);

/* Cancel the scope: kill all greenlets in it. From now on nothing can be spawned in it, and the
 * block's waits fail until its end, the first with ECANCELED, further ones with ETIMEDOUT. `error`
 * is the error that the end returns. 0 means none, as when one result was enough. A greenlet that
 * ends with an error (bine_error) cancels the scope with that error. The first cancel counts, and
 * later ones have no effect. Returns 0, or -1 with EINVAL or EPERM. Switches: no. */
BINE_API int bine_scope_cancel(bine_scope *scope, int error);

/*
 * Wait until all greenlets in the scope have ended, and free it. Returns 0, or -1 with:
 *
 *  - the error of the first greenlet that failed, or the one given to bine_scope_cancel
 *  - ETIMEDOUT: the scope's time cut a wait of the block short
 *  - ETIMEDOUT, ECANCELED: the caller was cut short while it waited here; the greenlets were then
 *    killed, and the call has waited for them
 *  - EINVAL: the scope is NULL, or a scope or timeout inside it is still open; it stays open
 *  - EPERM: the caller is not the greenlet that began the scope; it stays open
 *
 * Switches: when it has to wait.
 */
BINE_API int bine_scope_end(bine_scope *scope);

BINE_END

#endif

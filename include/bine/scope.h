/*
 * Scope: structured concurrency. A scope ends only when all greenlets that were spawned in it have ended, so
 * none outlives the block of code that began it. When one fails, the others are killed, the block itself is
 * told, and the scope's end returns the error.
 *
 *      bine_scope *scope = bine_scope_begin(5 * BINE_SECOND);
 *      bine_scope_spawn(scope, fetch, first);
 *      bine_scope_spawn(scope, fetch, second);
 *      if (bine_scope_end(scope) != 0)
 *          perror("fetching");      // whichever failed first, or ETIMEDOUT; nothing of it runs any more
 */
#ifndef BINE_SCOPE_H
#define BINE_SCOPE_H

#include "greenlet.h"
#include "object.h"

BINE_BEGIN

typedef struct bine_scope bine_scope;

/* Begin a scope in the current greenlet, which must end it. If it does not, its end is reported on standard error, by the
 * greenlet's name, and the scope is cancelled and ended for it; bine_fail and bine_exit do that without a report. After `timeout` the block's waits fail with
 * ETIMEDOUT, as in a bine_timeout, and at the scope's end whatever still runs in it is killed. Scopes nest,
 * with each other and with bine_timeouts. NULL: EINVAL, ENOMEM, EAGAIN (no hub). Switches: no. */
BINE_API bine_scope *bine_scope_begin(int64_t timeout);

/* bine_scope_spawn(scope, run, arg): spawn run(arg) in the scope; its own greenlets may do so too. Returns the
 * greenlet, borrowed until it ends (bine_ref it to keep it), or NULL: as bine_spawn, ECANCELED (the scope has been
 * cancelled), EPERM (another thread). Switches: no. */
#define bine_scope_spawn(scope, run, ...) bine_scope_spawn_at((scope), (run), __VA_ARGS__, BINE_SITE(run))
BINE_API bine_greenlet *bine_scope_spawn_at(bine_scope *scope, bine_run *run, void *arg, const char *site);
/* bine_scope_spawn_with(scope, options, run, arg): the same with options, as for bine_spawn_with (NULL: none). */
#define bine_scope_spawn_with(scope, ...) \
    bine_scope_spawn_with_at((scope), __VA_ARGS__, BINE_SITE_BEFORE_1(__VA_ARGS__))
BINE_API bine_greenlet *bine_scope_spawn_with_at(bine_scope *scope, const bine_spawn_options *options, bine_run *run,
                                                 void *arg, const char *site);

/*
 * Cancel: kill all greenlets in the scope; from now on nothing can be spawned in it, and the block's waits fail
 * (the first with ECANCELED, further ones with ETIMEDOUT) until its end. `error` is what the end returns: 0 for
 * none, as when one result was enough. A greenlet that ends with an error (bine_error) does the same with that
 * error. The first cancel counts, later ones have no effect. Returns 0 or -1: EINVAL, EPERM. Switches: no.
 */
BINE_API int bine_scope_cancel(bine_scope *scope, int error);

/* Wait until all greenlets in the scope have ended, and free it. Returns 0, or -1: the error of the first that
 * failed or the one given to bine_scope_cancel; ETIMEDOUT if the scope's time cut a wait of the block short;
 * ETIMEDOUT or ECANCELED if the caller was cut short while it waited here, whereupon they were killed and
 * waited for; EINVAL (NULL, or a scope or timeout inside this one is still open), EPERM (not the greenlet that
 * began it): then it is still open. Switches: when it has to wait. */
BINE_API int bine_scope_end(bine_scope *scope);

BINE_END

#endif

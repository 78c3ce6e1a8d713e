/* Spawns with options. See bine/greenlet.h. */
#include <errno.h>
#include <string.h>

#include "core/hub/name.h"
#include "core/life/spawn.h"
#include "libc/free.h"
#include "own/own.h"

static struct bine_greenlet *spawn_with(const bine_spawn_options *options, bool room, bine_run *run,
                                        void *arg, const char *site)
{
    static const bine_spawn_options defaults;
    if (!options)
        options = &defaults;
    if (options->delay < 0 || options->own_thread > 1 ||
        (options->reserved[0] | options->reserved[1] | options->reserved[2]) != 0) {
        errno = EINVAL;
        return NULL;
    }
    int class = bine_stacks_class(options->stack_size, room);
    if (class < 0)
        return NULL;
    if (options->discard && bine_hub_of_thread && bine_hub_of_thread->refuses_discards) {
        errno = EAGAIN;
        return NULL;
    }
    if (options->own_thread)
        return bine_own_spawn(options, run, arg, site);
    char *name = NULL;
    if (options->name && !(name = strdup(options->name)))
        return NULL;
    struct bine_greenlet *g = bine_spawn_prepare(class, run, arg, site);
    if (!g) {
        bine_free(name);
        return NULL;
    }
    if (name)
        bine_greenlet_take_name(g, name);
    if (options->discard) {
        g->discard = options->discard;
        g->flags |= BINE_G_DISCARD;
    }
    if (options->delay)
        bine_spawn_start_later(g, options->delay);
    else
        bine_ready_push(&g->hub->ready, g);
    return g;
}

bine_greenlet *bine_spawn_with_at(const bine_spawn_options *options, bine_run *run, void *arg,
                                  const char *site)
{
    return spawn_with(options, false, run, arg, site);
}

struct bine_greenlet *bine_spawn_with_room(const bine_spawn_options *options, bine_run *run,
                                           void *arg, const char *site)
{
    return spawn_with(options, true, run, arg, site);
}

/* How a greenlet is spawned on another thread's hub: by an errand, since only their own thread
 * makes records and stacks. */
#include <errno.h>

#include "core/across/errand.h"
#include "core/schedule/schedule.h"

static int spawn_there(struct bine_errand *errand)
{
    errand->item = bine_spawn_at(errand->function, errand->item, errand->site);
    return errand->item ? 0 : errno;
}

/* No caller is left to take the reference. */
static void spawned_for_nobody(struct bine_errand *errand, int error)
{
    if (!error)
        bine_detach(errand->item);
}

bine_greenlet *bine_spawn_on_at(bine_hub *hub, bine_run *run, void *arg, const char *site)
{
    if (!hub || !run || !site) {
        errno = EINVAL;
        return NULL;
    }
    if (hub == bine_hub_of_thread)
        return bine_spawn_at(run, arg, site);
    struct bine_errand errand = {.run = spawn_there,
                                 .verb = "spawn on hub",
                                 .object = hub,
                                 .item = arg,
                                 .function = run,
                                 .site = site,
                                 .timeout = BINE_FOREVER,
                                 .forsaken = spawned_for_nobody};
    int error = bine_errand(hub, &errand);
    if (!error)
        return errand.item;
    errno = error;
    return NULL;
}

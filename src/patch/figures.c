/* What a hub has done so far, for its thread. See bine/hub.h. */
#include <bine/hub.h>
#include <errno.h>
#include <string.h>

#include "core/hub/hub.h"
#include "own/own.h"
#include "patch/table/hook.h"

int bine_hub_read_figures(bine_hub_figures *figures, size_t size)
{
    struct bine_hub *hub = bine_hub_here();
    if (!figures || !size || !hub) {
        errno = hub ? EINVAL : ESRCH;
        return -1;
    }
    bine_hub_figures known = {bine_hub_switches(hub), hub->turns, bine_own_made(hub),
                              atomic_load(&bine_patch_from_hub)};
    memset(figures, 0, size);
    memcpy(figures, &known, size < sizeof known ? size : sizeof known);
    return 0;
}

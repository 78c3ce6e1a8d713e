/* The calling thread's hub, and what is asked of it most. */
#include "hub.h"

_Thread_local struct bine_hub *bine_hub_of_thread;

struct bine_hub *bine_hub_here(void)
{
    return bine_hub_of_thread;
}

uint64_t bine_hub_switches(const struct bine_hub *hub)
{
    return hub->switches - (hub->turn_at - hub->ready.head);
}

bool bine_hub_exists(void)
{
    return bine_hub_of_thread != NULL;
}

size_t bine_hub_greenlets(void)
{
    return bine_hub_of_thread ? bine_hub_of_thread->greenlets : 0;
}

const char *bine_poller_name(void)
{
    return bine_hub_of_thread ? bine_hub_of_thread->driver->name : "none";
}

/* What is attached to a hub and can be replaced: its driver, what is called around its switches. */
#include "hub.h"

void bine_hub_set_driver(struct bine_hub *hub, struct bine_driver *driver)
{
    struct bine_driver *old = hub->driver;
    __atomic_store_n(&hub->driver, driver, __ATOMIC_RELEASE);
    hub->simulated = driver->random != NULL;
    old->close(old);
}

void bine_hub_set_around(struct bine_hub *hub, const struct bine_around *around)
{
    if (hub->notes)
        hub->around_noted = around;
    hub->around = hub->notes ? hub->notes : around;
    hub->attended = hub->around || hub->exception_globals;
}

void bine_hub_set_exchange(struct bine_hub *hub, struct bine_exchange *exchange)
{
    hub->exchange = exchange;
    hub->exchanging = exchange || hub->fibers || hub->further || hub->trace || hub->owns;
}

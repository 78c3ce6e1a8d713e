/* The driver that every hub starts with. */
#ifndef BINE_CORE_HUB_DRIVER_FUTEX_H
#define BINE_CORE_HUB_DRIVER_FUTEX_H

#include "hub.h"

void bine_futex_driver_init(struct bine_hub *hub);

#endif

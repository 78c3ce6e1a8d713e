/* The driver every hub starts with. */
#ifndef BINE_CORE_IDLE_H
#define BINE_CORE_IDLE_H

#include "hub.h"

void bine_idle_driver_init(struct bine_hub *hub);

#endif

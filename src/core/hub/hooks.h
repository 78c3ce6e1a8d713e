/*
 * Calls what layers have set by bine_hub_on_start, bine_hub_on_end and bine_hub_on_fork (hub.h).
 */
#ifndef BINE_CORE_HUB_HOOKS_H
#define BINE_CORE_HUB_HOOKS_H

#include "hub.h"

/* Returns false if a layer has no memory for a new hub. */
bool bine_hooks_start(struct bine_hub *hub);
/* In the reverse order. */
void bine_hooks_end(struct bine_hub *hub);
void bine_hooks_fork(struct bine_hub *hub);

#endif

/* How the simulator is opened with a seed. */
#ifndef BINE_IO_POLLER_POLLER_SIM_H
#define BINE_IO_POLLER_POLLER_SIM_H

#include "poller.h"

/* Returns NULL for ENOMEM, EMFILE, ENFILE. */
struct bine_poller *bine_poller_sim_open(struct bine_hub *hub, uint64_t seed);

#endif

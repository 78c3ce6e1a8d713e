/* The distance to the carrier's variables. See carrier.h. */
#include "carrier.h"

BINE_CARRIED ptrdiff_t bine_carrier_distance;
BINE_CARRIED pid_t bine_thread_number;

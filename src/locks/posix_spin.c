/* pthread_spin_lock for greenlets. See posix.h. */
#include <errno.h>

#include "core/schedule/park.h"
#include "libc/libc.h"
#include "posix.h"

enum {
    YIELDS = 64,       /* then the owner waits for something, or is another thread */
    PAUSE = 50 * 1000, /* ns */
};

int bine_pthread_spin_lock(pthread_spinlock_t *lock)
{
    struct bine_hub *hub = bine_hub_here();
    int tries = 0, error;
    if (!hub || hub->no_park)
        return bine_libc.pthread_spin_lock(lock);
    while ((error = bine_libc.pthread_spin_trylock(lock)) == EBUSY)
        if (++tries <= YIELDS)
            bine_yield(hub);
        else
            bine_park(hub, "spin lock", (uintptr_t)lock, bine_hub_deadline(hub, PAUSE),
                      BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
    return error;
}

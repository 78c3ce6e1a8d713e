/* The threads that belong to the runtime: of the offload pool, of the watchdog. */
#include <stdatomic.h>

#include "hub.h"
#include "libc/carrier.h"

static atomic_int runtime_threads;
static BINE_CARRIED bool is_runtime_thread_;
#define is_runtime_thread BINE_OF_CARRIER(is_runtime_thread_)

void bine_hub_runtime_threads(int change)
{
    atomic_fetch_add(&runtime_threads, change);
}

void bine_hub_runtime_thread(void)
{
    is_runtime_thread = true;
}

int bine_hub_runtime_threads_beside(void)
{
    return (is_runtime_thread ? 0 : 1) + atomic_load(&runtime_threads);
}

/* See confine.h. */
#include "confine.h"

#include <bine/offload.h>
#include <stdatomic.h>

/* Has any thread been confined? While none has, nobody asks further. */
static atomic_bool any;

static __attribute__((tls_model("initial-exec"))) _Thread_local enum {
    UNSEEN,
    FREE,
    CONFINED,
    FILES_APART, /* and confined */
} state;

void bine_confine(void)
{
    if (state != FILES_APART)
        state = CONFINED;
    atomic_store(&any, true);
}

void bine_confine_files(void)
{
    state = FILES_APART;
    atomic_store(&any, true);
}

void bine_confine_look(void)
{
    if (state == UNSEEN)
        state = atomic_load(&any) ? CONFINED : FREE;
}

bool bine_confined(void)
{
    bine_confine_look();
    return state >= CONFINED;
}

bool bine_confined_files(void)
{
    return state == FILES_APART;
}

void bine_offload_confine(void)
{
    bine_confine();
}

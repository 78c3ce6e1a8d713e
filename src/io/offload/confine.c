/* See confine.h. */
#include "confine.h"

#include <bine/offload.h>
#include <stdatomic.h>

#include "libc/carrier.h"

/* Rights have numbers. A thread that has been confined by itself has no number that another thread
 * could share. */
enum {
    UNSEEN = 0,
    FIRST = 1, /* of the process, while none of its threads has been confined */
};

static atomic_uint last = FIRST;
static atomic_uint of_pool = FIRST;
/* What a thread gets that is seen from now on: after another one was confined it may be that one's
 * child. */
static atomic_uint of_new = FIRST;
/* Threads that have been seen, those that have ended included. */
static atomic_uint seen;

static BINE_CARRIED struct {
    unsigned rights;
    bool files_apart;
} here_;
#define here BINE_OF_CARRIER(here_)

static void see(unsigned rights)
{
    if (here.rights == UNSEEN)
        atomic_fetch_add(&seen, 1);
    here.rights = rights;
}

void bine_confine(void)
{
    see(BINE_CONFINED);
    atomic_store(&of_new, BINE_CONFINED);
}

void bine_confine_files(void)
{
    here.files_apart = true;
    bine_confine();
}

void bine_confine_look(void)
{
    if (here.rights == UNSEEN)
        see(atomic_load(&of_new));
}

void bine_confine_as(unsigned rights)
{
    here.rights = rights;
}

unsigned bine_confine_renew(void)
{
    bine_confine_look();
    unsigned rights = atomic_fetch_add(&last, 1) + 1;
    here.rights = rights;
    atomic_store(&of_pool, rights);
    atomic_store(&of_new, atomic_load(&seen) == 1 ? rights : BINE_CONFINED);
    return rights;
}

unsigned bine_confine_rights(void)
{
    bine_confine_look();
    return here.rights;
}

bool bine_confined(void)
{
    return bine_confine_rights() != atomic_load(&of_pool);
}

bool bine_confined_files(void)
{
    return here.files_apart && bine_confined();
}

void bine_offload_confine(void)
{
    bine_confine();
}

/*
 * For runtimes whose greenlets run one job after another: what one job leaves in the greenlet must not reach the next.
 */
#ifndef BINE_CORE_HUB_RENEW_H
#define BINE_CORE_HUB_RENEW_H

#include "greenlet.h"

/* The current greenlet's locals, and its slots but `kept`, end now as at its end (destructors may park); it goes on without them, as new. */
void bine_greenlet_renew(enum bine_slot kept);
/* Has the current greenlet a value under any key but this one? */
bool bine_locals_any_but(bine_key except);

#endif

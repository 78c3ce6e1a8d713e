/*
 * For runtimes whose greenlets run one job after another. What one job leaves in the greenlet must
 * not reach the next job.
 */
#ifndef BINE_CORE_HUB_RENEW_H
#define BINE_CORE_HUB_RENEW_H

#include "greenlet.h"

/* Ends the current greenlet's locals, and its slots except `kept`, as its end would do (destructors
 * may park). The greenlet then runs on without them, as a new one does. */
void bine_greenlet_renew(enum bine_slot kept);
/* Has the current greenlet a value under any key but this one? */
bool bine_locals_any_but(bine_key except);

#endif

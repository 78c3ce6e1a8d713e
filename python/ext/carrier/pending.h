/* What was thrown into a greenlet, or is due, and was not raised yet. */
#ifndef BINE_EXT_PENDING_H
#define BINE_EXT_PENDING_H

#include "carrier.h"

/* Make the carrier's greenlet notice that something is pending: its wait, or its next one, fails,
 * and so does each until it was raised. With or without the GIL, on its hub's thread. */
void bine_pending_poke(struct bine_carrier *carrier);
/* Something was raised, or is pending no more. What is left, if anything, is for the next wait. */
void bine_pending_done(struct bine_carrier *carrier);
/* Raise what is pending in the current greenlet. Returns -1, or 0 if there is nothing. GIL held. */
int bine_pending_raise(void);
/* In a callback of the loop, which may not wait: an exception says so. With or without the GIL, by
 * the current greenlet. */
void bine_pending_refuse_callback(struct bine_carrier *carrier);
/* The caller of a wait that failed has looked at signals, or does not. */
static inline void bine_pending_untell(struct bine_carrier *carrier)
{
    carrier->delivery.told = false;
    carrier->g->flags &= (uint8_t)~BINE_G_MAIN_IDENTITY;
}

int bine_pending_init(PyObject *module);

#endif

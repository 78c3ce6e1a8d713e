/* A carrier's thread state. */
#ifndef BINE_EXT_STATE_H
#define BINE_EXT_STATE_H

#include "carrier.h"

/* ---- state.c ------------------------------------------------------------------------------ */

int bine_state_init(void);
/* Make a thread state for the carrier. It is current when this returns. */
void bine_state_new(struct bine_carrier *carrier);
/* Delete it. The caller holds the GIL before and not after. */
void bine_state_delete(struct bine_carrier *carrier);
/* Wipe what one greenlet left in the thread state and in the carrier's C greenlet, so that the next
 * greenlet finds them as new. What was left may have destructors, which may switch. */
void bine_state_wipe(struct bine_carrier *carrier);
/* A greenlet has ended, and the state is about to be deleted: let go of what names its thread. */
void bine_state_leave(struct bine_carrier *carrier);
/* Drop what others put into the state while the carrier was idle (PyEval_SetTraceAllThreads,
 * PyThreadState_SetAsyncExc). */
void bine_state_check(struct bine_carrier *carrier);

/* ---- frames.c: where its Python frames lie ------------------------------------------------ */

/* Have the frames of carriers' thread states put into the room above their C stacks. */
void bine_frames_init(void);
/* May carriers of this hub have such room? */
bool bine_frames_wanted(const struct bine_hub *hub);

#endif

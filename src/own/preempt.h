/* Taking the processor from greenlets that compute. See bine/preempt.h. */
#ifndef BINE_OWN_PREEMPT_H
#define BINE_OWN_PREEMPT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* The signals that greenlets may not block, as bits: 0, or that of the timer. */
uint64_t bine_preempt_unblocked(void);

/* sigaction for the timer's signal. Keeps the program's action for signals that come from
 * elsewhere. Returns false if the number is another one, or no timer runs. */
bool bine_preempt_action(int number, const struct sigaction *action, struct sigaction *old);

struct bine_hub;
/* Set by a layer above: called in a greenlet that goes on after it had to yield. It may end the
 * greenlet. NULL: nothing is. */
extern void (*bine_preempt_resumes)(struct bine_hub *hub);

#endif

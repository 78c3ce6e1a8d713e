/*
 * Cancellation points: the hooks of calls that are such, with a look before the call and one after it failed. They take the place of the hooks
 * only in processes in which some object calls pthread_cancel: elsewhere a call costs nothing more.
 */
#ifndef BINE_PATCH_THREADS_POINTS_H
#define BINE_PATCH_THREADS_POINTS_H

#include <stdbool.h>

/* Are points wanted? Set for good by the engine when it meets a call of pthread_cancel. */
bool bine_points_wanted(void);
void bine_points_want(void);

/* What a slot shall hold instead of this hook: a cancellation point, or the hook. */
void *bine_points_for(void *hook);
/* Does the slot hold this hook, or the point that stands for it? */
bool bine_points_is(void *hook, const void *value);

#endif

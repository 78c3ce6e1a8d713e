/*
 * Cancellation points: hooks of the calls that are such, which look for a request before the call
 * and after it has failed. They take the place of the hooks only in processes in which some object
 * calls pthread_cancel. Elsewhere a call costs nothing more.
 */
#ifndef BINE_PATCH_THREADS_POINTS_H
#define BINE_PATCH_THREADS_POINTS_H

#include <stdbool.h>

/* Are points wanted? The engine sets it for good when it meets a call of pthread_cancel. */
bool bine_points_wanted(void);
void bine_points_want(void);

/* Returns what a slot shall hold instead of this hook: a cancellation point, or the hook. */
void *bine_points_for(void *hook);
/* Does the slot hold this hook, or the point that stands for it? */
bool bine_points_is(void *hook, const void *value);

#endif

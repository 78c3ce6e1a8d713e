/*
 * Other hooks for some objects. A slot usually gets the hook of its symbol; where one of these applies it gets another function, so
 * that nobody else pays for the difference.
 *
 *   patient   in objects that end the process at an error that they do not know, as the one of a kill: a wait that a kill or a
 *             timeout has broken off goes on; the kill strikes at the next wait outside (hooks_patient.c)
 *   same      everywhere, if the environment says BINE_SAME_CALLS=1: read, write, readv and writev of a socket stay these
 *             system calls (hooks_same.c)
 *   point     everywhere else, if some object calls pthread_cancel: a cancellation point (points.h)
 */
#ifndef BINE_PATCH_ENGINE_VARIANT_H
#define BINE_PATCH_ENGINE_VARIANT_H

#include <stdbool.h>

#include "patch/table/table.h"

/* The hook for this symbol in an object; `patient`: of the first kind. */
void *bine_variant_hook(const struct bine_symbol *symbol, bool patient);
/* Is this any of the symbol's hooks? */
bool bine_variant_is_hook(const struct bine_symbol *symbol, const void *function);

/* The parts: the function that takes the hook's place, or NULL. */
void *bine_patient_hook(const void *hook);
void *bine_same_hook(const void *hook);
/* Set from BINE_SAME_CALLS at start. */
extern bool bine_same_calls;

#endif

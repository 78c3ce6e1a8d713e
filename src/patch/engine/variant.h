/*
 * Other hooks for some objects. A slot usually gets the hook of its symbol. Where one of these
 * variants applies it gets another function, so that other objects do not pay for the difference.
 *
 *   patient   in objects that end the process at an error that they do not know, as that of a kill:
 *             a wait that a kill or a timeout has ended begins again. The kill ends the next wait
 *             outside (hooks_patient.c).
 *   severing  in objects that take a failed call for the end of a question but not of the
 *             connection: the connection is shut down, so that no late answer is taken for that of
 *             the next question (hooks_sever.c).
 *   same      everywhere, if the environment says BINE_SAME_CALLS=1: read, write, readv and writev
 *             of a socket stay these system calls (hooks_same.c).
 *   point     everywhere else, if some object calls pthread_cancel: a cancellation point
 *             (points.h).
 */
#ifndef BINE_PATCH_ENGINE_VARIANT_H
#define BINE_PATCH_ENGINE_VARIANT_H

#include <stdbool.h>

#include "patch/table/table.h"
#include "rules.h"

/* Returns the hook for this symbol in an object that has this variant. */
void *bine_variant_hook(const struct bine_symbol *symbol, enum bine_variant variant);
/* Is this any of the symbol's hooks? */
bool bine_variant_is_hook(const struct bine_symbol *symbol, const void *function);

/* The variants. Each returns the function that takes the hook's place, or NULL. */
void *bine_patient_hook(const void *hook);
void *bine_severing_hook(const void *hook);
void *bine_same_hook(const void *hook);
/* Set from BINE_SAME_CALLS at start. */
extern bool bine_same_calls;

#endif

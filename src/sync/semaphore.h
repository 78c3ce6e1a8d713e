/* What choices need of a semaphore. */
#ifndef BINE_SYNC_SEMAPHORE_H
#define BINE_SYNC_SEMAPHORE_H

#include <bine/semaphore.h>

#include "object.h"
#include "party.h"

extern const struct bine_object_class bine_semaphore_class;

/* Takes a permit without waiting. Returns 0 or EAGAIN. */
int bine_semaphore_attempt(struct bine_semaphore *semaphore);
/* Does the same for a party, which 0 decides. */
int bine_semaphore_acquire_as(struct bine_semaphore *semaphore, struct bine_party *party);
struct bine_waiters *bine_semaphore_waiters(struct bine_semaphore *semaphore);

#endif

/* What choose.c needs of a semaphore. */
#ifndef BINE_SYNC_SEMAPHORE_H
#define BINE_SYNC_SEMAPHORE_H

#include <bine/semaphore.h>

#include "object.h"
#include "party.h"

extern const struct bine_object_class bine_semaphore_class;

/* Take a permit without waiting: 0 or EAGAIN. */
int bine_semaphore_attempt(struct bine_semaphore *semaphore);
/* The same for a party, which is decided by it. */
int bine_semaphore_acquire_as(struct bine_semaphore *semaphore, struct bine_party *party);
struct bine_waiters *bine_semaphore_waiters(struct bine_semaphore *semaphore);

#endif

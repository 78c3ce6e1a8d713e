/* What choose.c needs of a semaphore. */
#ifndef BINE_SYNC_SEMAPHORE_H
#define BINE_SYNC_SEMAPHORE_H

#include <bine/semaphore.h>

#include "object.h"

extern const struct bine_object_class bine_semaphore_class;

/* Take a permit without waiting: 0 or EAGAIN. */
int bine_semaphore_attempt(struct bine_semaphore *semaphore);
struct bine_queue *bine_semaphore_waiters(struct bine_semaphore *semaphore);

#endif

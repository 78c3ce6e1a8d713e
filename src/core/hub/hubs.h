/*
 * The records of all hubs of the process. A thread that ends gives its record back, and the next
 * thread gets it. Records are never freed: a thread with a stale pointer is told ESRCH.
 */
#ifndef BINE_CORE_HUB_HUBS_H
#define BINE_CORE_HUB_HUBS_H

#include "hub.h"

/* Returns a record that no thread has, or NULL for ENOMEM. Its inbox is closed. What else it holds
 * is left of its last thread. */
struct bine_hub *bine_hubs_take(void);
/* Gives it back. */
void bine_hubs_give(struct bine_hub *hub);

/* Around a fork. In the child, `hub` is the one of the thread that forked, or NULL: the threads of
 * all others do not exist there, and their inboxes are closed. */
void bine_hubs_before_fork(void);
void bine_hubs_after_fork(void);
void bine_hubs_after_fork_in_child(const struct bine_hub *hub);

#endif

/*
 * Is the inside of libc's locks as this room expects? Greenlets take libc's own locks, and this
 * room reads and writes some fields of these that no manual promises. Before locks are patched each
 * such field is tried out on objects that no other code has. A C library that keeps them in another
 * way is not patched.
 */
#ifndef BINE_LOCKS_SURPRISE_H
#define BINE_LOCKS_SURPRISE_H

/* Returns 0, or ENOTSUP. Then *what is a constant string that names the first thing that is not as
 * expected. Any thread. */
int bine_locks_surprise(const char **what);

/* Do the same for one kind of lock. Each returns that string, or NULL if all is as expected. */
const char *bine_mutex_surprise(void);
const char *bine_rwlock_surprise(void);
const char *bine_cond_surprise(void);
const char *bine_sem_surprise(void);
const char *bine_once_surprise(void);

#endif

/*
 * Is libc's inside as this room expects? Greenlets take libc's own locks, and some fields of these are read and written
 * here that no manual promises. Before locks are patched each such field is tried out on objects that nobody else has.
 * A C library that keeps them in another way is not patched.
 */
#ifndef BINE_LOCKS_SURPRISE_H
#define BINE_LOCKS_SURPRISE_H

/* 0; or ENOTSUP, and *what is the first thing that is not as expected: a constant string. Any thread. */
int bine_locks_surprise(const char **what);

/* The same of one kind of lock: NULL if all is as expected. */
const char *bine_mutex_surprise(void);
const char *bine_rwlock_surprise(void);
const char *bine_cond_surprise(void);
const char *bine_sem_surprise(void);
const char *bine_once_surprise(void);

#endif

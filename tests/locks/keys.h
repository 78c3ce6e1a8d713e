/* What keys.c offers. */
#ifndef BINE_TESTS_LOCKS_KEYS_H
#define BINE_TESTS_LOCKS_KEYS_H

int keys_init(void);
void keys_end(void);
int *keys_state(void);        /* a zeroed int of each thread's own */
void *keys_swap(void *value); /* set the thread's value, return the old one */
int keys_destroyed(void);     /* how often the destructor of the first ran */

#endif

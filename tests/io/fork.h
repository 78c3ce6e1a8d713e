/* What a child does after fork, to prove that it lives. */
#ifndef BINE_TESTS_FORK_H
#define BINE_TESTS_FORK_H

#include <bine.h>
#include <sys/types.h>

/* Why a test that forks while another thread allocates is not run under AddressSanitizer: the
 * sanitizer's allocator does not know of forks, and the child hangs in it. */
#define NOT_UNDER_ASAN "another thread may hold the allocator's lock at the fork"

/* I/O, waits, locks, greenlets, look-ups, the offload pool and stdio. Ends the test if any of them
 * fails. */
void live(void);
/* Look "localhost" up. Returns its argument. */
void *in_name(void *unused);
/* Fork a child that does so and ends. */
pid_t fork_and_live(void);
/* Wait for a child whose exit status has to be 0. */
void check_child(pid_t child);
/* Both. */
void fork_here(void);
/* Join a greenlet, however long it takes. */
void join(bine_greenlet *g);

#endif

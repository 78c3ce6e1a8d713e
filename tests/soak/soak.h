/* What the parts of the soak share: chance, checks, figures. */
#ifndef BINE_TESTS_SOAK_H
#define BINE_TESTS_SOAK_H

#include <bine.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A number below n, of this thread's own sequence. */
unsigned random_below(unsigned n);
/* Begin this thread's sequence. */
void random_seed(uint64_t seed);
/* Up to 2 ms, or for ever. */
int64_t some_time(void);

/* Abort with a dump of who waits for what if it is not so. */
void check(bool condition, const char *what);
/* True if a wait succeeded; if it timed out, was killed or closed under it, false; anything else
 * aborts. */
bool went_well(int failed);

extern atomic_long timed_out, interrupted;

/* A part: what it needs for a round, greenlets for it (at most `room`, into all[]), and what must
 * be so in the end. */
struct part {
    const char *name;
    void (*begin)(void);
    size_t (*spawn)(bine_greenlet **all, size_t room);
    /* Runs while the others work, not killed: threads are started and joined here. May be NULL. */
    void *(*beside)(void *arg);
    void (*end)(void);
};

extern const struct part locks_part, pools_part, patched_part, hubs_part;

#endif

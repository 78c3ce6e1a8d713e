/* How much of its stack a greenlet uses. */
#ifndef BINE_INSPECT_SNAPSHOT_STACK_USE_H
#define BINE_INSPECT_SNAPSHOT_STACK_USE_H

#include "snapshot.h"

struct inspect_stack_use {
    uint64_t size;
    uint64_t used; /* now; 0: not known, because the greenlet is running */
    /* The bytes from the lowest page that has memory to the top. Earlier users of the stack count
     * as well. 0: not known, as in a core. */
    uint64_t high_water;
};

/* All are 0 for a greenlet without a stack of its own. */
void inspect_stack_use(struct inspect_target *target, const struct inspect_greenlet *g,
                       struct inspect_stack_use *use);
/* Returns whether the page has memory. To read one of a live process that has none would give it
 * some. For a page of a core it is always true: nothing is changed there. */
bool inspect_touched(const struct inspect_target *target, uint64_t address);
/* Returns the first page from this one on that may hold something: in a live process one with
 * memory, or only the next page, in a core one that may be in it. Returns UINT64_MAX if a core has
 * no more. */
uint64_t inspect_next_touched(const struct inspect_target *target, uint64_t address);
/* Gives back what is kept open between the calls. */
void inspect_stack_use_free(void);

#endif

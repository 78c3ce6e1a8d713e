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
/* Has the page memory? To read one that has none would give it some. Of a core all have. */
bool inspect_touched(const struct inspect_target *target, uint64_t address);
/* Returns the first page from this address on that may have memory, or of a core, that may be in
 * it. Returns UINT64_MAX if there is none. */
uint64_t inspect_next_touched(const struct inspect_target *target, uint64_t address);
/* Gives back what is kept open between the calls. */
void inspect_stack_use_free(void);

#endif

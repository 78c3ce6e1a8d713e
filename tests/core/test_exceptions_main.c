/* The harness's side of test_exceptions.cc. */
#include "harness.h"

const char *interleave(void);
const char *leave_within(void);

TEST(hazard_03_cxx_exceptions_belong_to_the_greenlet)
{
    const char *failure = interleave();
    if (failure)
        FAIL("%s", failure);
}

TEST(an_exception_closes_the_blocks_that_it_leaves)
{
    const char *failure = leave_within();
    if (failure)
        FAIL("%s", failure);
}

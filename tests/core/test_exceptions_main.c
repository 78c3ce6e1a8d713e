/* The harness's side of test_exceptions.cc. */
#include "harness.h"

const char *interleave(void);

TEST(hazard_03_cxx_exceptions_belong_to_the_greenlet)
{
    const char *failure = interleave();
    if (failure)
        FAIL("%s", failure);
}

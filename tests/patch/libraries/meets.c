/* A library whose constructor and destructor meet the test, which may wait there, before they are
 * done. */
#include "meeting.h"

int meets_state(void);

static int state;

__attribute__((constructor)) static void begin(void)
{
    meeting("constructor");
    state = 1;
}

__attribute__((destructor)) static void end(void)
{
    meeting("destructor");
    state = 2;
}

int meets_state(void)
{
    return state;
}

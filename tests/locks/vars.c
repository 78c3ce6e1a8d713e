/* A library that keeps state in thread-local variables, and knows nothing of greenlets. */
#include "vars.h"

static _Thread_local int zero;
static _Thread_local int first = VARS_FIRST;
static _Thread_local char text[VARS_TEXT] = "text";

struct vars vars_here(void)
{
    return (struct vars){&zero, &first, text};
}

/* See python.h. */
#include "python.h"

bool inspect_python_name(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                         char *text, size_t size)
{
    (void)snapshot, (void)g, (void)text, (void)size;
    return false;
}

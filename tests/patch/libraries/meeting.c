#include "meeting.h"

#include <stddef.h>

void (*meeting_hook)(const char *where);

void meeting(const char *where)
{
    if (meeting_hook)
        meeting_hook(where);
}

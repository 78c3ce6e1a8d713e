/* Is libc's inside as this room expects? See surprise.h. */
#include "surprise.h"

#include <errno.h>
#include <stddef.h>

int bine_locks_surprise(const char **what)
{
    *what = bine_mutex_surprise();
    if (!*what)
        *what = bine_rwlock_surprise();
    if (!*what)
        *what = bine_cond_surprise();
    if (!*what)
        *what = bine_sem_surprise();
    if (!*what)
        *what = bine_once_surprise();
    return *what ? ENOTSUP : 0;
}

/* free(3) as it is since glibc 2.33. Older ones may change errno where they give memory back to the
 * kernel. */
#ifndef BINE_LIBC_FREE_H
#define BINE_LIBC_FREE_H

#include <errno.h>
#include <stdlib.h>

/* For memory that is freed between a failure and its caller. */
static inline void bine_free(void *memory)
{
    int error = errno;
    free(memory);
    errno = error;
}

#endif

/* From a member to the structure that it lies in. */
#ifndef BINE_LIBC_CONTAINER_OF_H
#define BINE_LIBC_CONTAINER_OF_H

#include <stddef.h>

#define BINE_CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif

/* A library with a function of its own that has the name of one of libc's: it must go on reaching
 * its own. */
#include <stddef.h>

__attribute__((visibility("default"))) int usleep(unsigned microseconds);
__attribute__((visibility("default"))) int usleep(unsigned microseconds)
{
    return (int)microseconds + 1000;
}

__attribute__((visibility("default"))) int own_names_call(unsigned microseconds);
__attribute__((visibility("default"))) int own_names_call(unsigned microseconds)
{
    return usleep(microseconds);
}

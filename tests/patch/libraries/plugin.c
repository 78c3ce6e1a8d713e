/* Found only by a loader that knows who asked: it lies in a directory that the asking library's
 * RUNPATH names. */
#include <unistd.h>

__attribute__((visibility("default"))) int plugin_nap(unsigned microseconds);
__attribute__((visibility("default"))) int plugin_nap(unsigned microseconds)
{
    return usleep(microseconds);
}

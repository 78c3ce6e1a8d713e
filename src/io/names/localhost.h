/* For language runtimes whose programs rely on this: a socket that is bound to "localhost" is bound
 * before other greenlets run. */
#ifndef BINE_IO_NAMES_LOCALHOST_H
#define BINE_IO_NAMES_LOCALHOST_H

#include <stdbool.h>

/* Does getaddrinfo look "localhost" up in the calling thread, without parking? The answer lies in a
 * file on the machine (RFC 6761, 6.3). It is false at first, and is set before hubs run. */
extern bool bine_localhost_at_once;

#endif

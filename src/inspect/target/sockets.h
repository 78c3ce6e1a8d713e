/* What a descriptor of a live process is, for people. */
#ifndef BINE_INSPECT_TARGET_SOCKETS_H
#define BINE_INSPECT_TARGET_SOCKETS_H

#include "target.h"

/* "tcp 127.0.0.1:80 to 127.0.0.1:51234", "unix /run/x", "pipe", or the file's path. Empty if it is
 * not known: in a core, or if the descriptor is not open. */
void inspect_descriptor(const struct inspect_target *target, uint64_t fd, char *text, size_t size);
/* Gives back what is remembered between the calls. */
void inspect_descriptors_free(void);

#endif

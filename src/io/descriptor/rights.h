/* Descriptors that travel inside messages (SCM_RIGHTS): their records must be told. */
#ifndef BINE_IO_DESCRIPTOR_RIGHTS_H
#define BINE_IO_DESCRIPTOR_RIGHTS_H

#include <sys/socket.h>

/* A message has been received: every descriptor in it is new here, and shared with the sender. */
void bine_rights_received(const struct msghdr *message, int flags);
/* A message was or will be sent: every descriptor in it is shared from now on. */
void bine_sent_descriptors(const struct msghdr *message);

#endif

/* Descriptors that travel inside messages. See rights.h. */
#include "rights.h"

#include <string.h>

#include "descriptor.h"

static void each(const struct msghdr *message, void (*visit)(int fd))
{
    struct msghdr *headers = (struct msghdr *)message;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(headers); control;
         control = CMSG_NXTHDR(headers, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
            control->cmsg_len < CMSG_LEN(0))
            continue;
        size_t bytes = control->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + at, sizeof fd);
            visit(fd);
        }
    }
}

static void rights_arrived(int fd)
{
    bine_descriptor_fresh(fd, BINE_FD_UNKNOWN, BINE_NONBLOCKING_UNKNOWN);
    bine_descriptor_share(fd);
}

void bine_rights_received(const struct msghdr *message, int flags)
{
    (void)flags; /* also with MSG_PEEK: the kernel makes descriptors each time */
    each(message, rights_arrived);
}

void bine_sent_descriptors(const struct msghdr *message)
{
    each(message, bine_descriptor_share);
}

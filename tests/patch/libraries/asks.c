#include "asks.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

int asks_poll(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, -1) < 0 ? errno : 0;
}

int asks_recv(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) < 0 ? errno : 0;
}

int asks_recv_at_once(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

int asks_send(int fd)
{
    static char much[1 << 16];
    while (send(fd, much, sizeof much, MSG_NOSIGNAL) >= 0)
        ;
    return errno;
}

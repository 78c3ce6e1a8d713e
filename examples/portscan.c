/*
 * Which ports of this machine are open? A pool of 200 greenlets tries them all; each gives a port
 * that does not answer half a second.
 *
 *     portscan [FIRST LAST]       on 127.0.0.1; default: 1 65535
 */
#include <arpa/inet.h>
#include <bine.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    AT_A_TIME = 200
};

static int open_ports;

static void *try_port(void *arg)
{
    int port = (int)(intptr_t)arg;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return NULL;
    bine_timeout patience;
    bine_timeout_begin(&patience, 500 * BINE_MS);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        printf("%d is open\n", port);
        open_ports++;
    }
    bine_timeout_end(&patience);
    close(fd);
    return NULL;
}

int main(int count, char **arguments)
{
    int first = count == 3 ? atoi(arguments[1]) : 1, last = count == 3 ? atoi(arguments[2]) : 65535;
    if ((count != 1 && count != 3) || first < 1 || last > 65535 || first > last) {
        fprintf(stderr, "usage: portscan [FIRST LAST]\n");
        return 2;
    }
    bine_pool *pool = bine_pool_new(AT_A_TIME, 0);
    if (bine_patch_all() != 0 || !pool) {
        perror("portscan");
        return 1;
    }
    /* bine_pool_spawn waits while the pool is full. */
    for (int port = first; port <= last; port++)
        if (!bine_pool_spawn(pool, try_port, (void *)(intptr_t)port))
            perror("spawn");
    bine_pool_join(pool, BINE_FOREVER);
    bine_pool_free(pool);
    printf("%d of %d ports are open\n", open_ports, last - first + 1);
    return 0;
}

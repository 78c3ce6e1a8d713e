/* Plain libc calls, patched and unpatched while they are in use: pipes, sockets, datagrams, sleeps,
 * locks of pthreads. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak.h"

enum {
    PAIRS = 10,
    BYTES = 20000
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;
static bine_datagram_server *datagrams;

struct pipe {
    int fds[2];
};

static void *write_pattern(void *fd)
{
    unsigned char block[700];
    for (size_t at = 0; at < BYTES;) {
        size_t size = 1 + random_below(sizeof block);
        size = size > BYTES - at ? BYTES - at : size;
        for (size_t i = 0; i < size; i++)
            block[i] = (unsigned char)(at + i);
        ssize_t put = write((int)(intptr_t)fd, block, size);
        if (put < 0)
            break;
        at += (size_t)put;
    }
    close((int)(intptr_t)fd);
    return NULL;
}

/* Whatever arrives arrives in order; a writer that was killed ends early. */
static void *read_pattern(void *fd)
{
    unsigned char block[900];
    size_t at = 0;
    ssize_t got;
    while ((got = read((int)(intptr_t)fd, block, 1 + random_below(sizeof block))) > 0)
        for (ssize_t i = 0; i < got; i++)
            check(block[i] == (unsigned char)at++, "bytes out of order");
    close((int)(intptr_t)fd);
    return NULL;
}

static void *use_calls(void *arg)
{
    for (int i = 0; i < 20 && !bine_killed(bine_getcurrent()); i++) {
        struct pollfd nothing = {.fd = -1};
        switch (random_below(4)) {
        case 0:
            usleep(random_below(200));
            break;
        case 1:
            poll(&nothing, 1, (int)random_below(2));
            break;
        case 2: {
            pthread_mutex_lock(&mutex);
            long before = guarded;
            usleep(random_below(50));
            check(guarded == before, "two have the mutex");
            guarded++;
            pthread_mutex_unlock(&mutex);
            break;
        }
        case 3: {
            struct sockaddr_in to = {.sin_family = AF_INET,
                                     .sin_port =
                                         htons((in_port_t)bine_datagram_server_port(datagrams)),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
            int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            char byte;
            bine_timeout scope;
            bine_timeout_begin(&scope, (int64_t)random_below(2000) * BINE_US);
            if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && send(fd, "x", 1, 0) == 1)
                recv(fd, &byte, 1, 0); /* or it is lost: datagrams may be */
            bine_timeout_end(&scope);
            close(fd);
            break;
        }
        }
    }
    return NULL;
}

static void reply(bine_datagram *datagram, void *arg)
{
    if (random_below(3))
        bine_datagram_reply(datagram, datagram->data, datagram->size);
}

static void begin(void)
{
    signal(SIGPIPE, SIG_IGN); /* readers are killed under their writers */
    check(bine_patch_all() == 0, "patching");
    datagrams = bine_datagram_server_new(
        &(bine_server_options){.address = "127.0.0.1:0", .limit = 4}, reply, NULL);
    check(datagrams && bine_datagram_server_start(datagrams) == 0, "datagram server");
}

static size_t spawn(bine_greenlet **all, size_t room)
{
    size_t n = 0;
    for (int i = 0; i < PAIRS && n + 3 <= room; i++) {
        int fds[2];
        check((i % 2 ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) == 0,
              "a pair of descriptors");
        all[n++] = bine_spawn(read_pattern, (void *)(intptr_t)fds[0]);
        all[n++] = bine_spawn(write_pattern, (void *)(intptr_t)fds[1]);
        all[n++] = bine_spawn(use_calls, NULL);
    }
    return n;
}

static void end(void)
{
    bine_datagram_server_stop(datagrams, BINE_MS);
    check(bine_datagram_server_free(datagrams) == 0, "datagram server free");
    check(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0,
          "the mutex is held");
    if (random_below(3) == 0)
        check(bine_unpatch_all() == 0, "unpatching");
}

const struct part patched_part = {"patched", begin, spawn, NULL, end};

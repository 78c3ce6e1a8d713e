/*
 * A server that knows nothing of Bine: a thread for each connection, which echoes what it gets.
 * Prints its port. Ends when a client sends "quit", with the exit status 7.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static __thread size_t echoed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t total;

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[4096];
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        if (got == 5 && memcmp(buffer, "quit\n", 5) == 0) {
            printf("echoed %zu\n", total);
            exit(7);
        }
        for (ssize_t sent = 0; sent < got;) {
            ssize_t n = send(fd, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);
            if (n < 0)
                break;
            sent += n;
        }
        echoed += (size_t)got;
    }
    close(fd);
    pthread_mutex_lock(&mutex);
    total += echoed;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 65536);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd < 0 || (errno = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd))) {
            perror("accept");
            return 1;
        }
    }
}

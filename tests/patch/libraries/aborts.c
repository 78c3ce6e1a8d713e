#include "aborts.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void must(int right)
{
    if (!right)
        abort();
}

int aborts_poll(int fd, int timeout)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    must(poll(&wait, 1, timeout) >= 0 || errno == EINTR);
    return 0;
}

int aborts_epoll(int epoll)
{
    struct epoll_event event;
    must(epoll_wait(epoll, &event, 1, -1) >= 0 || errno == EINTR);
    return 0;
}

int aborts_read(int fd)
{
    char byte;
    must(read(fd, &byte, 1) == 1 || errno == EINTR);
    return 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int woken;

int aborts_wait(void)
{
    must(pthread_mutex_lock(&mutex) == 0);
    while (!woken)
        must(pthread_cond_wait(&condition, &mutex) == 0);
    must(pthread_mutex_unlock(&mutex) == 0);
    return 0;
}

void aborts_wake(void)
{
    must(pthread_mutex_lock(&mutex) == 0);
    woken = 1;
    must(pthread_cond_broadcast(&condition) == 0);
    must(pthread_mutex_unlock(&mutex) == 0);
}

static sem_t semaphore;

__attribute__((constructor)) static void set_up(void)
{
    sem_init(&semaphore, 0, 0);
}

int aborts_semaphore(void)
{
    must(sem_wait(&semaphore) == 0 || errno == EINTR);
    return 0;
}

void aborts_post(void)
{
    must(sem_post(&semaphore) == 0);
}

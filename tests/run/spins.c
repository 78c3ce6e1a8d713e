/*
 * Knows nothing of Bine. A thread spins until another one has got all bytes of a pipe, which a
 * third writes: as threads they all run. Prints "done".
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int left = 20;
static int ends[2];

static void *spin(void *arg)
{
    while (atomic_load(&left))
        ;
    return arg;
}

static void *receive(void *arg)
{
    char byte;
    while (atomic_load(&left) && read(ends[0], &byte, 1) == 1)
        atomic_fetch_sub(&left, 1);
    return arg;
}

int main(void)
{
    pthread_t spinning, receiving;
    if (pipe(ends) != 0 || pthread_create(&receiving, NULL, receive, NULL) != 0 ||
        pthread_create(&spinning, NULL, spin, NULL) != 0)
        return 1;
    for (int i = 0; i < 20; i++) {
        usleep(100);
        if (write(ends[1], "x", 1) != 1)
            return 1;
    }
    pthread_join(receiving, NULL);
    pthread_join(spinning, NULL);
    puts("done");
    return 0;
}

/*
 * An echo server that knows nothing of Bine: a thread for each connection, blocking calls. For
 * bench/threads/run, which runs it plainly and under `bine run`.
 */
#include <pthread.h>
#include <stdint.h>

#include "../server.h"

int main(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 65536);
    int listener = bench_listen(0);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        bench_must(fd, "accept");
        bench_no_delay(fd);
        bench_must(-pthread_create(&thread, &attributes, bench_echo, (void *)(intptr_t)fd),
                   "thread");
    }
}

/* A program from outside, built against the installed library. */
#include <bine.h>
#include <stdio.h>
#include <unistd.h>

static void *run(void *arg)
{
    puts("in the greenlet");
    usleep(1000);
    return arg;
}

int main(void)
{
    void *value;
    if (bine_join(bine_spawn(run, (void *)42), &value, BINE_FOREVER) != 0)
        return 1;
    printf("joined: %ld\n", (long)value);
    return 0;
}

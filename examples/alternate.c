/* Three greenlets take turns, since bine_sleep(0) yields. turns.c lacks that one line. */
#include <bine.h>
#include <stdio.h>

static void *f(void *n)
{
    for (long i = 0; i < (long)n; i++) {
        printf("%s %ld\n", bine_name(bine_getcurrent()), i);
        bine_sleep(0);
    }
    return NULL;
}

int main(void)
{
    bine_greenlet *all[] = {
        bine_spawn(f, (void *)5),
        bine_spawn(f, (void *)5),
        bine_spawn(f, (void *)5),
    };
    return bine_joinall(all, 3, BINE_FOREVER);
}

/* Three greenlets, one after another, since nothing in their loop waits. alternate.c has one line
 * more. */
#include <bine.h>
#include <stdio.h>

static void *f(void *n)
{
    for (long i = 0; i < (long)n; i++)
        printf("%s %ld\n", bine_name(bine_getcurrent()), i);
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

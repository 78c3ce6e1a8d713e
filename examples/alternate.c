/*
 * Three greenlets take turns: bine_sleep(0) steps aside for whoever is ready, and they come back in the order in
 * which they stepped aside. Compare turns.c, which differs by that one line.
 */
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
    bine_greenlet *all[] = {bine_spawn(f, (void *)5), bine_spawn(f, (void *)5), bine_spawn(f, (void *)5)};
    return bine_joinall(all, 3, BINE_FOREVER);
}

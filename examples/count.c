/*
 * The greenlets of alternate.c with 500,000 rounds instead of 5, counting instead of printing: a
 * million and a half turns are a matter of milliseconds, and the process never has a second thread.
 */
#include <bine.h>
#include <stdio.h>

#include "threads.h"

enum {
    ROUNDS = 500000,
    GREENLETS = 3
};

static long turns; /* of all of them. No lock: greenlets of one thread never run at the same
                    * time. */

static void *f(void *n)
{
    for (long i = 0; i < (long)n; i++) {
        turns++;
        bine_sleep(0);
        if (turns == GREENLETS * ROUNDS / 2)
            print_threads(); /* now, while all three are at it */
    }
    return NULL;
}

int main(void)
{
    bine_greenlet *all[GREENLETS];
    for (int i = 0; i < GREENLETS; i++)
        all[i] = bine_spawn(f, (void *)ROUNDS);
    if (bine_joinall(all, GREENLETS, BINE_FOREVER) != 0) {
        perror("count");
        return 1;
    }
    printf("%d greenlets took %ld turns\n", GREENLETS, turns);
    return 0;
}

/* The rarer operations of the ready queue. See ready.h. */
#include "ready.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "libc/free.h"

int bine_ready_reserve(struct bine_ready *ready, size_t n)
{
    size_t room = ready->slots ? (size_t)ready->mask + 1 : 0;
    if (n <= room)
        return 0;
    size_t wider = room ? room : 64;
    while (wider < n)
        wider *= 2;
    struct bine_greenlet **slots = wider <= UINT32_MAX ? malloc(wider * sizeof *slots) : NULL;
    if (!slots) {
        errno = ENOMEM;
        return -1;
    }
    uint32_t count = bine_ready_count(ready);
    assert(count == 0 || ready->slots);
    for (uint32_t i = 0; i < count; i++)
        slots[(ready->head + i) & (wider - 1)] = ready->slots[(ready->head + i) & ready->mask];
    free(ready->slots);
    ready->slots = slots;
    ready->mask = (uint32_t)wider - 1;
    return 0;
}

void bine_ready_free(struct bine_ready *ready)
{
    bine_free(ready->slots);
    *ready = (struct bine_ready){0};
}

struct bine_greenlet *bine_ready_take(struct bine_ready *ready, uint32_t skip)
{
    assert(skip < bine_ready_count(ready));
    struct bine_greenlet *taken = ready->slots[(ready->head + skip) & ready->mask];
    for (uint32_t i = skip; i > 0; i--)
        ready->slots[(ready->head + i) & ready->mask] =
            ready->slots[(ready->head + i - 1) & ready->mask];
    ready->head++;
    return taken;
}

/* See delays.h. */
#include "delays.h"

#include <stdlib.h>

bool inspect_delays_add(struct inspect_delays *delays, int64_t when, uint32_t head, uint32_t tail)
{
    size_t count = delays->count;
    if (tail - head > INT32_MAX)
        return true;
    if (!(count & (count - 1))) {
        struct inspect_delay_look *looks =
            realloc(delays->looks, (count ? 2 * count : 1) * sizeof *looks);
        if (!looks)
            return false;
        delays->looks = looks;
    }
    struct inspect_delay_look look = {when, 0, tail - head};
    if (count) {
        const struct inspect_delay_look *last = &delays->looks[count - 1];
        look.head = last->head + (head - delays->head);
        look.tail = last->tail + (tail - delays->tail);
    }
    delays->looks[delays->count++] = look;
    delays->head = head;
    delays->tail = tail;
    return true;
}

void inspect_delays_free(struct inspect_delays *delays)
{
    free(delays->looks);
    *delays = (struct inspect_delays){0};
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Greenlets in neighbouring places, and the delay of the one in their middle. */
struct span {
    int64_t delay;
    uint64_t greenlets;
};

static uint64_t end_of(const struct inspect_delay_look *look, bool head)
{
    return head ? look->head : look->tail;
}

/* When an end of the queue passed the place: of looks[at] and its successor the first one has not
 * passed it yet. `at` only moves on, for places that only grow. */
static double passed(const struct inspect_delays *delays, bool head, double place, size_t *at)
{
    const struct inspect_delay_look *looks = delays->looks;
    size_t last = delays->count - 1;
    while (*at < last && (double)end_of(&looks[*at + 1], head) <= place)
        ++*at;
    if (*at == last)
        return (double)looks[last].when; /* not yet */
    double from = (double)end_of(&looks[*at], head), to = (double)end_of(&looks[*at + 1], head);
    if (place < from)
        return (double)looks[*at].when; /* before the first look */
    return (double)looks[*at].when +
           (place - from) / (to - from) * (double)(looks[*at + 1].when - looks[*at].when);
}

/* The next place after `from` at which one of the ends was seen. */
static uint64_t next_place(const struct inspect_delays *delays, uint64_t from, size_t *head,
                           size_t *tail)
{
    while (*head < delays->count && delays->looks[*head].head <= from)
        ++*head;
    while (*tail < delays->count && delays->looks[*tail].tail <= from)
        ++*tail;
    uint64_t by_head = *head < delays->count ? delays->looks[*head].head : UINT64_MAX;
    uint64_t by_tail = *tail < delays->count ? delays->looks[*tail].tail : UINT64_MAX;
    return by_head < by_tail ? by_head : by_tail;
}

static size_t divide(const struct inspect_delays *delays, struct span *spans)
{
    size_t count = 0, head = 0, tail = 0, left = 0, entered = 0;
    uint64_t end = delays->looks[delays->count - 1].tail;
    for (uint64_t from = 0, to; from < end; from = to) {
        to = next_place(delays, from, &head, &tail);
        if (to > end)
            break;
        double middle = ((double)from + (double)to) / 2;
        double delay =
            passed(delays, true, middle, &left) - passed(delays, false, middle, &entered);
        spans[count++] = (struct span){delay > 0 ? (int64_t)delay : 0, to - from};
    }
    return count;
}

/* Delays shorter than the time between two looks are chance: in most looks the queue is empty, and
 * in some it is not. Their sum is not chance (Little's law), so each counts as their average. */
static void even_out(struct span *spans, size_t count, int64_t resolution)
{
    double sum = 0, greenlets = 0;
    for (size_t i = 0; i < count; i++)
        if (spans[i].delay < resolution) {
            sum += (double)spans[i].delay * (double)spans[i].greenlets;
            greenlets += (double)spans[i].greenlets;
        }
    for (size_t i = 0; i < count; i++)
        if (spans[i].delay < resolution)
            spans[i].delay = (int64_t)(sum / greenlets);
}

static int by_delay(const void *one, const void *other)
{
    int64_t a = ((const struct span *)one)->delay, b = ((const struct span *)other)->delay;
    return a < b ? -1 : a > b;
}

static int64_t quantile(const struct span *spans, size_t count, double share, double greenlets)
{
    double seen = 0;
    for (size_t i = 0; i < count; i++) {
        seen += (double)spans[i].greenlets;
        if (seen >= share * greenlets)
            return spans[i].delay;
    }
    return spans[count - 1].delay;
}

bool inspect_delays_find(const struct inspect_delays *delays, int64_t *median, int64_t *most)
{
    struct span *spans = delays->count > 1 ? malloc((2 * delays->count + 1) * sizeof *spans) : NULL;
    size_t count = spans ? divide(delays, spans) : 0;
    double greenlets = 0;
    if (count) {
        const struct inspect_delay_look *last = &delays->looks[delays->count - 1];
        even_out(spans, count, (last->when - delays->looks->when) / (int64_t)(delays->count - 1));
        qsort(spans, count, sizeof *spans, by_delay);
        for (size_t i = 0; i < count; i++)
            greenlets += (double)spans[i].greenlets;
        *median = quantile(spans, count, 0.5, greenlets);
        *most = quantile(spans, count, 0.99, greenlets);
    }
    free(spans);
    return count > 0;
}

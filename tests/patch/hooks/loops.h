/* What the tests share in which one greenlet makes the same call again and again, while another
 * one's heart must beat. */
#ifndef BINE_TESTS_PATCH_LOOPS_H
#define BINE_TESTS_PATCH_LOOPS_H

#include <bine.h>
#include <stdint.h>

#include "harness.h"

struct question {
    const char *name;
    void (*ask)(void);
};

enum {
    BEATS = 3
};

static volatile unsigned beats;

static inline void *beat(void *unused)
{
    for (beats = 0; beats < BEATS; beats++)
        CHECK_OK(bine_sleep(10 * BINE_US)); /* the simulator's time creeps while nobody waits */
    return NULL;
}

static inline void ask_again_and_again(const struct question *question)
{
    int64_t until = harness_now() + 10 * BINE_SECOND * harness_slower();
    while (beats < BEATS) {
        question->ask();
        if (harness_now() > until)
            FAIL("%s: the other greenlet does not run", question->name);
    }
}

static inline void *ask_in_peace(void *question)
{
    ask_again_and_again(question);
    return NULL;
}

/* Code that does not look at what its calls fail with. */
static inline void *ask_after_a_kill(void *question)
{
    bine_kill(bine_getcurrent());
    ask_again_and_again(question);
    return NULL;
}

static inline void *ask_too_late(void *question)
{
    bool late;
    BINE_WITHIN(1, &late)
    {
        bine_sleep(BINE_FOREVER);
        ask_again_and_again(question);
    }
    return NULL;
}

static inline void check(bine_run *run, const struct question *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        beats = 0;
        bine_greenlet *both[] = {bine_spawn(beat, NULL), bine_spawn(run, (void *)&all[i])};
        CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    }
}

static inline void check_struck(const struct question *all, size_t count)
{
    check(ask_after_a_kill, all, count);
    check(ask_too_late, all, count);
}

static inline void check_all(const struct question *all, size_t count)
{
    check(ask_in_peace, all, count);
    check_struck(all, count);
}

#define CHECK_ALL(all) check_all(all, sizeof(all) / sizeof *(all))
/* Of calls that wait, which fail at once from then on. */
#define CHECK_STRUCK(all) check_struck(all, sizeof(all) / sizeof *(all))
/* One call as a question. What it says does not matter here. */
#define ASK(name, ...)                  \
    static void ask_##name(void)        \
    {                                   \
        (void)!(intptr_t)(__VA_ARGS__); \
    }

#endif

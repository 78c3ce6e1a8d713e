/* bine_wait and bine_iwait, for any mixture of waitable objects. See bine/wait.h and waitable.h. */
#include <bine/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alone.h"
#include "core/across/errand.h"
#include "core/report/dump.h"
#include "core/schedule/park.h"
#include "core/schedule/schedule.h"
#include "core/schedule/streak.h"
#include "libc/layout.h"

struct watch {
    struct bine_waiter waiter; /* first */
    struct bine_iwait *iteration;
    struct bine_waitable *object;
    struct watch *next_ready;
    struct bine_greenlet *scout; /* waits for an object of another thread: a reference */
};

struct bine_iwait {
    struct bine_hub *hub;          /* that it belongs to ... */
    uint64_t life;                 /* ... in that life of the hub's record */
    struct bine_greenlet *waiting; /* parked in bine_iwait_next, or NULL */
    struct watch *ready_first, *ready_last;
    size_t left;         /* objects that have not been returned */
    unsigned park_flags; /* BINE_PARK_EXTERNAL if another thread may make one of them ready */
    size_t n;
    struct watch watches[];
};

BINE_LAYOUT(wait_rows) = {
    BINE_FIELD("iteration", struct bine_iwait, n),
    BINE_START("iteration.watches", struct bine_iwait, watches),
    BINE_SIZE("watch", struct watch),
    BINE_FIELD_AS("watch", "queue", struct watch, waiter.queue),
    BINE_FIELD("watch", struct watch, object),
    BINE_FIELD("watch", struct watch, scout),
};

static size_t describe(uintptr_t address, char *text, size_t size)
{
    enum {
        SHOWN = 3
    };
    const struct bine_iwait *iteration = (const struct bine_iwait *)address;
    size_t used = 0, count = 0;
    text[0] = '\0';
    for (size_t i = 0; i < iteration->n; i++) {
        const struct watch *watch = &iteration->watches[i];
        const void *object = watch->object;
        if ((!watch->waiter.queue && !watch->scout) || count++ >= SHOWN || used >= size)
            continue;
        const char *comma = count > 1 ? ", " : "";
        int more = watch->object->class == &bine_greenlet_class && !watch->scout
                       ? snprintf(text + used, size - used, "%s%s", comma,
                                  bine_name((struct bine_greenlet *)object))
                       : snprintf(text + used, size - used, "%s%s %p", comma,
                                  watch->object->class->name, object);
        used += more > 0 ? (size_t)more : 0;
    }
    if (count > SHOWN && used < size)
        used += (size_t)snprintf(text + used, size - used, ", and %zu more", count - SHOWN);
    return used < size ? used : size - 1;
}

static void became_ready(struct bine_waiter *waiter)
{
    struct watch *watch = (struct watch *)waiter;
    struct bine_iwait *iteration = watch->iteration;
    watch->next_ready = NULL;
    if (iteration->ready_first)
        iteration->ready_last->next_ready = watch;
    else
        iteration->ready_first = watch;
    iteration->ready_last = watch;
    if (iteration->waiting)
        bine_unpark(iteration->waiting);
}

/* ---- objects of other threads ---------------------------------------------------------------- */

/* 0; EPERM if it is another thread's and not for us to wait for; EDEADLK if nothing may wait
 * here. */
static int check_foreign(const struct bine_waitable *object, const struct bine_hub *hub)
{
    if (!bine_waitable_foreign(object, hub))
        return 0;
    if (object->class != &bine_greenlet_class &&
        !(object->class->external && object->class->external(object)))
        return EPERM;
    return hub->no_park ? EDEADLK : 0;
}

static int see_there(struct bine_errand *errand)
{
    return bine_wait(&errand->object, 1, NULL, 1, errand->timeout) == 1 ? 0 : errno;
}

/* A hidden greenlet for each such object waits for it, so that all are waited for at once. */
static void *go_and_see(void *arg)
{
    struct watch *watch = arg;
    int error = bine_errand(
        watch->object->class->hub(watch->object),
        &(struct bine_errand){
            .run = see_there, .verb = "wait", .object = watch->object, .timeout = BINE_FOREVER});
    /* If its thread has ended nothing that is done with it would wait. */
    if (!error || error == ESRCH)
        became_ready(&watch->waiter);
    return NULL;
}

bine_iwait *bine_iwait_begin(void *const *objects, size_t n)
{
    if (!objects && n) {
        errno = EINVAL;
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (!objects[i]) {
            errno = EINVAL;
            return NULL;
        }
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        int error = check_foreign(objects[i], hub);
        if (error) {
            errno = error;
            return NULL;
        }
    }
    if (n > (SIZE_MAX - sizeof(struct bine_iwait)) / sizeof(struct watch)) {
        errno = ENOMEM;
        return NULL;
    }
    struct bine_iwait *iteration = calloc(1, sizeof *iteration + n * sizeof *iteration->watches);
    if (!iteration)
        return NULL;
    iteration->hub = hub;
    iteration->life = hub->life;
    iteration->n = iteration->left = n;
    for (size_t i = 0; i < n; i++) {
        struct watch *watch = &iteration->watches[i];
        watch->waiter.greenlet = hub->current;
        watch->waiter.notify = became_ready;
        watch->iteration = iteration;
        watch->object = objects[i];
        if (bine_waitable_foreign(watch->object, hub)) {
            iteration->park_flags = BINE_PARK_EXTERNAL;
            watch->scout = bine_spawn(go_and_see, watch);
            if (watch->scout)
                continue;
            int error = errno;
            bine_iwait_end(iteration);
            errno = error;
            return NULL;
        }
        if (watch->object->class->external && watch->object->class->external(watch->object))
            iteration->park_flags = BINE_PARK_EXTERNAL;
        if (watch->object->class->ready(watch->object))
            became_ready(&watch->waiter);
        else
            bine_waiters_push(&watch->object->watchers, &watch->waiter);
    }
    return iteration;
}

/* The next ready object; 0 or an error number. */
static int next_ready(struct bine_iwait *iteration, int64_t deadline, void **object)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return errno;
    atomic_store_explicit(&bine_dump_describe_wait, describe, memory_order_relaxed);
    while (!iteration->ready_first) {
        iteration->waiting = hub->current;
        int error =
            bine_park(hub, bine_wait_verb, (uintptr_t)iteration, deadline, iteration->park_flags);
        iteration->waiting = NULL;
        if (error)
            return error;
    }
    struct watch *watch = iteration->ready_first;
    iteration->ready_first = watch->next_ready;
    iteration->left--;
    *object = watch->object;
    return 0;
}

/* Is it another thread's, which may have left its hub's record to the calling one? */
static bool foreign(const struct bine_iwait *iteration)
{
    return iteration->hub != bine_hub_of_thread || iteration->hub->life != iteration->life;
}

void *bine_iwait_next(bine_iwait *iteration, int64_t timeout)
{
    void *object = NULL;
    int refused = !iteration || timeout < 0 ? EINVAL : foreign(iteration) ? EPERM : 0;
    if (refused) {
        errno = refused;
        return NULL;
    }
    if (iteration->left == 0) {
        errno = 0;
        return NULL;
    }
    int error = iteration->ready_first || timeout
                    ? next_ready(iteration, bine_hub_deadline(bine_hub_here(), timeout), &object)
                    : bine_streak_refused(bine_hub_here(), ETIME);
    if (error)
        errno = error == ETIME ? ETIMEDOUT : error;
    return object;
}

static int wait_end_there(struct bine_errand *errand)
{
    bine_iwait_end(errand->object);
    return 0;
}

/* Its watches are linked into queues of its own thread. With that thread they have gone. */
static void wait_end_elsewhere(struct bine_iwait *iteration)
{
    int error = ESRCH;
    if (!bine_hub_gone(iteration->hub, iteration->life))
        error = bine_errand(iteration->hub, &(struct bine_errand){.run = wait_end_there,
                                                                  .verb = "end iteration",
                                                                  .object = iteration,
                                                                  .timeout = BINE_FOREVER,
                                                                  .firm = true});
    if (error == ESRCH)
        free(iteration);
}

void bine_iwait_end(bine_iwait *iteration)
{
    if (!iteration)
        return;
    if (foreign(iteration)) {
        wait_end_elsewhere(iteration);
        return;
    }
    for (size_t i = 0; i < iteration->n; i++) {
        struct watch *watch = &iteration->watches[i];
        bine_waiters_remove(&watch->waiter);
        if (watch->scout)
            bine_kill(watch->scout);
    }
    /* The other threads may be looking at the objects, which may be gone when we return: wait until
     * all have let go. */
    bool gone = true;
    bine_shield_begin();
    for (size_t i = 0; i < iteration->n; i++)
        if (iteration->watches[i].scout)
            gone &= bine_join(iteration->watches[i].scout, NULL, BINE_FOREVER) == 0;
    bine_shield_end();
    if (gone) /* else it is in use for ever: this was called where nothing may wait */
        free(iteration);
}

int bine_park_until_alone(struct bine_hub *hub, int64_t deadline, bool or_stuck)
{
    size_t self = hub->current == hub->root ? 0 : 1;
    while (hub->greenlets > self || hub->engaged) {
        struct bine_waiter waiter = {.greenlet = hub->current, .item = or_stuck ? hub : NULL};
        bine_waiters_push(&hub->empty, &waiter);
        int error = bine_park(hub, "wait for all", 0, deadline, 0);
        bine_waiters_remove(&waiter);
        if (error)
            return error;
    }
    return 0;
}

/* gevent's wait() without objects. */
static ssize_t wait_for_all(struct bine_hub *hub, int64_t timeout)
{
    int error = timeout ? bine_park_until_alone(hub, bine_hub_deadline(hub, timeout), false)
                        : bine_streak_refused(hub, 0);
    if (!error || error == ETIME)
        return 0;
    errno = error;
    return -1;
}

ssize_t bine_wait(void *const *objects, size_t n, void **ready, size_t count, int64_t timeout)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return -1;
    if (timeout < 0) {
        errno = EINVAL;
        return -1;
    }
    if (n == 0)
        return wait_for_all(hub, timeout);
    struct bine_iwait *iteration = bine_iwait_begin(objects, n);
    if (!iteration)
        return -1;
    int64_t deadline = bine_hub_deadline(hub, timeout);
    if (count == 0 || count > n)
        count = n;
    size_t found = 0;
    int error = 0;
    while (found < count) {
        void *object = NULL;
        error = iteration->ready_first || timeout ? next_ready(iteration, deadline, &object)
                                                  : bine_streak_refused(hub, ETIME);
        if (error)
            break;
        if (ready)
            ready[found] = object;
        found++;
    }
    bine_iwait_end(iteration);
    if (error && error != ETIME) {
        errno = error;
        return -1;
    }
    return (ssize_t)found;
}

/*
 * What all synchronisation objects are made of: the header of an object, the taker, and the one way
 * of waiting.
 *
 * The hand-off is direct. A waiter (bine_taker) lies on the waiting greenlet's stack, linked into a
 * queue of the object. The giver pops takers with bine_taker_claim, which unparks the first
 * greenlet that is still parked. From that moment the taker is served, whatever happens to its
 * greenlet before it runs. A greenlet whose park has ended early is no longer parked. So unparking
 * it fails, and the claim tries the next one: nothing is given to a greenlet that no longer waits.
 */
#ifndef BINE_SYNC_OBJECT_H
#define BINE_SYNC_OBJECT_H

#include <bine/object.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/across/errand.h"
#include "core/hub/sanitizer.h"
#include "core/schedule/park.h"
#include "core/schedule/streak.h"
#include "core/schedule/switch.h"

struct bine_object;
struct bine_remote;

struct bine_object_class {
    struct bine_waitable_class waitable; /* first member */
    /* Called in the child after a fork, where every waiter is gone. Forgets the waiters. The
     * watchers are forgotten already. */
    void (*forked)(struct bine_object *object);
    /* Takes what other threads sent (remote.h). NULL: other threads send nothing, they use
     * errands. */
    void (*received)(struct bine_object *object);
    /* Called when its thread ends. NULL: there is nothing to do. */
    void (*ended)(struct bine_object *object);
};

/* The first member of every object. */
struct bine_object {
    struct bine_waitable waitable;
    struct bine_hub *hub;
    struct bine_remote *remote;          /* not NULL: shared */
    bool external;                       /* it is shared: waiting for it is no deadlock */
    bool orphan;                         /* its thread ends or has ended; holds the hub's record */
    struct bine_object *next, *previous; /* all objects of this thread, for a fork */
};

struct bine_taker {
    struct bine_waiter waiter;
    void *item; /* what the waiter is given, or offers */
    /* BINE_UNSERVED until it is served, whatever its park returned. After that it is what the wait
     * returns. */
    int error;
    uint8_t kind; /* belongs to the object: reader or writer, peek or get */
};

enum {
    BINE_UNSERVED = -1
};

/* Was it made to be shared? */
bool bine_object_external(const struct bine_waitable *object);
struct bine_hub *bine_object_hub(const struct bine_waitable *object);
/* Returns a zeroed object of `size` bytes for the calling thread, or NULL with errno. */
void *bine_object_new(size_t size, const struct bine_object_class *class, unsigned flags);
/* Unlinks and frees the object. The caller has checked bine_object_check_free, and that there is no
 * waiter in the object's own queues. Returns 0, or EBUSY (it has watchers). */
int bine_object_free(struct bine_object *object);
/* Only unlinks, for an object whose memory must stay a little longer. */
void bine_object_unlink(struct bine_object *object);

/* Is it an object of the calling thread? The hot paths ask this, and leave it to other functions to
 * find the reason if not. */
static inline bool bine_object_here(const void *object)
{
    return object && ((const struct bine_object *)object)->hub == bine_hub_of_thread;
}

/* Returns 0 if the calling thread may use the object, else EINVAL or EPERM. */
static inline int bine_object_check(const void *object)
{
    if (!object)
        return EINVAL;
    return ((const struct bine_object *)object)->hub == bine_hub_of_thread ? 0 : EPERM;
}

/* Returns 0 if the calling thread may free the object: its own, or that of a thread that has ended.
 * Else returns EINVAL or EPERM. */
static inline int bine_object_check_free(const void *object)
{
    int error = bine_object_check(object);
    return error == EPERM && atomic_load(&((const struct bine_object *)object)->hub->over) ? 0
                                                                                           : error;
}

/* Have its waiters and owners gone with its thread? Only after bine_object_check_free. */
static inline bool bine_object_orphan(const void *object)
{
    const struct bine_object *one = object;
    return one->orphan && one->hub != bine_hub_of_thread;
}

/*
 * What a call does when it cannot be made as on an object of the calling thread: bine_object_check
 * returned `error`, or 0 and the timeout is negative. The object is errand->object. If it is a
 * shared one of another thread the errand is sent there. Returns the result of the public call: 0,
 * or -1 with errno.
 */
int bine_object_elsewhere(int error, struct bine_errand *errand);
/* Does the same for a call that brings back an item. Stores it in *item. */
int bine_object_elsewhere_item(int error, struct bine_errand errand, void **item);
/* For functions that hold such an errand. They are separate functions, so that its room on the
 * stack costs the common case nothing. */
#define BINE_ELSEWHERE static __attribute__((noinline, cold))
/* For the errand's `run` of a public call that returns 0 or -1: returns what the errand returns. */
static inline int bine_outcome(int result)
{
    return result == 0 ? 0 : errno;
}

/* Returns the absolute deadline of a wait (timeout > 0). Does not read the clock if the wait has no
 * limit. */
static inline int64_t bine_object_deadline(const struct bine_object *object, int64_t timeout)
{
    return timeout == BINE_FOREVER ? INT64_MAX : bine_hub_deadline(object->hub, timeout);
}

/* Makes the result of a public function from an error number. The half for errors is a call, so
 * that the other half needs no registers saved. */
int bine_result_failed(int error);
static inline int bine_result(int error)
{
    return __builtin_expect(error == 0, 1) ? 0 : bine_result_failed(error);
}

/* Tells the greenlets that bine_wait for the object that it became ready. */
static inline void bine_object_notify(struct bine_object *object)
{
    if (__builtin_expect(!bine_waiters_empty(&object->waitable.watchers), 0))
        bine_waitable_notify(&object->waitable);
}

/* Continues bine_taker_claim from a waiter that it has popped and could not unpark. That waiter,
 * and those behind it, may belong to parties (party.h). */
struct bine_taker *bine_taker_claim_slowly(struct bine_waiters *queue, struct bine_waiter *waiter);

/* Returns the first taker in the queue that can still be served, popped and made ready to run.
 * Returns NULL if there is none. The caller fills in what it gets (item, error) before anything
 * else runs. */
static inline struct bine_taker *bine_taker_claim(struct bine_waiters *queue)
{
    struct bine_waiter *waiter = bine_waiters_pop(queue);
    if (!waiter)
        return NULL;
    if (__builtin_expect(!bine_unpark_on(bine_hub_of_thread, waiter->greenlet, 0), 0))
        return bine_taker_claim_slowly(queue, waiter);
    struct bine_taker *taker = (struct bine_taker *)waiter;
    taker->error = 0;
    return taker;
}

/* bine_taker_claim for hot paths, which saves them a call. If the first taker that may be served is
 * a party's, sets *party and claims nothing. */
static inline __attribute__((always_inline)) struct bine_taker *bine_taker_claim_quickly(
    struct bine_waiters *queue, bool *party)
{
    struct bine_waiter *waiter;
    *party = false;
    while ((waiter = queue->first)) {
        struct bine_taker *taker = (struct bine_taker *)waiter;
        bool parked = bine_unpark_on(bine_hub_of_thread, waiter->greenlet, 0);
        if (__builtin_expect(!parked && waiter->notify, 0)) {
            *party = true;
            return NULL;
        }
        bine_waiters_drop_first(queue, waiter);
        if (__builtin_expect(parked, 1)) {
            taker->error = 0;
            return taker;
        }
    }
    return NULL;
}

/* Claims them all, each with this error. */
void bine_taker_claim_all(struct bine_waiters *queue, int error);

/*
 * Waits in `queue` until claimed. The caller sets the taker's item and kind before. The rest is set
 * here. Returns the taker's error once it was served. Else returns, with the taker out of the
 * queue, ETIMEDOUT, ECANCELED or EDEADLK. Returns ETIMEDOUT at once if timeout is 0, and EINVAL if
 * it is negative.
 */
int bine_taker_wait(struct bine_object *object, struct bine_waiters *queue,
                    struct bine_taker *taker, const char *verb, int64_t timeout);
/* Does the same with an absolute deadline (INT64_MAX: none). flags: BINE_PARK_*. */
int bine_taker_wait_until(struct bine_object *object, struct bine_waiters *queue,
                          struct bine_taker *taker, const char *verb, int64_t deadline,
                          unsigned flags);
/* Completes a wait that has ended early. Returns what the wait returns. */
int bine_taker_cut_short(struct bine_taker *taker, int error);

/* bine_taker_wait with everything that can be out of the ordinary. */
int bine_taker_wait_slowly(struct bine_object *object, struct bine_waiters *queue,
                           struct bine_taker *taker, const char *verb, int64_t timeout);
/* The two ends of a wait of g, the current greenlet. `error` is what its park returned. */
static inline void bine_taker_enqueue(struct bine_greenlet *g, struct bine_waiters *queue,
                                      struct bine_taker *taker)
{
    taker->waiter.greenlet = g;
    taker->waiter.notify = NULL;
    taker->error = BINE_UNSERVED;
    bine_waiters_push(queue, &taker->waiter);
}

static inline int bine_taker_outcome(struct bine_taker *taker, int error)
{
    int outcome = taker->error;
    return __builtin_expect(outcome != BINE_UNSERVED, 1) ? outcome
                                                         : bine_taker_cut_short(taker, error);
}

/*
 * bine_taker_wait, inlined, for the hot paths. A processor predicts returns from a stack of its
 * own, which does not know of switches. Each frame between the park and the caller whose return
 * address differs from one greenlet to the next costs a misprediction, which is more than all the
 * rest. So hot calls end in a tail call of one function that has this inlined and is the same for
 * both sides.
 */
static inline __attribute__((always_inline)) int bine_taker_wait_inlined(struct bine_object *object,
                                                                         struct bine_waiters *queue,
                                                                         struct bine_taker *taker,
                                                                         const char *verb,
                                                                         int64_t timeout)
{
    struct bine_hub *hub = bine_hub_of_thread;
    struct bine_greenlet *g = hub->current, *next = NULL;
    if (__builtin_expect(timeout == BINE_FOREVER && !object->external, 1))
        next = bine_park_peek(hub, g);
    if (__builtin_expect(next == NULL, 0))
        return bine_taker_wait_slowly(object, queue, taker, verb, timeout);
    bine_taker_enqueue(g, queue, taker);
    int error = bine_park_over(hub, g, verb, (uintptr_t)object, next);
    return bine_taker_outcome(taker, error);
}

/*
 * Makes a function that only calls `body` with its arguments (at most six integers or pointers),
 * and returns by a jump instead of a ret. That saves a large part of a message's time
 * (bench/NOTES.md). A ret is predicted from the processor's return stack, on which the other
 * greenlet's call lies after a switch. That prediction is always wrong. A jump is predicted from
 * history, in which greenlets that take turns show a pattern.
 */
#define BINE_WAIT_BODY __attribute__((noinline, used, visibility("hidden")))
#if defined(__x86_64__) && !defined(BINE_ASAN) && !defined(BINE_TSAN)
#define BINE_WAIT_BY_JUMP(declaration, body, arguments)                                          \
    static __attribute__((naked, noinline)) declaration                                          \
    {                                                                                            \
        __asm__("sub $8, %rsp\n\t.cfi_adjust_cfa_offset 8\n\tcall " #body "\n\tadd $8, %rsp\n\t" \
                ".cfi_adjust_cfa_offset -8\n\tpop %rcx\n\t.cfi_adjust_cfa_offset -8\n\t"         \
                ".cfi_register rip, rcx\n\tnotrack jmp *%rcx");                                  \
    }
#else
#define BINE_WAIT_BY_JUMP(declaration, body, arguments) \
    static __attribute__((noinline)) declaration        \
    {                                                   \
        return body arguments;                          \
    }
#endif

/* Waits until claimed, whatever happens, for operations that must not be left half done. The caller
 * must check before that parking is allowed (hub->no_park). */
void bine_taker_wait_firmly(struct bine_object *object, struct bine_waiters *queue,
                            struct bine_taker *taker, const char *verb);

#endif

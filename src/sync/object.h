/*
 * What all synchronisation objects are made of: the header of an object, the waiter that takes something from
 * whoever wakes it, and the one way of waiting.
 *
 * Direct hand-off. A waiter (bine_taker) lies on the waiting greenlet's stack, linked into a queue of the
 * object. Who has something to give pops takers with bine_taker_claim, which unparks the first greenlet that is
 * still parked; from that moment the taker is served, whatever happens to its greenlet before it runs.
 * A greenlet whose park was cut short earlier is no longer parked, so unparking it fails and the claim goes on
 * to the next: nothing is given to the dead.
 */
#ifndef BINE_SYNC_OBJECT_H
#define BINE_SYNC_OBJECT_H

#include <bine/object.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/across/errand.h"
#include "core/hub/park.h"
#include "core/hub/sanitizer.h"
#include "core/hub/streak.h"
#include "core/hub/switch.h"

struct bine_object;
struct bine_remote;

struct bine_object_class {
    struct bine_waitable_class waitable; /* first */
    /* In the child after fork, where every waiter is gone: forget them. The watchers are forgotten already. */
    void (*forked)(struct bine_object *object);
    /* Take what other threads sent (remote.h). NULL: they send nothing, they have errands. */
    void (*received)(struct bine_object *object);
    /* Its thread ends. NULL: nothing to do. */
    void (*ended)(struct bine_object *object);
};

/* The first member of every object. */
struct bine_object {
    struct bine_waitable waitable;
    struct bine_hub *hub;
    struct bine_remote *remote;          /* not NULL: shared */
    bool external;                       /* shared: waiting for it is no deadlock */
    bool orphan;                         /* its thread is ending, or has; it holds the record of its hub */
    struct bine_object *next, *previous; /* all objects of this thread, for fork */
};

struct bine_taker {
    struct bine_waiter waiter;
    void *item;   /* given to, or offered by, the waiter */
    int error;    /* BINE_UNSERVED until it is served, whatever its park returned; then what the wait returns */
    uint8_t kind; /* the object's own: reader or writer, peek or get */
};

enum {
    BINE_UNSERVED = -1
};

/* Was it made to be shared? */
bool bine_object_external(const struct bine_waitable *object);
struct bine_hub *bine_object_hub(const struct bine_waitable *object);
/* A zeroed object of `size` bytes for the calling thread, or NULL with errno. */
void *bine_object_new(size_t size, const struct bine_object_class *class, unsigned flags);
/* Unlink and free; the caller has checked bine_object_check_free and that nobody waits in its own queues. 0, EBUSY
 * (watchers). */
int bine_object_free(struct bine_object *object);
/* Only unlink, for an object whose memory must stay a little longer. */
void bine_object_unlink(struct bine_object *object);

/* Is it an object of the calling thread? The question of the hot paths, which leave it to others to say why not. */
static inline bool bine_object_here(const void *object)
{
    return object && ((const struct bine_object *)object)->hub == bine_hub_of_thread;
}

/* 0 if the calling thread may use the object, else EINVAL or EPERM. */
static inline int bine_object_check(const void *object)
{
    if (!object)
        return EINVAL;
    return ((const struct bine_object *)object)->hub == bine_hub_of_thread ? 0 : EPERM;
}

/* 0 if the calling thread may free the object: its own, or one of a thread that has ended. Else EINVAL or EPERM. */
static inline int bine_object_check_free(const void *object)
{
    int error = bine_object_check(object);
    return error == EPERM && atomic_load(&((const struct bine_object *)object)->hub->over) ? 0 : error;
}

/* Whoever waits for it, or has it, is gone with its thread. Only after bine_object_check_free. */
static inline bool bine_object_orphan(const void *object)
{
    const struct bine_object *one = object;
    return one->orphan && one->hub != bine_hub_of_thread;
}

/*
 * What a call on an object does when it cannot be done as on an object of one's own: bine_object_check said `error`, or 0
 * and the timeout is negative. The object is errand->object; if it is a shared one of another thread the errand is sent
 * there. The result of the public call: 0, or -1 with errno.
 */
int bine_object_elsewhere(int error, struct bine_errand *errand);
/* The same for a call that brings back an item, to be stored in *item. */
int bine_object_elsewhere_item(int error, struct bine_errand errand, void **item);
/* For functions that hold such an errand: apart, so that its room on the stack costs the common case nothing. */
#define BINE_ELSEWHERE static __attribute__((noinline, cold))
/* The caller's `there` for a public call that returns 0 or -1: what the errand returns. */
static inline int bine_outcome(int result)
{
    return result == 0 ? 0 : errno;
}

/* The absolute deadline of a wait (timeout > 0), without a look at the clock where there is none. */
static inline int64_t bine_object_deadline(const struct bine_object *object, int64_t timeout)
{
    return timeout == BINE_FOREVER ? INT64_MAX : bine_hub_deadline(object->hub, timeout);
}

/* An error number becomes the result of a public function. The error's half is a call, so that the other needs no registers saved. */
int bine_result_failed(int error);
static inline int bine_result(int error)
{
    return __builtin_expect(error == 0, 1) ? 0 : bine_result_failed(error);
}

/* Tell those who bine_wait for the object that it became ready. */
static inline void bine_object_notify(struct bine_object *object)
{
    if (__builtin_expect(!bine_waiters_empty(&object->waitable.watchers), 0))
        bine_waitable_notify(&object->waitable);
}

/* bine_taker_claim, from a waiter on that it has popped and could not unpark: it, and those behind it, may be parties' (party.h). */
struct bine_taker *bine_taker_claim_slowly(struct bine_waiters *queue, struct bine_waiter *waiter);

/* The first taker in the queue that can still be served, popped and made ready to run; NULL: there is none. The
 * caller fills in what it gets (item, error) before anything else runs. */
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

/* bine_taker_claim for hot paths, which are spared a call: *party, and nothing is claimed, if a party's taker is the first that may be served. */
static inline __attribute__((always_inline)) struct bine_taker *bine_taker_claim_quickly(struct bine_waiters *queue,
                                                                                         bool *party)
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

/* Claim them all, each with this error. */
void bine_taker_claim_all(struct bine_waiters *queue, int error);

/*
 * Wait in `queue` until claimed. The taker's item and kind are the caller's to set before; the rest is set
 * here. Returns the taker's error once it was served, or, with the taker out of the queue, ETIMEDOUT,
 * ECANCELED, EDEADLK; ETIMEDOUT at once if timeout is 0; EINVAL if it is negative.
 */
int bine_taker_wait(struct bine_object *object, struct bine_waiters *queue, struct bine_taker *taker, const char *verb,
                    int64_t timeout);
/* The same with an absolute deadline (INT64_MAX: none). flags: BINE_PARK_*. */
int bine_taker_wait_until(struct bine_object *object, struct bine_waiters *queue, struct bine_taker *taker,
                          const char *verb, int64_t deadline, unsigned flags);
/* The rest of a wait that was cut short: what it returns. */
int bine_taker_cut_short(struct bine_taker *taker, int error);

/* bine_taker_wait with everything that can be out of the ordinary. */
int bine_taker_wait_slowly(struct bine_object *object, struct bine_waiters *queue, struct bine_taker *taker,
                           const char *verb, int64_t timeout);
/* The two ends of a wait of g, the current greenlet. `error`: what its park returned. */
static inline void bine_taker_enqueue(struct bine_greenlet *g, struct bine_waiters *queue, struct bine_taker *taker)
{
    taker->waiter.greenlet = g;
    taker->waiter.notify = NULL;
    taker->error = BINE_UNSERVED;
    bine_waiters_push(queue, &taker->waiter);
}

static inline int bine_taker_outcome(struct bine_taker *taker, int error)
{
    int outcome = taker->error;
    return __builtin_expect(outcome != BINE_UNSERVED, 1) ? outcome : bine_taker_cut_short(taker, error);
}

/*
 * bine_taker_wait, inlined, for the hot paths. A processor predicts returns from a stack of its own, which does not
 * know of switches: each frame between the park and the caller whose return address differs from one greenlet
 * to the next costs a misprediction, more than all the rest. So hot calls end in a tail call of one function
 * that has this inlined and is the same for both sides.
 */
static inline __attribute__((always_inline)) int bine_taker_wait_inlined(struct bine_object *object,
                                                                         struct bine_waiters *queue,
                                                                         struct bine_taker *taker, const char *verb,
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
 * A function that only calls `body` with its arguments (at most six integers or pointers), and returns by a
 * jump instead of a ret: a fifth of a message's time. A ret is predicted from the processor's return stack, on
 * which the other greenlet's call lies after a switch: always wrong. A jump is predicted from history, in which
 * greenlets that take turns show a pattern.
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

/* Wait until claimed, whatever happens: for what must not be left half done. Not where parking is not allowed
 * (hub->no_park): ask before. */
void bine_taker_wait_firmly(struct bine_object *object, struct bine_waiters *queue, struct bine_taker *taker,
                            const char *verb);

#endif

/*
 * The greenlet record. It lives apart from its stack: a greenlet that has not started, or has ended, owns no
 * stack, so spawning many short ones reuses one hot stack and finished ones cost only this record.
 */
#ifndef BINE_CORE_HUB_GREENLET_H
#define BINE_CORE_HUB_GREENLET_H

#include <assert.h>
#include <bine/greenlet.h>

#include "arch/context.h"
#include "core/stack/stack.h"
#include "sanitizer.h"
#include "waitable.h"

struct bine_hub;
struct bine_link;
struct bine_locals;

enum bine_state {
    BINE_NEW,    /* spawned, waiting in the ready queue or for its delay, without a stack */
    BINE_READY,  /* in the ready queue, or the current one: nobody asks for the difference on the hot path */
    BINE_PARKED, /* only a wake or its timer brings it back */
    BINE_DEAD,
};

/* Slots for layers above core, which knows nothing of what they hold. */
enum bine_slot {
    BINE_SLOT_PATCH,    /* src/patch: signal mask, thread identity ... */
    BINE_SLOT_PYTHON,   /* the Python extension: its greenlet object */
    BINE_SLOT_THREAD,   /* src/patch: what libc keeps in a thread's descriptor */
    BINE_SLOT_EXCHANGE, /* of a greenlet that has left: what hub->exchange put away */
    BINE_SLOTS
};

/* Ordered by cache lines: what a switch touches lies in the first, what a short life touches in the first two. */
struct bine_greenlet {
    _Alignas(64) struct bine_waitable waitable; /* first: joiners; see waitable.h */
    struct bine_arch_context context;           /* while not running; sp NULL: has not run yet */
    uint32_t timer; /* its own for good, of the hub's: the deadline of the current park, or of the delayed start */
    struct bine_hub *hub;
    union {
        struct {
            uint8_t state;      /* enum bine_state */
            uint8_t flags;      /* BINE_G_* */
            uint8_t park_flags; /* of the current park */
            uint8_t attention;  /* BINE_A_*: what a park must look at before it waits; mostly 0 */
        };
        uint32_t condition; /* all four: BINE_END_WITH_CARE is one question */
    };
    int wake_error; /* what the current park returns */
    union {
        bine_run *run;                   /* what it will run, and once it runs ... */
        const char *verb;                /* ... why it is parked: "recv fd", and in `object` 7 */
        struct bine_greenlet *next_free; /* of the records that are free */
    };

    void *arg; /* the argument, later the value */
    const char *site;
    struct bine_greenlet *all_next, *all_previous; /* the hub's list of greenlets that have not ended */
    struct bine_stack *stack;                      /* NULL: none, or the thread's own */
    int error;
    uint16_t shields;
    uint8_t stack_class;
    uint8_t interrupt;             /* one-shot error number for the next park that can be interrupted, 0: none */
    struct bine_timeout *timeouts; /* innermost scope */
    unsigned references;
    unsigned interruptions; /* bine_interruptions: how many waits of whoever had this record were ended */

    union {
        uintptr_t object;           /* see verb */
        void (*discard)(void *arg); /* while it is new, if BINE_G_DISCARD: see bine_spawn_options */
    };
    /* What most greenlets never have. Empty unless `flags` or `attention` say so, that a new record need not clear it. */
    char *name;
    struct bine_link *links;
    struct bine_locals *locals;
    void *slots[BINE_SLOTS];
    struct bine_sanitizer sanitizer; /* empty unless built with one */
};

enum {
    BINE_G_ROOT = 1 << 0,   /* the thread's own stack */
    BINE_G_NAMED = 1 << 1,  /* `name` is the bare name that was given, not the full text yet */
    BINE_G_HIDDEN = 1 << 2, /* a helper of the runtime: not counted, no deadlock report, no dump */
    /* pthread_self, where threads are greenlets, answers with the real thread's for now. */
    BINE_G_MAIN_IDENTITY = 1 << 3,
    BINE_G_FORKED = 1 << 4,     /* a root that was an ordinary greenlet when it forked: it keeps its identity */
    BINE_G_BELONGINGS = 1 << 5, /* has a name, links, locals, something in a slot: more to do at its end */
    BINE_G_LOADING = 1 << 6,    /* inside libc's loader: a thread that needs that would wait for it */
    BINE_G_DISCARD = 1 << 7,    /* spawned with `discard` */
};

enum {
    BINE_A_KILLED = 1 << 0,
    BINE_A_SCOPE = 1 << 1,     /* `timeouts` is not NULL */
    BINE_A_INTERRUPT = 1 << 2, /* `interrupt` is not 0 */
    BINE_A_CALLBACK = 1 << 3,  /* runs a callback that may not wait: parks that are not firm fail with EDEADLK */
    BINE_A_SHIELD = 1 << 4,    /* `shields` is not 0 */
};

/* Of `condition`: at its end there is more to do than to tell those who wait. */
#define BINE_END_WITH_CARE ((uint32_t)BINE_G_BELONGINGS << 8 | (uint32_t)(BINE_A_SCOPE | BINE_A_SHIELD) << 24)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "where flags and attention lie in `condition`");

static inline void bine_greenlet_keep(struct bine_greenlet *g, enum bine_slot slot, void *value)
{
    g->slots[slot] = value;
    g->flags |= BINE_G_BELONGINGS;
}

/* From now on g is a helper of the runtime, as if it had ended: those who wait for the hub to be empty are told. And back again: it
 * counts as if it had just been spawned. */
void bine_greenlet_hide(struct bine_greenlet *g);
void bine_greenlet_show(struct bine_greenlet *g);

/* bine_spawn_with for language runtimes: the BINE_STACK_ROOM bytes from g->stack->top upwards are the greenlet's own from its first step
 * to its end. */
struct bine_greenlet *bine_spawn_with_room(const bine_spawn_options *options, bine_run *run, void *arg,
                                           const char *site);

/* g, which is new, is not to discard its argument. */
static inline void bine_greenlet_keep_argument(struct bine_greenlet *g)
{
    g->flags &= (uint8_t)~BINE_G_DISCARD;
}

/* Set a hook that runs when a greenlet ends, before its joiners wake, on its own stack; hooks may not park.
 * For layers above that keep something in a slot. At most one per slot. */
void bine_greenlet_on_end(enum bine_slot slot, void (*ended)(struct bine_greenlet *g));

/* Of every greenlet's waitable. */
extern const struct bine_waitable_class bine_greenlet_class;

/* The first function on every greenlet's stack: runs hub->current and whatever greenlets take over its stack; returns the
 * context to continue then (a bine_arch_entry). */
struct bine_arch_context *bine_greenlet_enter(void);
/* End the current greenlet. */
_Noreturn void bine_greenlet_finish(struct bine_hub *hub, void *value, int error);
/* The root record of a new hub. NULL: ENOMEM. */
struct bine_greenlet *bine_greenlet_new_root(struct bine_hub *hub);
/* Nobody knows g any more. */
void bine_greenlet_free(struct bine_greenlet *g);
/* Drop one reference; frees the record with the last one. */
static inline void bine_greenlet_release(struct bine_greenlet *g)
{
    assert(g->references > 0);
    if (--g->references == 0)
        bine_greenlet_free(g);
}
/* End g, which never ran or never will again, from outside (killed before its start, abandoned by fork or hub end):
 * links and joiners are told. */
void bine_greenlet_abandon(struct bine_greenlet *g, int error);

/* Blocks of a layer above that a greenlet can leave open: does g have any, and close them, waiting for what they wait for. */
struct bine_block_class {
    bool (*any)(const struct bine_greenlet *g);
    void (*close)(struct bine_greenlet *g);
};
void bine_greenlet_on_left_open(const struct bine_block_class *class);
/* Say on standard error what g has left open; close it. */
void bine_greenlet_report_open(struct bine_greenlet *g);
void bine_greenlet_report_block(struct bine_greenlet *g);
void bine_greenlet_close_open(struct bine_greenlet *g);

/* Parts of ending a greenlet that live in files of their own. */
void bine_links_run(struct bine_greenlet *g);
void bine_links_free(struct bine_greenlet *g);
void bine_locals_destroy(struct bine_greenlet *g);

#endif

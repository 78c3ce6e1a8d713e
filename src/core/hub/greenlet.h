/*
 * The greenlet's record.
 *
 * The record lives apart from the stack. A greenlet that has not started, or has ended, owns no
 * stack. So many short greenlets that are spawned one after the other use the same stack, which
 * stays in the cache, and a greenlet that has ended costs only its record.
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
/* A greenlet's values by their keys (core/local.c). */
struct bine_local {
    unsigned sequence; /* of the key, when the value was set */
    void *value;
};
struct bine_locals {
    /* Runs the destructors at the end of g, and frees this. They may park: g is still alive. */
    void (*destroy)(struct bine_greenlet *g);
    unsigned count;
    struct bine_local values[];
};

enum bine_state {
    BINE_NEW, /* spawned, waiting in the ready queue or for its delay, without a stack */
    /* in the ready queue, or the current greenlet: the hot path never needs to tell these apart */
    BINE_READY,
    BINE_PARKED, /* only a wake or its timer brings it back */
    BINE_DEAD,
};

/* Slots for layers above core. Core does not know what they hold. */
enum bine_slot {
    BINE_SLOT_PATCH,  /* src/patch: signal mask, thread identity ... */
    BINE_SLOT_PYTHON, /* the Python extension: its greenlet object */
    BINE_SLOT_THREAD, /* src/patch: what libc keeps in a thread's descriptor */
    /* What other greenlets of the thread share, and this one has for itself: what hub->exchange has
     * put away while the greenlet does not run, or a thread of its own (own.h). */
    BINE_SLOT_APART,
    BINE_SLOTS
};

/* The members are ordered by cache lines. What a switch touches lies in the first line. What a
 * short life touches lies in the first two. */
struct bine_greenlet {
    /* first member; its watchers are the joiners (waitable.h) */
    _Alignas(64) struct bine_waitable waitable;
    /* valid while the greenlet does not run; sp is NULL if it has not run yet */
    struct bine_arch_context context;
    /* The number of its timer, which it keeps for good. The timer serves the deadline of the
     * current park, or the delayed start. */
    uint32_t timer;
    struct bine_hub *hub;
    union {
        struct {
            uint8_t state;      /* enum bine_state */
            uint8_t flags;      /* BINE_G_* */
            uint8_t park_flags; /* the flags of the current park */
            uint8_t attention;  /* BINE_A_*: what a park must look at before it waits; mostly 0 */
        };
        uint32_t condition; /* all four in one word, so that BINE_END_WITH_CARE is one test */
    };
    int wake_error; /* what the current park returns */
    union {
        bine_run *run;                   /* the function to run, until it runs */
        const char *verb;                /* why it is parked: "recv fd", and in `object` 7 */
        struct bine_greenlet *next_free; /* for a free record: the next free one */
    };

    void *arg; /* the argument, and after the end the value */
    const char *site;
    /* the hub's list of greenlets that have not ended */
    struct bine_greenlet *all_next, *all_previous;
    struct bine_stack *stack; /* NULL if it has none, or runs on the thread's own */
    union {
        int error; /* after its end */
        /* Until then, the number of the timer of the greenlet that spawned it. A record that was
         * given to another greenlet since is told by the order of the hub's list: a greenlet is
         * older than those that it spawns. UINT32_MAX: a callback spawned it. */
        uint32_t spawner;
    };
    uint16_t shields;
    uint8_t stack_class;
    /* The error number with which the next park that can be interrupted fails, once. 0: none. */
    uint8_t interrupt;
    struct bine_timeout *timeouts; /* the innermost scope */
    unsigned references;
    /* bine_interruptions: how many waits were ended, of all greenlets that have had this record */
    unsigned interruptions;

    union {
        uintptr_t object; /* see verb */
        /* valid while it is new and has BINE_G_DISCARD: see bine_spawn_options */
        void (*discard)(void *arg);
    };
    /* What most greenlets never have. These members are valid only if `flags` or `attention` say
     * so. So a new record need not clear them. */
    char *name;
    struct bine_link *links;
    struct bine_locals *locals;
    void *slots[BINE_SLOTS];
    struct bine_sanitizer sanitizer; /* empty unless the library is built with a sanitizer */
};

enum {
    BINE_G_ROOT = 1 << 0,  /* it runs on the thread's own stack */
    BINE_G_NAMED = 1 << 1, /* `name` is the bare name that was given, and not yet the full text */
    /* a helper of the runtime: it is not counted, and reports and dumps leave it out */
    BINE_G_HIDDEN = 1 << 2,
    /* For now pthread_self answers with the real thread's identity, although threads are
     * greenlets. */
    BINE_G_MAIN_IDENTITY = 1 << 3,
    /* a root that was an ordinary greenlet when it forked: it keeps its identity */
    BINE_G_FORKED = 1 << 4,
    /* has a name, links, locals or something in a slot, so its end has more to do */
    BINE_G_BELONGINGS = 1 << 5,
    /* inside libc's loader: a thread that needs the loader would wait for it */
    BINE_G_LOADING = 1 << 6,
    BINE_G_DISCARD = 1 << 7, /* was spawned with `discard` */
};

enum {
    BINE_A_KILLED = 1 << 0,
    BINE_A_SCOPE = 1 << 1,     /* `timeouts` is not NULL */
    BINE_A_INTERRUPT = 1 << 2, /* `interrupt` is not 0 */
    /* it runs a callback that may not wait: its parks fail with EDEADLK unless they are firm */
    BINE_A_CALLBACK = 1 << 3,
    BINE_A_SHIELD = 1 << 4, /* `shields` is not 0 */
};

/* The stack_class of a greenlet that runs on the stack of a thread of its own (own.h). */
enum {
    BINE_CLASS_OWN = UINT8_MAX
};

/* A mask for `condition`: if one of these bits is set, the end of the greenlet has more to do than
 * to wake its joiners. */
#define BINE_END_WITH_CARE \
    ((uint32_t)BINE_G_BELONGINGS << 8 | (uint32_t)(BINE_A_SCOPE | BINE_A_SHIELD) << 24)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "where flags and attention lie in `condition`");

static inline void bine_greenlet_keep(struct bine_greenlet *g, enum bine_slot slot, void *value)
{
    g->slots[slot] = value;
    g->flags |= BINE_G_BELONGINGS;
}

/* bine_greenlet_hide makes g a helper of the runtime from now on, as if it had ended: greenlets
 * that wait for the hub to be empty are told. bine_greenlet_show takes that back: g counts as if it
 * had just been spawned. */
void bine_greenlet_hide(struct bine_greenlet *g);
void bine_greenlet_show(struct bine_greenlet *g);

/* Does what bine_spawn_with does, for language runtimes. The BINE_STACK_ROOM bytes from
 * g->stack->top upwards belong to the greenlet from its first step to its end. */
struct bine_greenlet *bine_spawn_with_room(const bine_spawn_options *options, bine_run *run,
                                           void *arg, const char *site);

/* Tells g, which is new, not to discard its argument. */
static inline void bine_greenlet_keep_argument(struct bine_greenlet *g)
{
    g->flags &= (uint8_t)~BINE_G_DISCARD;
}

/* Sets the function that runs when a greenlet ends, before its joiners are woken, on the greenlet's
 * own stack. The function may not park. It serves layers above core that keep something in a slot.
 * Each slot has at most one. */
void bine_greenlet_on_end(enum bine_slot slot, void (*ended)(struct bine_greenlet *g));

/* The class of every greenlet's waitable. */
extern const struct bine_waitable_class bine_greenlet_class;

/* The first function on every greenlet's stack. Runs hub->current, and then each greenlet that
 * takes over its stack. Returns the context to continue after that (a bine_arch_entry). */
struct bine_arch_context *bine_greenlet_enter(void);
/* Ends the current greenlet. */
_Noreturn void bine_greenlet_finish(struct bine_hub *hub, void *value, int error);
/* Makes the root's record of a new hub. Returns NULL for ENOMEM. */
struct bine_greenlet *bine_greenlet_new_root(struct bine_hub *hub);
/* Frees g, which nothing refers to any more. */
void bine_greenlet_free(struct bine_greenlet *g);
/* Drops one reference. The last one frees the record. */
static inline void bine_greenlet_release(struct bine_greenlet *g)
{
    assert(g->references > 0);
    if (--g->references == 0)
        bine_greenlet_free(g);
}
/* Ends g from outside. g never ran, or never will again: it was killed before its start, or a fork
 * or the hub's end abandoned it. Its links run and its joiners are woken. */
void bine_greenlet_abandon(struct bine_greenlet *g, int error);

/* Blocks of a layer above that a greenlet can leave open. `any` says whether g has any. `close`
 * closes them and waits for what they wait for. */
struct bine_block_class {
    bool (*any)(const struct bine_greenlet *g);
    void (*close)(struct bine_greenlet *g);
};
void bine_greenlet_on_left_open(const struct bine_block_class *class);
/* bine_greenlet_report_open says on standard error what g has left open. bine_greenlet_close_open
 * closes it. */
void bine_greenlet_report_open(struct bine_greenlet *g);
void bine_greenlet_report_block(struct bine_greenlet *g);
void bine_greenlet_close_open(struct bine_greenlet *g);

/* Parts of the end of a greenlet that live in files of their own. */
void bine_links_run(struct bine_greenlet *g);
void bine_links_free(struct bine_greenlet *g);

#endif

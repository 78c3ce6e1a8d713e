/*
 * Stacks: large and virtual, committed by the kernel page by page as they are touched, carved from slabs, with
 * a guard below each, pooled per size.
 */
#ifndef BINE_CORE_STACK_STACK_H
#define BINE_CORE_STACK_STACK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stack grows from `top` (where a greenlet's frames begin) down to its bottom, the first usable byte; the guard lies below. */
struct bine_stack {
    struct bine_slab *slab;
    char *top;
    uint32_t index; /* within the slab */
    bool touched;   /* may have pages */
};

enum {
    BINE_STACK_SIZES = 17, /* 16 KiB to 1 GiB, powers of two */
    BINE_STACK_CLASSES = 2 * BINE_STACK_SIZES,
    /*
     * Stacks of the second half of the classes have so many bytes of room above their top, which are the greenlet's: a language
     * runtime lets its own frames grow up from where those of C grow down. The top then lies in the middle of a
     * page, and a greenlet whose frames are few of both touches one page instead of two.
     */
    BINE_STACK_ROOM = 16384,
};

/* The stacks of one size. Free ones are kept in an array used as a LIFO: the hottest is taken first, the coldest lie at the
 * front, where trimming finds them. */
struct bine_stack_class {
    struct bine_stack **free;
    size_t free_count, free_room;
    size_t least_free; /* since the last trim: these were not needed */
    size_t slots;      /* with a guard: in the free array or taken */
    size_t reserved;
    struct bine_slab *slabs;
};

struct bine_stacks {
    struct bine_stack_class classes[BINE_STACK_CLASSES];
    int64_t next_trim;
};

/* The stacks of one hub: no locking. NULL: ENOMEM. */
struct bine_stacks *bine_stacks_new(void);
void bine_stacks_free(struct bine_stacks *stacks);

/* Which pool serves stacks of `size` bytes (0: the default), with room above the top or without: an index, or -1 with EINVAL. */
int bine_stacks_class(size_t size, bool room);

/* The size for those that expect what a thread gets: BINE_STACK_SIZE, or libc's default for a thread (RLIMIT_STACK at the program's start as a
 * rule, or what pthread_setattr_default_np has set), 1 GiB at most. */
size_t bine_stacks_thread_size(void);

/* At least one more stack of this class, each with its guard. 0, or -1 with ENOMEM. */
int bine_stacks_grow(struct bine_stacks *stacks, int class);

/*
 * A greenlet reserves a stack when it is spawned and takes it when it first runs, so that taking cannot fail
 * and greenlets that have not run share the stacks of those that have. reserve: 0 or -1 with ENOMEM.
 */
static inline int bine_stacks_reserve(struct bine_stacks *stacks, int class)
{
    struct bine_stack_class *c = &stacks->classes[class];
    if (__builtin_expect(c->reserved == c->slots, 0) && bine_stacks_grow(stacks, class) < 0)
        return -1;
    c->reserved++;
    return 0;
}

static inline void bine_stacks_unreserve(struct bine_stacks *stacks, int class)
{
    assert(stacks->classes[class].reserved > 0);
    stacks->classes[class].reserved--;
}

static inline struct bine_stack *bine_stacks_take(struct bine_stacks *stacks, int class)
{
    struct bine_stack_class *c = &stacks->classes[class];
    assert(c->free_count > 0);
    struct bine_stack *stack = c->free[--c->free_count];
    if (c->free_count < c->least_free)
        c->least_free = c->free_count;
    stack->touched = true;
    return stack;
}

/* Give a stack of this class back, still reserved. The caller may be running on it until it switches away. */
static inline void bine_stacks_give(struct bine_stacks *stacks, int class, struct bine_stack *stack)
{
    struct bine_stack_class *c = &stacks->classes[class];
    assert(c->free_count < c->free_room);
    c->free[c->free_count++] = stack;
}

/* Give memory of stacks that were not needed lately back to the kernel, a part at a time. Called from idle turns; returns when to
 * call again (absolute ns), INT64_MAX if there is nothing more to give. */
int64_t bine_stacks_trim(struct bine_stacks *stacks, int64_t now);
/* Is there anything that trim might give back? Cheap. */
bool bine_stacks_trimmable(const struct bine_stacks *stacks);

char *bine_stack_bottom(const struct bine_stack *stack);
size_t bine_stack_size(const struct bine_stack *stack);
/* What its pool is for, and so what was asked for at most. Async-signal-safe. */
size_t bine_stack_asked(const struct bine_stack *stack);
int bine_stack_class_of(const struct bine_stack *stack);
/* Bytes touched since the memory was last given back, to the page. */
size_t bine_stack_touched(const struct bine_stack *stack);
/* Give back what previous users touched below the page of the top (BINE_STACK_WATERMARK). */
void bine_stack_clean(const struct bine_stack *stack);
/* Is this address in the stack's guard? Async-signal-safe. */
bool bine_stack_guards(const struct bine_stack *stack, const void *address);
/* Has a stack pointer left this stack at its lower end, perhaps over the guard and into a neighbour's? Async-signal-safe. */
bool bine_stack_overran(const struct bine_stack *stack, uintptr_t pointer);

/* Install the handler that reports overflows by name, and this thread's alternate signal stack. */
int bine_overflow_watch_thread(void);
void bine_overflow_unwatch_thread(void);

#endif

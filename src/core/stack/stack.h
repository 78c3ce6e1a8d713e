/*
 * Stacks.
 *
 * A stack is large and virtual, and the kernel commits it page by page as it is touched. Stacks are
 * cut from slabs, have a guard below each, and are pooled by size.
 */
#ifndef BINE_CORE_STACK_STACK_H
#define BINE_CORE_STACK_STACK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stack grows from `top`, where a greenlet's frames begin, down to its bottom, the first usable
 * byte. The guard lies below the bottom. */
struct bine_stack {
    struct bine_slab *slab;
    char *top;
    uint32_t index; /* within the slab */
    bool touched;   /* may have pages */
};

enum {
    BINE_STACK_SIZES = 17, /* powers of two from 16 KiB to 1 GiB */
    BINE_STACK_CLASSES = 2 * BINE_STACK_SIZES,
    /*
     * Stacks of the second half of the classes have this many bytes of room above their top. The
     * room belongs to the greenlet: a language runtime lets its own frames grow up from the place
     * where the frames of C grow down. The top then lies in the middle of a page, so a greenlet
     * that has few frames of both kinds touches one page instead of two.
     */
    BINE_STACK_ROOM = 16384,
};

/* The stacks of one size. The free ones are kept in an array that is used as a LIFO. The stack that
 * was used last is taken first. The stacks that were not used for longest lie at the front, where
 * trimming finds them. */
struct bine_stack_class {
    struct bine_stack **free;
    size_t free_count, free_room;
    /* the least free_count since the last trim: so many stacks were not needed */
    size_t least_free;
    size_t slots; /* stacks that have a guard, free or taken */
    size_t reserved;
    struct bine_slab *slabs;
};

struct bine_stacks {
    struct bine_stack_class classes[BINE_STACK_CLASSES];
    int64_t next_trim;
};

/* The stacks of one hub, which needs no lock for them. Returns NULL for ENOMEM. */
struct bine_stacks *bine_stacks_new(void);
void bine_stacks_free(struct bine_stacks *stacks);

/* Returns the index of the pool that serves stacks of `size` bytes (0: the default), with room
 * above the top or without. Returns -1 with EINVAL if there is none. */
int bine_stacks_class(size_t size, bool room);

/* The stack size for code that expects the stack of a thread: BINE_STACK_SIZE, or libc's default
 * for a thread. That default is as a rule RLIMIT_STACK at the program's start, or what
 * pthread_setattr_default_np has set. The result is at most 1 GiB. */
size_t bine_stacks_thread_size(void);

/* Makes at least one more stack of this class, each with its guard. Returns 0, or -1 with
 * ENOMEM. */
int bine_stacks_grow(struct bine_stacks *stacks, int class);

/*
 * A greenlet reserves a stack when it is spawned and takes it when it first runs. So taking a stack
 * cannot fail, and greenlets that have not run share the stacks of those that have.
 * bine_stacks_reserve returns 0, or -1 with ENOMEM.
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

/* Gives a stack of this class back, which stays reserved. The caller may be running on it until it
 * switches away. */
static inline void bine_stacks_give(struct bine_stacks *stacks, int class, struct bine_stack *stack)
{
    struct bine_stack_class *c = &stacks->classes[class];
    assert(c->free_count < c->free_room);
    c->free[c->free_count++] = stack;
}

/* Gives memory of stacks that were not needed lately back to the kernel, a part at a time. Turns
 * that have nothing to do call it. Returns when to call it again (absolute ns), or INT64_MAX if
 * there is nothing more to give. */
int64_t bine_stacks_trim(struct bine_stacks *stacks, int64_t now);
/* Is there anything that trim might give back? This is cheap to ask. */
bool bine_stacks_trimmable(const struct bine_stacks *stacks);

char *bine_stack_bottom(const struct bine_stack *stack);
size_t bine_stack_size(const struct bine_stack *stack);
/* The size of the stacks in its pool, which is the most that the spawner can have asked for.
 * Async-signal-safe. */
size_t bine_stack_asked(const struct bine_stack *stack);
int bine_stack_class_of(const struct bine_stack *stack);
/* The bytes that were touched since the memory was last given back, rounded to pages. */
size_t bine_stack_touched(const struct bine_stack *stack);
/* Gives back the pages that previous users touched below the page of the top
 * (BINE_STACK_WATERMARK). */
void bine_stack_clean(const struct bine_stack *stack);
/* Is this address in the stack's guard? Async-signal-safe. */
bool bine_stack_guards(const struct bine_stack *stack, const void *address);
/* Has this stack pointer left the stack at its lower end, perhaps over the guard and into a
 * neighbour's stack? Async-signal-safe. */
bool bine_stack_overran(const struct bine_stack *stack, uintptr_t pointer);

#endif

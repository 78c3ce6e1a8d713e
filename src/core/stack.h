/*
 * Stacks: large and virtual, committed by the kernel page by page as they are touched, carved from slabs, with
 * a guard below each, pooled per size.
 */
#ifndef BINE_CORE_STACK_H
#define BINE_CORE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stack grows from `top` (where a greenlet's frames begin) down to `bottom`, the first usable byte; the
 * guard lies below. top is NULL for "none". */
struct bine_stack {
    char *top;
    struct bine_stack_slot *slot; /* opaque to others */
};

struct bine_stacks;

/* The stacks of one hub: no locking. NULL: ENOMEM. */
struct bine_stacks *bine_stacks_new(void);
void bine_stacks_free(struct bine_stacks *stacks);

/* Which pool serves stacks of `size` bytes (0: the default): an index, or -1 with EINVAL. */
int bine_stacks_class(size_t size);

/*
 * A greenlet reserves a stack when it is spawned and takes it when it first runs, so that taking cannot fail
 * and greenlets that have not run share the stacks of those that have. reserve: 0 or -1 with ENOMEM.
 */
int bine_stacks_reserve(struct bine_stacks *stacks, int class);
void bine_stacks_unreserve(struct bine_stacks *stacks, int class);
struct bine_stack bine_stacks_take(struct bine_stacks *stacks, int class);
/* Give the stack back, still reserved. The caller may be running on it until it switches away. */
void bine_stacks_give(struct bine_stacks *stacks, struct bine_stack stack);

/* Give memory of stacks that were not needed lately back to the kernel, a part at a time. Called from idle turns; returns when to
 * call again (absolute ns), INT64_MAX if there is nothing more to give. */
int64_t bine_stacks_trim(struct bine_stacks *stacks, int64_t now);
/* Is there anything that trim might give back? Cheap. */
bool bine_stacks_trimmable(const struct bine_stacks *stacks);

char *bine_stack_bottom(struct bine_stack stack);
size_t bine_stack_size(struct bine_stack stack);
int bine_stack_class_of(struct bine_stack stack);
/* Bytes touched since the memory was last given back, to the page. */
size_t bine_stack_touched(struct bine_stack stack);
/* Give back what previous users touched below the page of the top (BINE_STACK_WATERMARK). */
void bine_stack_clean(struct bine_stack stack);
/* Is this address in the stack's guard? Async-signal-safe. */
bool bine_stack_guards(struct bine_stack stack, const void *address);

/* Install the handler that reports overflows by name, and this thread's alternate signal stack. */
int bine_overflow_watch_thread(void);
void bine_overflow_unwatch_thread(void);

#endif

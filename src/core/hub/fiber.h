/*
 * AddressSanitizer in the program but not in the library: it keeps the bounds of the stack that runs, and has to be told of each switch,
 * or it takes a greenlet's frames for overflows. Its calls are weak references. Where they resolve, each hub switches by the way of those that
 * exchange something, which announces the switch; others do not notice.
 *
 * A library that is itself built with a sanitizer announces in the switch (sanitizer.h), and only the last of these does something.
 */
#ifndef BINE_CORE_HUB_FIBER_H
#define BINE_CORE_HUB_FIBER_H

#include "hub.h"

#ifdef BINE_ASAN
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
#define bine_greenlet_entry bine_greenlet_enter
static inline void bine_fibers_begin(struct bine_hub *hub)
{
    (void)hub;
}
static inline void bine_fiber_leave(struct bine_hub *hub, void **fake_stack, const struct bine_greenlet *to)
{
    (void)hub, (void)fake_stack, (void)to;
}
static inline void bine_fiber_arrive(void *fake_stack)
{
    (void)fake_stack;
}
static inline void bine_fiber_forget(const struct bine_stack *stack)
{
    __asan_unpoison_memory_region(bine_stack_bottom(stack), bine_stack_size(stack));
}
#else
/* The first function on a fresh stack: bine_greenlet_enter, or one that says first that it has arrived. */
extern __attribute__((visibility("hidden"))) bine_arch_entry *bine_greenlet_entry;

/* A new hub, on its thread: sets hub->fibers if there is somebody to tell. */
void bine_fibers_begin(struct bine_hub *hub);
/* Right before a switch to a greenlet whose stack is there. fake_stack: where to keep what belongs to the one that leaves; NULL if it has ended. */
void bine_fiber_leave(struct bine_hub *hub, void **fake_stack, const struct bine_greenlet *to);
/* Right after it, on the other stack. */
void bine_fiber_arrive(void *fake_stack);
/* Frames on this stack will never be returned to. */
void bine_fiber_forget(const struct bine_stack *stack);
#endif

#endif

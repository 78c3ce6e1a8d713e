/*
 * Announces switches to AddressSanitizer if the program is built with it but the library is not.
 *
 * AddressSanitizer keeps the bounds of the stack that runs. Without being told of each switch it
 * would take a greenlet's frames for overflows. Its functions are weak references here. Where they
 * resolve, each hub switches by the path for hubs that exchange something, and that path announces
 * the switch. Other hubs pay nothing.
 *
 * A library that is itself built with a sanitizer announces in the switch (sanitizer.h). Of the
 * functions below only the last one does something there.
 */
#ifndef BINE_CORE_SCHEDULE_FIBER_H
#define BINE_CORE_SCHEDULE_FIBER_H

#include "core/hub/hub.h"

/* The first function on a fresh stack: what bine_fibers_enter was given, or a function that first
 * announces the arrival and then calls that. */
extern __attribute__((visibility("hidden"))) bine_arch_entry *bine_greenlet_entry;

#ifdef BINE_ASAN
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
static inline void bine_fibers_enter(bine_arch_entry *function)
{
    bine_greenlet_entry = function;
}
static inline void bine_fibers_begin(struct bine_hub *hub)
{
    (void)hub;
}
static inline void bine_fiber_leave(struct bine_hub *hub, void **fake_stack,
                                    const struct bine_greenlet *to)
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
/* Sets the first function on each fresh stack, before the first hub is made. */
void bine_fibers_enter(bine_arch_entry *function);
/* Called for a new hub, on its thread. Sets hub->fibers if a sanitizer must be told. */
void bine_fibers_begin(struct bine_hub *hub);
/* Called right before a switch to a greenlet whose stack is there. `fake_stack` is where to keep
 * what belongs to the greenlet that is left. It is NULL if that greenlet has ended. */
void bine_fiber_leave(struct bine_hub *hub, void **fake_stack, const struct bine_greenlet *to);
/* Called right after the switch, on the other stack. */
void bine_fiber_arrive(void *fake_stack);
/* Tells the sanitizer that no frame on this stack will be returned to. */
void bine_fiber_forget(const struct bine_stack *stack);
#endif

#endif

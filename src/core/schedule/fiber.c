/* Switches of a program that is built with AddressSanitizer and links the ordinary library. See
 * fiber.h. */
#include "fiber.h"

bine_arch_entry *bine_greenlet_entry;

#ifndef BINE_ASAN

#include <pthread.h>

/* Of the program's sanitizer; NULL in all others. */
__attribute__((weak)) void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom,
                                                          size_t size);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void *fake_stack,
                                                           const void **old_bottom,
                                                           size_t *old_size);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *address, size_t size);

static bine_arch_entry *enter;

static struct bine_arch_context *enter_announced(void)
{
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    return enter();
}

void bine_fibers_enter(bine_arch_entry *function)
{
    bine_greenlet_entry = enter = function;
}

void bine_fibers_begin(struct bine_hub *hub)
{
    if (!__sanitizer_start_switch_fiber || !__sanitizer_finish_switch_fiber)
        return;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    pthread_attr_getstack(&attributes, &hub->root_bottom, &hub->root_size);
    pthread_attr_destroy(&attributes);
    bine_greenlet_entry = enter_announced;
    hub->fibers = true;
    hub->exchanging = true;
}

void bine_fiber_leave(struct bine_hub *hub, void **fake_stack, const struct bine_greenlet *to)
{
    const void *bottom = to->stack ? bine_stack_bottom(to->stack) : hub->root_bottom;
    __sanitizer_start_switch_fiber(fake_stack, bottom,
                                   to->stack ? bine_stack_size(to->stack) : hub->root_size);
}

void bine_fiber_arrive(void *fake_stack)
{
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
}

void bine_fiber_forget(const struct bine_stack *stack)
{
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(bine_stack_bottom(stack), bine_stack_size(stack));
}

#endif

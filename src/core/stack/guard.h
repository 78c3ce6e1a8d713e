/*
 * Guards: how the pages below a stack are made to fault. Each machine has one way.
 */
#ifndef BINE_CORE_STACK_GUARD_H
#define BINE_CORE_STACK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

size_t bine_page_size(void);

enum {
    BINE_GUARDS_AT_ONCE = 64
};

/*
 * Makes `size` bytes fault on any access, from `base` on and then every `stride`, `count` times. It
 * does as many of these as this machine can do in one system call. With `split` it uses mprotect in
 * any case, which takes two mappings for each guard. Returns how many it has done, at least 1, or
 * -1 with errno. ENOMEM with mprotect means that vm.max_map_count is reached.
 */
ptrdiff_t bine_guard_install(char *base, size_t size, size_t stride, size_t count, bool split);

/* Tell valgrind, if it is watching, which memory is a stack, and when it is one no longer. */
void bine_guard_register_stack(void *bottom, void *top);
void bine_guard_unregister_stacks(void *from, void *to);

#endif

/*
 * Guards: making the pages below a stack fault. One question, one answer per machine.
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
 * Make `size` bytes fault on any access, from `base` on and then every `stride`, `count` times: as many of those as this machine does in one
 * system call. `split`: by mprotect in any case, which takes two mappings for each. Returns how many, at least 1, or -1 with errno (ENOMEM:
 * with mprotect, vm.max_map_count is reached).
 */
ptrdiff_t bine_guard_install(char *base, size_t size, size_t stride, size_t count, bool split);

/* Tell valgrind, if it is watching, which memory is a stack, and when that ends. */
void bine_guard_register_stack(void *bottom, void *top);
void bine_guard_unregister_stacks(void *from, void *to);

#endif

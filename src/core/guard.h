/*
 * Guards: making the pages below a stack fault. One question, one answer per machine.
 */
#ifndef BINE_CORE_GUARD_H
#define BINE_CORE_GUARD_H

#include <stddef.h>

size_t bine_page_size(void);

/* Make [base, base + size) fault on any access. 0, or -1 with errno (ENOMEM: with mprotect, vm.max_map_count is reached). */
int bine_guard_install(void *base, size_t size);

/* Tell valgrind, if it is watching, which memory is a stack, and when that ends. */
void bine_guard_register_stack(void *bottom, void *top);
void bine_guard_unregister_stacks(void *from, void *to);

#endif

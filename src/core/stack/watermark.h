/*
 * The stack's high-water mark per spawn site, for choosing stack sizes. Off unless the environment has
 * BINE_STACK_WATERMARK=1: each start then gives the pages of previous users back first, so that what is resident
 * at the end is this greenlet's own.
 */
#ifndef BINE_CORE_STACK_WATERMARK_H
#define BINE_CORE_STACK_WATERMARK_H

#include <stdbool.h>

struct bine_stack;

extern bool bine_watermark_enabled;

/* A greenlet takes the stack, and has ended on it; it was spawned at `site` (bine/greenlet.h). */
void bine_watermark_begin(const struct bine_stack *stack);
void bine_watermark_end(const struct bine_stack *stack, const char *site);
/* Lines for the dump: site, greenlets seen, most bytes touched. */
void bine_watermark_report(int fd);

#endif

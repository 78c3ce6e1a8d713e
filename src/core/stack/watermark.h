/*
 * The high-water mark of the stacks, by spawn site. It helps to choose stack sizes. It is off
 * unless the environment has BINE_STACK_WATERMARK=1. Then each start first gives the pages of
 * previous users back, so that the pages that are resident at the end are this greenlet's own.
 */
#ifndef BINE_CORE_STACK_WATERMARK_H
#define BINE_CORE_STACK_WATERMARK_H

#include <stdbool.h>

struct bine_stack;

extern bool bine_watermark_enabled;

/* bine_watermark_begin: a greenlet takes the stack. bine_watermark_end: the greenlet has ended on
 * it. `site` is where it was spawned (bine/greenlet.h). */
void bine_watermark_begin(const struct bine_stack *stack);
void bine_watermark_end(const struct bine_stack *stack, const char *site);
/* Writes the lines of the dump: the site, the number of greenlets seen, the most bytes touched. */
void bine_watermark_report(int fd);

#endif

/*
 * The stack's high-water mark per spawn site, for choosing stack sizes. Off unless the environment has
 * BINE_STACK_WATERMARK=1: each start then gives the pages of previous users back first, so that what is resident
 * at the end is this greenlet's own.
 */
#ifndef BINE_CORE_WATERMARK_H
#define BINE_CORE_WATERMARK_H

#include <stdbool.h>

struct bine_greenlet;

extern bool bine_watermark_enabled;

void bine_watermark_begin(struct bine_greenlet *g);
void bine_watermark_end(struct bine_greenlet *g);
/* Lines for the dump: site, greenlets seen, most bytes touched. */
void bine_watermark_report(int fd);

#endif

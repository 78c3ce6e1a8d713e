/* Reports for people. */
#ifndef BINE_CORE_REPORT_DUMP_H
#define BINE_CORE_REPORT_DUMP_H

#include <stddef.h>
#include <stdint.h>

struct bine_hub;

/* The verb of bine_wait's park, compared by its address: the object is what the next function describes. */
extern const char bine_wait_verb[];
/* What an iteration still waits for: "event 0x55d0c8a1e2a0, <Greenlet at 0x...: f(5)>, and 7 more". Writes at most `size`
 * bytes, a zero byte included, and returns how many without it. For its own thread. */
size_t bine_wait_describe(uintptr_t iteration, char *text, size_t size);

/* Say on standard error that nothing can go on, and who waits for what, unless BINE_DEADLOCK_DUMP=0. */
void bine_report_deadlock(struct bine_hub *hub);

#endif

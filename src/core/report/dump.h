/* Reports for people. */
#ifndef BINE_CORE_REPORT_DUMP_H
#define BINE_CORE_REPORT_DUMP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct bine_hub;

/* The verb of bine_wait's park. The dump compares it by its address: the park's object is then what
 * bine_dump_describe_wait describes. */
extern const char bine_wait_verb[];
/* Set by bine_wait before it parks. Describes what an iteration still waits for: "event
 * 0x55d0c8a1e2a0, <Greenlet at 0x...: f(5)>, and 7 more". Writes at most `size` bytes, the zero
 * byte included. Returns the number of bytes without the zero byte. Only the iteration's own thread
 * may call it. */
extern size_t (*_Atomic bine_dump_describe_wait)(uintptr_t iteration, char *text, size_t size);

/* Says on standard error that no greenlet can be woken any more, and for what each greenlet waits,
 * unless BINE_DEADLOCK_DUMP=0. */
void bine_report_deadlock(struct bine_hub *hub);

#endif

/*
 * The trace: what each hub did last, and when. Each hub keeps a ring of its events: spawns,
 * switches, parks and what for, wakes and by whom, kills, timers, turns of the poller, calls on the
 * offload pool. It is written as Chrome's trace JSON, which https://ui.perfetto.dev opens.
 *
 *      bine_trace_start(0);                    // or BINE_TRACE=ring
 *      ...
 *      bine_trace_write(fd);
 *
 * `bine trace PID` does both from outside. A hub without a ring does nothing for it.
 */
#ifndef BINE_TRACE_H
#define BINE_TRACE_H

#include "base.h"

BINE_BEGIN

/* From now on all hubs of the process record, those to come included. Each keeps the last `events`
 * events, of 32 bytes; 0: 65,536. The number is rounded up to a power of two, and counts for rings
 * that are made from now on: a hub makes its ring once. What rings held before is forgotten. A hub
 * of another thread begins at its next turn, the calling thread's at once. A hub that has no memory
 * for its ring records nothing. Returns 0, or -1 with EINVAL (more than 16,777,216 events). Any
 * thread may call it. Switches: no. */
BINE_API int bine_trace_start(size_t events);

/* Hubs stop to record, at the same moments. The rings keep what they hold. Any thread may call it.
 * Switches: no. */
BINE_API void bine_trace_stop(void);

/* Write what the rings hold to a descriptor. The call blocks the thread while it writes. Hubs
 * may go on recording meanwhile; events that they overwrite are left out. Returns 0, or -1 with
 * ENOMEM, with EPERM (the process may not read its memory by process_vm_readv), or with what
 * write(2) fails with. Any thread may call it. Switches: no. */
BINE_API int bine_trace_write(int fd);

BINE_END

#endif

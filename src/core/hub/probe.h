/*
 * Static probes (USDT) for bpftrace, perf, gdb and SystemTap: bine:spawn, switch, park, wake, end,
 * kill. docs/debugging.md lists their arguments.
 *
 * They lie in what records the trace, so no hot path has even the nop of a probe. A tracer that
 * attaches to one counts up its semaphore, which the kernel does for bpftrace and perf. The hubs
 * see that in their next turn and leave the short path. All semaphores are one word.
 */
#ifndef BINE_CORE_HUB_PROBE_H
#define BINE_CORE_HUB_PROBE_H

#if __has_include(<sys/sdt.h>)
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#define BINE_PROBE(name, ...) BINE_PROBE_OF(name, __VA_ARGS__)
#define BINE_PROBE_OF(name, a, b, c) DTRACE_PROBE3(bine, name, a, b, c)
#define BINE_PROBE_SEMAPHORE(name)              \
    extern __attribute__((alias("bine_probes"), \
                          visibility("hidden"))) volatile unsigned short bine_##name##_semaphore;
#else
#define BINE_PROBE(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

/* So many tracers are attached to probes. */
extern __attribute__((visibility("hidden"))) volatile unsigned short bine_probes;

#endif

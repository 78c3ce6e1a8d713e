/*
 * Rings of events, of this process or another one, as a trace of Chrome's JSON form, which Perfetto
 * and chrome://tracing open.
 *
 * All memory is read by process_vm_readv, so nothing that it holds can make the reader crash. The
 * process goes on meanwhile. Events that it overwrites while they are read are left out.
 */
#ifndef BINE_CORE_WATCH_TRACE_JSON_H
#define BINE_CORE_WATCH_TRACE_JSON_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Writes what the rings of a process hold. `control` is the address of its bine_trace_control.
 * `until` is when the hubs were told to stop, in ns of CLOCK_MONOTONIC: what a greenlet did last it
 * did until then. 0: they record still, or nobody knows.
 * Returns 0, or an error number: EPERM or ESRCH (its memory cannot be read), EPROTO (there is no
 * control block of this version), ENOMEM. Errors of `out` are left to the caller. */
int bine_trace_write_json(pid_t pid, uintptr_t control, int64_t until, FILE *out);

/* Finds the control block of another process in the data of its objects. Returns 0, or an error
 * number: EPERM, ESRCH, ENOENT (there is none: the process has no libbine, or another version). */
int bine_trace_find_control(pid_t pid, uintptr_t *control);

#endif

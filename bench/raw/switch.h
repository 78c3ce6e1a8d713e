/*
 * The least that a context switch can be: callee-saved registers and the stack pointer. The
 * yardstick that Bine is measured against; shares no code with it.
 */
#ifndef BENCH_RAW_SWITCH_H
#define BENCH_RAW_SWITCH_H

/* Save the caller's registers on its stack, the stack pointer in *from, and go on where `to` was
 * saved. */
void raw_switch(void **from, void *to);

/* First thing on a new stack: calls the function in the second saved register with the first. */
void raw_entry(void);

#endif

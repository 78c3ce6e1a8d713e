/*
 * The auditor: while it is on, every system call of this thread is looked at (Syscall User
 * Dispatch, Linux 5.11, x86-64) before it is made, and one that would block while a greenlet runs
 * is noted. A thread may wait in its hub's turn, and nowhere else.
 *
 *     audit_begin();
 *     ... greenlets, libraries, anything ...
 *     CHECK_EQ(audit_end(), 0);   (it has printed what it noted)
 *
 * Calls are judged by what would happen now: reading from a descriptor that has data does not
 * block.
 */
#ifndef BINE_TESTS_PATCH_AUDIT_H
#define BINE_TESTS_PATCH_AUDIT_H

/* Skips the test where this is not to be had. */
void audit_begin(void);
/* How many calls would have blocked. */
unsigned audit_end(void);

#endif

/* The report of a stack overflow. */
#ifndef BINE_CORE_REPORT_OVERFLOW_H
#define BINE_CORE_REPORT_OVERFLOW_H

/* Installs the handler that reports overflows by the greenlet's name, and this thread's alternate
 * signal stack. Returns -1 and errno on failure. */
int bine_overflow_watch_thread(void);
void bine_overflow_unwatch_thread(void);

#endif

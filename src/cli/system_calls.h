/* System calls that may block the thread, by number. */
#ifndef BINE_CLI_SYSTEM_CALLS_H
#define BINE_CLI_SYSTEM_CALLS_H

/* Returns its name, or NULL if the call does not block (or does not wait for others). */
const char *blocking_system_call(unsigned number);

#endif

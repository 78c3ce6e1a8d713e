/* A signal at a waiting call of the root, compared with libc. */
#ifndef BINE_TESTS_SIGNAL_WAITS_H
#define BINE_TESTS_SIGNAL_WAITS_H

#include <stddef.h>
#include <stdint.h>

/* One waiting call, and what ends its wait. */
struct waiting {
    const char *name;
    void (*begin)(void);
    int64_t (*call)(void);  /* below zero: failed, with errno */
    void (*complete)(void); /* by a thread without a hub */
    void (*end)(void);
};

/* Each call is made by libc first, while a thread sends the signal; then patched, with the signal
 * raised by another greenlet at the moments when it could be lost. What the call says must be the
 * same: EINTR, or, where it goes on after the handler, what it was waiting for. */
void signal_waits_compare(const struct waiting *all, size_t count);
#define COMPARE(all) signal_waits_compare(all, sizeof(all) / sizeof *(all))

/* The handler of SIGUSR1. */
void signal_waits_handle(int number);

#endif

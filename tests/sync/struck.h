/*
 * A kill or an interrupt at each moment of each wait: exactly one of "the wait succeeded" and "it
 * was cut short" is true. A wait that succeeded has had its effect (the child is reaped, the
 * message taken, the lock held), and one that was cut short has had none.
 *
 * What the wait is for comes about and the blow is dealt at every distance from each other, begun
 * at every distance from the begin of the wait. On the simulator the greenlets run in any order
 * besides.
 */
#ifndef BINE_TESTS_STRUCK_H
#define BINE_TESTS_STRUCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wait {
    const char *name;
    void (*begin)(void);
    int64_t (*call)(void);  /* below zero: failed, with errno */
    void (*complete)(void); /* let what the call waits for come about */
    bool (*taken)(void);    /* has the call had its effect? Undoes it */
    void (*end)(void);
};

void check_waits(const struct wait *all, size_t count);
#define CHECK_WAITS(all) check_waits(all, sizeof(all) / sizeof *(all))

#endif

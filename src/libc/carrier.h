/*
 * Variables of the OS thread that carries the running greenlet.
 *
 * A greenlet may have a thread pointer of its own, and so a block of thread-local variables of its
 * own (src/own). What the library keeps for the OS thread must be the same for all greenlets of it.
 * These variables lie in the static part of the block, at the same distance from each thread
 * pointer. So one word suffices: the distance from the running block to the carrier's. It is 0 in
 * each block that libc makes, and src/own sets it in the blocks of greenlets. Nothing has to be
 * initialised, and no variable is copied.
 *
 *     static BINE_CARRIED struct walk *walks_;
 *     #define walks BINE_OF_CARRIER(walks_)
 */
#ifndef BINE_LIBC_CARRIER_H
#define BINE_LIBC_CARRIER_H

#include <stddef.h>
#include <sys/types.h>

/* The static part of the block is where the access model initial-exec finds a variable. */
#define BINE_CARRIED __attribute__((tls_model("initial-exec"))) _Thread_local

extern __attribute__((visibility("hidden"))) BINE_CARRIED ptrdiff_t bine_carrier_distance;

/* The number by which libc knows the running thread, as the owner of locks. 0 until somebody asks.
 * Each block has its own. */
extern __attribute__((visibility("hidden"))) BINE_CARRIED pid_t bine_thread_number;

#define BINE_OF_CARRIER(variable) \
    (*(__typeof__(&(variable)))((char *)&(variable) + bine_carrier_distance))

#endif

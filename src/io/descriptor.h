/*
 * What Bine remembers of each descriptor, process-wide: a generation, whether the user made it non-blocking,
 * its timeouts, whether its last read came up short. Records are never freed, so a look-up needs no lock.
 */
#ifndef BINE_IO_DESCRIPTOR_H
#define BINE_IO_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bine_descriptor {
    atomic_uint generation; /* bumped whenever the number names a new file, or none */
    _Atomic(uint8_t) kind;  /* enum bine_descriptor_kind */
    _Atomic(uint8_t) nonblocking; /* 0 no, 1 yes, 2 unknown: ask the kernel before parking */
    atomic_bool shared;     /* the open file description may be shared (dup, fork, SCM_RIGHTS, inherited): never trust `nonblocking` */
    atomic_bool read_wait;  /* the last read came up short: wait before reading */
    atomic_bool listening;
    _Atomic(int64_t) receive_timeout, send_timeout; /* ns, 0: none, -1: unknown */
};

enum bine_descriptor_kind { BINE_FD_UNKNOWN, BINE_FD_SOCKET, BINE_FD_STREAM /* pipe, tty, eventfd ... */, BINE_FD_FILE };

/* The record of fd, made if need be. NULL: fd is negative or beyond what a process can have, or ENOMEM. */
struct bine_descriptor *bine_descriptor_of(int fd);

/* fd names a new file from now on (socket, accept, open, dup, pipe ... returned it). `nonblocking`: 0, 1, or 2 if unknown. */
void bine_descriptor_fresh(int fd, enum bine_descriptor_kind kind, int nonblocking);

#endif

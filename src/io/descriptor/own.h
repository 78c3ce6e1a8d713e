/*
 * Descriptors of the runtime's own: a poller's ring or epoll set, and what wakes it. A program that becomes a daemon closes every number, and
 * another file may have it next: each is known by more than its number, is looked at again, and is replaced when it is gone.
 */
#ifndef BINE_IO_DESCRIPTOR_OWN_H
#define BINE_IO_DESCRIPTOR_OWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bine_descriptor;

struct bine_own {
    atomic_int fd; /* -1: none */
    _Atomic(uint64_t) device, inode;
};

/* Note what `fd`, just made, is; -1: nothing. */
void bine_own_note(struct bine_own *own, int fd);

/* Does the number still name that file? It may take another file that has no name in the file system (an epoll set, an eventfd) for it.
 * Any thread, async-signal-safe, keeps errno. */
bool bine_own_still(const struct bine_own *own);

/* The same, asked by the poller: where it does, its closing is noticed from now on. */
bool bine_own_verify(const struct bine_own *own);

/* It is about to be closed by somebody else's hands. */
void bine_own_forget(struct bine_own *own);

/* Close it if it is still that file, and forget it. */
void bine_own_close(struct bine_own *own);

/* Which eventfd is it? 0: nobody says so (no /proc, before Linux 5.2). */
uint64_t bine_own_eventfd(int fd);

/* The hooks say that the number of such a descriptor is being closed or replaced. */
void bine_own_lost(struct bine_descriptor *record);

/* How often that was said. Pollers that have seen fewer look at once. */
extern atomic_uint bine_own_losses;

#endif

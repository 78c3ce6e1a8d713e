/*
 * Descriptors of the runtime's own: a poller's ring or epoll set, and the eventfd that wakes it. A
 * program that becomes a daemon closes every number, and another file may get the number next. So
 * the runtime knows each of its descriptors by more than the number, looks at it again, and
 * replaces it when it is gone.
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

/* Notes which file `fd` is, which was just made. With -1 it notes nothing. */
void bine_own_note(struct bine_own *own, int fd);

/* Does the number still name that file? The answer may be a wrong yes for another file that has
 * no name in the file system (an epoll set, an eventfd). Any thread, async-signal-safe, keeps
 * errno. */
bool bine_own_still(const struct bine_own *own);

/* Answers the same for the poller. If the number still names the file, its closing is noticed from
 * now on. */
bool bine_own_verify(const struct bine_own *own);

/* Forgets a descriptor that other code is about to close. */
void bine_own_forget(struct bine_own *own);

/* Closes it if it is still that file, and forgets it. */
void bine_own_close(struct bine_own *own);

/* Returns the kernel's id of the eventfd. Returns 0 if the kernel does not tell (no /proc, before
 * Linux 5.2). */
uint64_t bine_own_eventfd(int fd);

/* The hooks call this when the number of such a descriptor is being closed or replaced. */
void bine_own_lost(struct bine_descriptor *record);

/* How often bine_own_lost was called. A poller that has seen fewer calls looks at once. */
extern atomic_uint bine_own_losses;

#endif

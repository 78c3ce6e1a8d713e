/*
 * Which greenlets and threads are inside the loader.
 *
 * libc's loader has one lock, which belongs to the thread and is recursive. It is held while
 * constructors and destructors run. One of these may wait. Then another greenlet of the thread
 * would pass the lock and find the loader's lists half changed. So there is a lock in front of it
 * whose owner is the greenlet. A greenlet that finds another one inside parks, as a thread would
 * block. A call from within (a constructor that loads) passes.
 *
 * Threads without a hub do not wait here: libc's lock stops them. They only note that they are
 * inside, so that a greenlet parks instead of blocking its thread in libc.
 */
#ifndef BINE_PATCH_ENGINE_LOADING_H
#define BINE_PATCH_ENGINE_LOADING_H

#include <link.h>
#include <stdbool.h>

/* What bine_loading_begin did, which bine_loading_end has to undo. */
enum bine_loading {
    BINE_LOADING_NOTHING, /* in the child of a vfork */
    /* a thread without a hub, or a place where no greenlet may park: noted that it is inside */
    BINE_LOADING_FOREIGN,
    BINE_LOADING_OWNER,
    BINE_LOADING_REFUSED, /* only the root waits, and for itself (EDEADLK): do not enter */
};

/* Called before and after a call that loads or unloads. Any thread. errno is left alone. begin
 * switches: maybe. Neither a kill nor a timeout ends its wait. */
enum bine_loading bine_loading_begin(void);
void bine_loading_end(enum bine_loading what);

/* Called before a call that takes the loader's lock for a moment (dlsym). Parks while a greenlet of
 * another thread is inside. Switches: maybe. */
void bine_loading_await(void);

/* dl_iterate_phdr. Its callback runs under another lock of the thread, which guards the list of
 * objects. While a greenlet is parked in a callback, no other greenlet of its thread loads or
 * unloads. */
int bine_loading_walk(int (*callback)(struct dl_phdr_info *info, size_t size, void *data),
                      void *data);

#endif

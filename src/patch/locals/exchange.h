/*
 * The part of a thread's state that belongs to its greenlets, and is exchanged at each switch:
 * thread-local variables of chosen objects (local_tls.h) and the locale (uselocale). The greenlet
 * that is switched away from puts its state away on its own stack, so that no switch can fail for
 * lack of memory. A greenlet that has nothing put away begins as a thread does. What a thread had
 * before belongs to its root.
 */
#ifndef BINE_PATCH_LOCALS_EXCHANGE_H
#define BINE_PATCH_LOCALS_EXCHANGE_H

#include <locale.h>
#include <stddef.h>

#include "core/hub/hub.h"

enum {
    BINE_EXCHANGE_OBJECTS = 64, /* at most so many objects */
};

/* The thread-local block of a chosen object. It stays the same, because the object is never
 * unloaded. */
struct bine_exchange_object {
    unsigned index;    /* below BINE_EXCHANGE_OBJECTS */
    size_t module;     /* the loader's number of the object */
    size_t size;       /* bytes */
    size_t offset;     /* where its bytes begin among those of all objects */
    const char *image; /* what the block holds in a new thread; `size` bytes */
};

/* Exchanges the object's block from now on, on all threads that have a hub now or later. That
 * begins at once on the calling thread: if the current greenlet is not the root, it finds the block
 * as new. Returns 0, or ENOMEM if not all threads could be told; the same call again tells the
 * others. Any thread. */
int bine_exchange_add(const struct bine_exchange_object *object);

/* Makes the blocks of the current greenlet as they are in a new thread. */
void bine_exchange_renew(struct bine_hub *hub);

/* uselocale() of the current greenlet. Returns (locale_t)0 with errno EINVAL, ENOMEM. */
locale_t bine_exchange_locale(struct bine_hub *hub, locale_t locale);

#endif

/*
 * What of a thread's state belongs to its greenlets, and is exchanged when one leaves for another: thread-local variables of chosen
 * objects (local_tls.h) and the locale (uselocale). The greenlet that leaves puts it away on its own stack, so that no switch can fail
 * for lack of memory; a greenlet that has nothing put away begins as a thread does. Whatever a thread had before is its root's.
 */
#ifndef BINE_PATCH_LOCALS_EXCHANGE_H
#define BINE_PATCH_LOCALS_EXCHANGE_H

#include <locale.h>
#include <stddef.h>

#include "core/hub/hub.h"

enum {
    BINE_EXCHANGE_OBJECTS = 64, /* at most so many objects */
};

/* The thread-local block of a chosen object. It is the same for good: the object is never unloaded. */
struct bine_exchange_object {
    unsigned index;    /* below BINE_EXCHANGE_OBJECTS */
    size_t module;     /* the loader's number of it */
    size_t size;       /* bytes */
    size_t offset;     /* of its bytes among those of all objects */
    const char *image; /* what it holds in a new thread; `size` bytes */
};

/* Exchange the object's block from now on, on all threads that have a hub now or later. On the calling thread at once: if the current
 * greenlet is not the root, it finds the block as new. 0, or ENOMEM if not all threads could be told: the same call again tells the others.
 * Any thread. */
int bine_exchange_add(const struct bine_exchange_object *object);

/* The blocks of the current greenlet are as in a new thread from now on. */
void bine_exchange_renew(struct bine_hub *hub);

/* uselocale() of the current greenlet. (locale_t)0 with errno: EINVAL, ENOMEM. */
locale_t bine_exchange_locale(struct bine_hub *hub, locale_t locale);

#endif

/* How waiters are woken. See core/hub/waitable.h. */
#include "park.h"

void bine_waiter_wake(struct bine_waiter *waiter)
{
    if (waiter->notify)
        waiter->notify(waiter);
    else
        bine_unpark(waiter->greenlet);
}

void bine_waitable_notify(struct bine_waitable *object)
{
    for (struct bine_waiter *waiter; (waiter = bine_waiters_pop(&object->watchers));)
        bine_waiter_wake(waiter);
}

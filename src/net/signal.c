/*
 * Signals as events. The handler sets a shared event as another thread would: it sends the hub a
 * message, which is async-signal-safe. Handlers may run on any thread, so the members of the table
 * are atomics.
 */
#include <bine/signal.h>
#include <errno.h>

#include "libc/libc.h"
#include "sync/event.h"

struct watched {
    _Atomic(bine_event *) event;
    struct sigaction before;
};

static struct watched watched[NSIG];

static void signal_arrived(int signal_number)
{
    int saved = errno;
    bine_event *event = atomic_load(&watched[signal_number].event);
    if (event)
        bine_event_set_remotely(event);
    errno = saved;
}

bine_event *bine_signal_event_new(int signal_number)
{
    if (signal_number <= 0 || signal_number >= NSIG) {
        errno = EINVAL;
        return NULL;
    }
    bine_event *event = bine_event_new(BINE_SHARED), *none = NULL;
    if (!event)
        return NULL;
    int error =
        atomic_compare_exchange_strong(&watched[signal_number].event, &none, event) ? 0 : EBUSY;
    struct sigaction action = {.sa_handler = signal_arrived, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    if (!error &&
        bine_libc.sigaction(signal_number, &action, &watched[signal_number].before) != 0) {
        error = errno;
        atomic_store(&watched[signal_number].event, NULL);
    }
    if (error) {
        bine_event_free(event);
        errno = error;
        return NULL;
    }
    return event;
}

int bine_signal_event_free(bine_event *event)
{
    if (!event)
        return 0;
    for (int i = 1; i < NSIG; i++) {
        if (atomic_load(&watched[i].event) != event)
            continue;
        /* First see whether it can be freed, so that a refusal changes nothing. A handler that runs
         * on another thread at this moment holds the event no longer than an instant. */
        int error = bine_object_check_free(event);
        if (!error && !bine_object_orphan(event) && bine_event_busy(event))
            error = EBUSY;
        if (error) {
            errno = error;
            return -1;
        }
        bine_libc.sigaction(i, &watched[i].before, NULL);
        atomic_store(&watched[i].event, NULL);
        return bine_event_free(event);
    }
    errno = EINVAL;
    return -1;
}

/* See cxx_guard.h. */
#include "cxx_guard.h"

#include "libc/libc.h"
#include "parking_lot.h"

/* The ABI gives the first byte its meaning; that the second one is set while an initialiser runs
 * holds for libstdc++ and libc++abi. */
static bool is_done(const uint64_t *guard)
{
    return __atomic_load_n((const unsigned char *)guard, __ATOMIC_ACQUIRE) != 0;
}

static bool is_running(const uint64_t *guard)
{
    return __atomic_load_n((const unsigned char *)guard + 1, __ATOMIC_ACQUIRE) != 0;
}

static void cxx_guard_forget(uint64_t *guard)
{
    struct bine_lot_bucket *bucket = bine_lot_lock(guard);
    struct bine_lot_record *record = bine_lot_find(bucket, guard, BINE_RECORD_GUARD);
    if (record)
        bine_lot_remove(bucket, record);
    bine_lot_unlock(bucket);
    if (record)
        bine_lot_wake(guard, SIZE_MAX);
}

/* The record is in place, so no greenlet comes in between. The runtime says no if another thread
 * was faster. */
static int acquire_as_owner(uint64_t *guard)
{
    int result = bine_libc.__cxa_guard_acquire(guard);
    if (result == 0)
        cxx_guard_forget(guard);
    return result;
}

int bine_cxx_guard_acquire(uint64_t *guard)
{
    struct bine_hub *hub = bine_hub_here();
    bool can_wait = hub && !hub->no_park;
    while (!is_done(guard)) {
        struct bine_lot_bucket *bucket = bine_lot_lock(guard);
        struct bine_lot_record *record = bine_lot_find(bucket, guard, BINE_RECORD_GUARD);
        if (!record && can_wait && is_running(guard)) {
            /* By code that is not patched: nothing will tell us. */
            bine_lot_unlock(bucket);
            bine_park(hub, "initialiser", (uintptr_t)guard, bine_hub_deadline(hub, BINE_MS),
                      BINE_PARK_FIRM | BINE_PARK_EXTERNAL);
            continue;
        }
        if (!record && (record = bine_lot_add(bucket, guard, BINE_RECORD_GUARD))) {
            record->owner = bine_lot_self();
            record->item = hub;
            bine_lot_unlock(bucket);
            return acquire_as_owner(guard);
        }
        if (!record || !can_wait || record->owner == bine_lot_self()) {
            bine_lot_unlock(bucket);
            return bine_libc.__cxa_guard_acquire(guard);
        }
        struct bine_lot_waiter waiter;
        unsigned flags = BINE_PARK_FIRM | (record->item != hub ? BINE_PARK_EXTERNAL : 0);
        bine_lot_waiter_init(&waiter, hub, guard);
        bine_lot_enqueue_locked(bucket, &waiter, 0);
        bine_lot_unlock(bucket);
        if (bine_lot_await(&waiter, "initialiser", INT64_MAX, flags) != 0)
            /* a deadlock: the runtime may know what to say */
            return bine_libc.__cxa_guard_acquire(guard);
    }
    return 0;
}

void bine_cxx_guard_release(uint64_t *guard)
{
    bine_libc.__cxa_guard_release(guard);
    cxx_guard_forget(guard);
}

void bine_cxx_guard_abort(uint64_t *guard)
{
    bine_libc.__cxa_guard_abort(guard);
    cxx_guard_forget(guard);
}

/*
 * Locks that std::lock_guard, std::unique_lock, std::scoped_lock and std::shared_lock accept, and
 * conditions.
 */
#ifndef BINE_CPP_LOCK_HPP
#define BINE_CPP_LOCK_HPP

#include "../clock.h"
#include "../condition.h"
#include "../lock.h"
#include "sync.hpp"

namespace bine
{
/* An rlock is a recursive lock whose owner is a greenlet (bine_rlock). It meets TimedLockable.
 * lock() waits, so it throws timeout, cancelled and std::system_error. unlock() by its owner
 * neither waits nor fails. */
class rlock
{
  public:
    explicit rlock(sharing threads = sharing::none)
        : lock_(check(bine_rlock_new(static_cast<unsigned>(threads)), "bine::rlock"))
    {
    }

    void lock()
    {
        check(bine_rlock_acquire(lock_.get(), BINE_FOREVER), "bine::rlock::lock");
    }
    bool try_lock()
    {
        return detail::in_time(bine_rlock_acquire(lock_.get(), 0), "bine::rlock::try_lock");
    }
    bool try_lock_for(duration limit)
    {
        return detail::in_time(bine_rlock_acquire(lock_.get(), limit.ns()),
                               "bine::rlock::try_lock_for");
    }
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &moment)
    {
        return try_lock_for(moment - Clock::now());
    }
    void unlock()
    {
        check(bine_rlock_release(lock_.get()), "bine::rlock::unlock");
    }

    bine_rlock *handle() const noexcept
    {
        return lock_.get();
    }

  private:
    detail::owner<bine_rlock, bine_rlock_free> lock_;
};

/* An rwlock is a lock for many readers or one writer, first come, first served (bine_rwlock). It
 * meets SharedTimedLockable except for the calls that wait until a moment. */
class rwlock
{
  public:
    explicit rwlock(sharing threads = sharing::none)
        : lock_(check(bine_rwlock_new(static_cast<unsigned>(threads)), "bine::rwlock"))
    {
    }

    void lock()
    {
        check(bine_rwlock_write_acquire(lock_.get(), BINE_FOREVER), "bine::rwlock::lock");
    }
    bool try_lock()
    {
        return detail::in_time(bine_rwlock_write_acquire(lock_.get(), 0), "bine::rwlock::try_lock");
    }
    bool try_lock_for(duration limit)
    {
        return detail::in_time(bine_rwlock_write_acquire(lock_.get(), limit.ns()),
                               "bine::rwlock::try_lock_for");
    }
    void unlock()
    {
        check(bine_rwlock_write_release(lock_.get()), "bine::rwlock::unlock");
    }

    void lock_shared()
    {
        check(bine_rwlock_read_acquire(lock_.get(), BINE_FOREVER), "bine::rwlock::lock_shared");
    }
    bool try_lock_shared()
    {
        return detail::in_time(bine_rwlock_read_acquire(lock_.get(), 0),
                               "bine::rwlock::try_lock_shared");
    }
    bool try_lock_shared_for(duration limit)
    {
        return detail::in_time(bine_rwlock_read_acquire(lock_.get(), limit.ns()),
                               "bine::rwlock::try_lock_shared_for");
    }
    void unlock_shared()
    {
        check(bine_rwlock_read_release(lock_.get()), "bine::rwlock::unlock_shared");
    }

    bine_rwlock *handle() const noexcept
    {
        return lock_.get();
    }

  private:
    detail::owner<bine_rwlock, bine_rwlock_free> lock_;
};

/* Greenlets that hold a lock wait for a change. Another greenlet that holds the lock, too,
 * announces it (bine_condition). The lock must outlive the condition. */
class condition
{
  public:
    explicit condition(rlock &lock, sharing threads = sharing::none)
        : condition_(check(bine_condition_new(lock.handle(), static_cast<unsigned>(threads)),
                           "bine::condition"))
    {
    }

    /* Release the lock, wait to be notified, and take the lock again. The caller holds the lock
     * again however the call ends. There are no spurious wake-ups. Throws timeout, cancelled,
     * std::system_error: EPERM (the caller does not hold the lock). Waits. */
    void wait(duration limit = forever)
    {
        check(bine_condition_wait(condition_.get(), limit.ns()), "bine::condition::wait");
    }
    /* Does the same until predicate() is true. The caller holds the lock while the predicate is
     * called. `limit` is for the whole call. */
    template <class Predicate, class = std::enable_if_t<std::is_invocable_v<Predicate &>>>
    void wait(Predicate predicate, duration limit = forever)
    {
        std::int64_t moment = bine_deadline(limit.ns());
        while (!predicate())
            check(bine_condition_wait(condition_.get(), bine_left(moment)),
                  "bine::condition::wait");
    }
    void notify_one()
    {
        check(bine_condition_notify(condition_.get(), 1), "bine::condition::notify_one");
    }
    void notify_all()
    {
        check(bine_condition_notify_all(condition_.get()), "bine::condition::notify_all");
    }

    bine_condition *handle() const noexcept
    {
        return condition_.get();
    }

  private:
    detail::owner<bine_condition, bine_condition_free> condition_;
};
} // namespace bine

#endif

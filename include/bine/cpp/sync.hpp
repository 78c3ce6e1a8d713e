/* Events, semaphores and barriers. */
#ifndef BINE_CPP_SYNC_HPP
#define BINE_CPP_SYNC_HPP

#include "../event.h"
#include "../lock.h"
#include "../semaphore.h"
#include "timeout.hpp"

namespace bine
{
/* An event is a flag that greenlets wait for (bine_event). */
class event
{
  public:
    /* Make an event that is not set. Throws std::system_error: ENOMEM, EAGAIN. Switches: no. */
    explicit event(sharing threads = sharing::none)
        : event_(check(bine_event_new(static_cast<unsigned>(threads)), "bine::event"))
    {
    }

    /* Set the event: all greenlets that wait for it are woken. Throws std::system_error: EPERM,
     * ESRCH. Switches: no. */
    void set()
    {
        check(bine_event_set(event_.get()), "bine::event::set");
    }
    void clear()
    {
        check(bine_event_clear(event_.get()), "bine::event::clear");
    }
    bool is_set() const noexcept
    {
        return bine_event_is_set(event_.get());
    }
    /* Wait until the event is set. Throws timeout, cancelled, std::system_error. Waits. */
    void wait(duration limit = forever)
    {
        check(bine_event_wait(event_.get(), limit.ns()), "bine::event::wait");
    }

    bine_event *handle() const noexcept
    {
        return event_.get();
    }

  private:
    detail::owner<bine_event, bine_event_free> event_;
};

/* A semaphore is a number of permits, with the names of std::counting_semaphore
 * (bine_semaphore). */
class semaphore
{
  public:
    /* Make a semaphore with `permits` permits. Throws std::system_error: EINVAL (more than
     * INT_MAX), ENOMEM, EAGAIN. Switches: no. */
    explicit semaphore(unsigned permits, sharing threads = sharing::none)
        : semaphore_(
              check(bine_semaphore_new(permits, static_cast<unsigned>(threads)), "bine::semaphore"))
    {
    }

    /* Take a permit. Throws timeout, cancelled, std::system_error. Waits. */
    void acquire(duration limit = forever)
    {
        check(bine_semaphore_acquire(semaphore_.get(), limit.ns()), "bine::semaphore::acquire");
    }
    /* Returns false if there is no permit. Switches: no. */
    bool try_acquire()
    {
        return bine_semaphore_try_acquire(semaphore_.get()) == 0 ||
               (errno != EAGAIN && fail("try_acquire"));
    }
    /* Returns false if there was no permit for `limit`. Throws cancelled, std::system_error, and
     * timeout of a limit around it. Waits. */
    bool try_acquire_for(duration limit);

    /* Give permits. Throws std::system_error: EOVERFLOW, EPERM, ESRCH. Switches: no. */
    void release(unsigned permits = 1)
    {
        for (; permits > 0; permits--)
            check(bine_semaphore_release(semaphore_.get()), "bine::semaphore::release");
    }
    /* Returns the number of permits that are there now. */
    unsigned permits() const noexcept
    {
        return bine_semaphore_permits(semaphore_.get());
    }

    bine_semaphore *handle() const noexcept
    {
        return semaphore_.get();
    }

  private:
    [[noreturn]] static bool fail(const char *what)
    {
        raise(errno, what);
    }

    detail::owner<bine_semaphore, bine_semaphore_free> semaphore_;
};

namespace detail
{
/* Handles the outcome of a call that takes a timeout. Returns false if that timeout has passed.
 * Throws if a limit around the call has passed. */
inline bool in_time(int outcome, const char *what)
{
    if (outcome == 0)
        return true;
    int error = errno;
    if (error != ETIMEDOUT)
        raise(error, what);
    checkpoint();
    return false;
}
} // namespace detail

inline bool semaphore::try_acquire_for(duration limit)
{
    return detail::in_time(bine_semaphore_acquire(semaphore_.get(), limit.ns()),
                           "bine::semaphore::try_acquire_for");
}

/* A barrier is where n greenlets wait for each other (bine_barrier). */
class barrier
{
  public:
    explicit barrier(unsigned parties, sharing threads = sharing::none)
        : barrier_(
              check(bine_barrier_new(parties, static_cast<unsigned>(threads)), "bine::barrier"))
    {
    }

    /* Wait until all have come. Returns the caller's place in the order of arrival, 0 for the
     * first. Throws closed (the barrier is broken), timeout and cancelled (and breaks the barrier),
     * std::system_error. Waits. */
    int arrive_and_wait(duration limit = forever)
    {
        int place = bine_barrier_wait(barrier_.get(), limit.ns());
        if (place < 0 && errno == EPIPE)
            throw closed("bine::barrier::arrive_and_wait");
        return check(place, "bine::barrier::arrive_and_wait");
    }
    /* abort breaks the barrier, reset makes it as new. The greenlets that wait throw closed.
     * Switches: no. */
    void abort()
    {
        check(bine_barrier_abort(barrier_.get()), "bine::barrier::abort");
    }
    void reset()
    {
        check(bine_barrier_reset(barrier_.get()), "bine::barrier::reset");
    }

    bine_barrier *handle() const noexcept
    {
        return barrier_.get();
    }

  private:
    detail::owner<bine_barrier, bine_barrier_free> barrier_;
};
} // namespace bine

#endif

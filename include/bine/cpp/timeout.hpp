/* Sleeping, and limits over all calls inside a block. */
#ifndef BINE_CPP_TIMEOUT_HPP
#define BINE_CPP_TIMEOUT_HPP

#include <optional>

#include "error.hpp"

namespace bine
{
/* Park the current greenlet for at least `length`. Throws cancelled, timeout. Switches: yes. */
inline void sleep(duration length)
{
    check(bine_sleep(length.ns()), "bine::sleep");
}

/* Yield: every greenlet that is ready runs once. Throws as sleep. */
inline void yield()
{
    check(bine_sleep(0), "bine::yield");
}

/* Throw what a wait would throw (cancelled, timeout), without waiting. Call it in long work, and
 * before a step that cannot be undone. Switches: no. */
inline void checkpoint()
{
    check(bine_check(), "bine::checkpoint");
}

/*
 * While a deadline lives, each wait of the current greenlet that would last beyond it throws
 * bine::timeout, and so does every later one. Deadlines nest, and the earliest wins. Make it a
 * local variable only, in the greenlet that made it. To know whose time was up:
 *
 *      bine::deadline limit(2s);
 *      try {
 *          ask(server);
 *      } catch (const bine::timeout &) {
 *          if (!limit.expired())
 *              throw;              // a limit around this one, or the server's
 *          limit.end();            // else the waits of this handler would throw, too
 *      }
 */
class deadline
{
  public:
    explicit deadline(duration length)
    {
        check(bine_timeout_begin(&scope_, length.ns()), "bine::deadline");
    }
    ~deadline()
    {
        end();
    }
    deadline(const deadline &) = delete;
    deadline &operator=(const deadline &) = delete;

    /* Returns true if it has cut a wait short. Switches: no. */
    bool expired() const noexcept
    {
        return bine_timeout_expired(&scope_);
    }

    /* Lift the limit before the destructor does. Returns expired(). Ends the process if another
     * deadline or scope is open inside it, which would then point to a frame that is gone.
     * Switches: no. */
    bool end() noexcept
    {
        if (open_ && bine_timeout_end(&scope_) < 0) {
            detail::say("bine: a bine::deadline ends in another greenlet than its own, or before "
                        "what is inside it");
            std::terminate();
        }
        open_ = false;
        return expired();
    }

  private:
    bine_timeout scope_;
    bool open_ = true;
};

/* Call function() within this time: its waits throw bine::timeout when the time has passed. Returns
 * what it returns and throws what it throws. */
template <class Function> decltype(auto) within(duration length, Function &&function)
{
    deadline limit(length);
    return std::forward<Function>(function)();
}

/* Does the same, but being late is an outcome and no error: returns an empty optional (for void
 * functions: false) if this very limit cut it short. The bine::timeout of a limit around it passes
 * through. */
template <class Function> auto try_within(duration length, Function &&function)
{
    using Result = decltype(std::forward<Function>(function)());
    deadline limit(length);
    try {
        if constexpr (std::is_void_v<Result>) {
            std::forward<Function>(function)();
            return true;
        } else {
            return std::optional<std::decay_t<Result>>(std::forward<Function>(function)());
        }
    } catch (const timeout &) {
        if (!limit.expired())
            throw;
    }
    if constexpr (std::is_void_v<Result>)
        return false;
    else
        return std::optional<std::decay_t<Result>>();
}
} // namespace bine

#endif

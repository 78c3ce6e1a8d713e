/* Scope: structured concurrency with exceptions. */
#ifndef BINE_CPP_SCOPE_HPP
#define BINE_CPP_SCOPE_HPP

#include "../scope.h"
#include "task.hpp"

namespace bine
{
/*
 * None of the tasks that are spawned in a scope outlives it. When one of them ends by an exception,
 * the others are killed, the block's own waits fail, and the scope's end throws that exception.
 * bine::in_scope is the shortest way to have one:
 *
 *      bine::in_scope(5s, [&](bine::scope &scope) {
 *          scope.spawn([&] { first = fetch(a); });
 *          scope.spawn([&] { second = fetch(b); });
 *      });                             // both have ended, or it throws and neither runs any more
 *
 * A scope that is an object is a local variable of the greenlet that ends it. On the way that
 * succeeds, join() ends it. Its destructor kills the tasks that still run and waits for them; it
 * obeys neither kill nor timeout.
 */
class scope
{
  public:
    /* Begin a scope. After `limit` the block's waits throw timeout, and the end kills the tasks
     * that still run. Throws std::system_error: ENOMEM, EAGAIN. Switches: no. */
    explicit scope(duration limit = forever)
        : scope_(check(bine_scope_begin(limit.ns()), "bine::scope"))
    {
    }
    ~scope()
    {
        close();
        if (failure_.first)
            detail::report("a member of a bine::scope", failure_.first);
    }
    scope(const scope &) = delete;
    scope &operator=(const scope &) = delete;

    /* Spawn a task in the scope, as bine::spawn. Members of the scope may do so, too. The caller
     * may drop the task that is returned: it lives as long as the scope does. Throws
     * std::system_error: as spawn, ECANCELED (the scope is cancelled, or a member has failed).
     * Switches: no. */
    template <class Callable, class = detail::if_callable<Callable>>
    task<detail::result_of<Callable>> spawn(const char *name, Callable &&callable,
                                            where at = where::here())
    {
        options how;
        how.name = name;
        return start(how, std::forward<Callable>(callable), at);
    }
    template <class Callable, class = detail::if_callable<Callable>>
    task<detail::result_of<Callable>> spawn(Callable &&callable, where at = where::here())
    {
        return start(options(), std::forward<Callable>(callable), at);
    }

    /* Kill all tasks that run in the scope, as when one result was enough. After that nothing can
     * be spawned in it, and join() does not throw for this. Throws std::system_error: EINVAL (it
     * has ended). Switches: no. */
    void cancel()
    {
        check(bine_scope_cancel(scope_, 0), "bine::scope::cancel");
    }

    /* Wait until all tasks have ended, and end the scope. Throws the exception of the first member
     * that failed. Throws timeout if the scope's time has passed. Throws cancelled or timeout if
     * the wait is cut short; the tasks were then killed and have ended. Switches: maybe. */
    void join()
    {
        if (!scope_)
            raise(EINVAL, "bine::scope::join");
        if (bine_scope_end(scope_) == 0) {
            scope_ = nullptr;
            return;
        }
        int error = errno;
        if (error != EPERM && error != EINVAL)
            scope_ = nullptr;
        if (failure_.first && !bine_killed(bine_getcurrent()))
            std::rethrow_exception(std::exchange(failure_.first, nullptr));
        raise(error, "bine::scope::join");
    }

  private:
    template <class Limit, class Block> friend decltype(auto) in_scope(Limit limit, Block &&block);
    template <class Callable>
    task<detail::result_of<Callable>> start(const options &how, Callable &&callable, where at);
    void close() noexcept;
    void rethrow_cause();

    bine_scope *scope_;
    detail::failure failure_;
};

template <class Callable>
task<detail::result_of<Callable>> scope::start(const options &how, Callable &&callable, where at)
{
    return task<detail::result_of<Callable>>(
        detail::start(std::forward<Callable>(callable), how, &failure_,
                      [&](const bine_spawn_options *given, bine_run *run, void *arg) {
                          return bine_ref(bine_scope_spawn_with_at(
                              scope_, given, run, arg,
                              detail::site_of<detail::body_of<Callable>>(at)));
                      }),
        true);
}

inline void scope::close() noexcept
{
    if (!scope_)
        return;
    int saved = errno;
    bine_scope_cancel(scope_, 0);
    /* Its members may use variables of frames that are about to go. */
    if (bine_scope_end(scope_) != 0 && (errno == EPERM || errno == EINVAL || errno == EDEADLK)) {
        detail::say("bine: a bine::scope ends in another greenlet than its own, or before what is "
                    "inside it");
        std::terminate();
    }
    scope_ = nullptr;
    errno = saved;
}

/* Called in a handler of in_scope. If a member's failure cut the block short, that failure is the
 * reason for the block's exception. */
inline void scope::rethrow_cause()
{
    bool member_first = failure_.first && !bine_killed(bine_getcurrent());
    close();
    if (member_first)
        std::rethrow_exception(std::exchange(failure_.first, nullptr));
    throw;
}

/* Run block(scope), in a scope of this time, then join(). Returns what the block returns. If the
 * block throws, its members are killed and have ended by then. If a member's failure cut the block
 * short, that failure is thrown. */
template <class Limit, class Block> decltype(auto) in_scope(Limit limit, Block &&block)
{
    scope inside{duration(limit)};
    using Result = decltype(std::forward<Block>(block)(inside));
    try {
        if constexpr (std::is_void_v<Result>) {
            std::forward<Block>(block)(inside);
            inside.join();
            return;
        } else {
            Result result = std::forward<Block>(block)(inside);
            inside.join();
            return result;
        }
    } catch (...) {
        inside.rethrow_cause();
        throw;
    }
}
template <class Block> decltype(auto) in_scope(Block &&block)
{
    return in_scope(forever, std::forward<Block>(block));
}
} // namespace bine

#endif

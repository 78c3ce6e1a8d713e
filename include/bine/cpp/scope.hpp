/* Scope: structured concurrency with exceptions. */
#ifndef BINE_CPP_SCOPE_HPP
#define BINE_CPP_SCOPE_HPP

#include "../scope.h"
#include "task.hpp"

namespace bine
{
/*
 * None of the tasks that are spawned in it outlives it. When one of them ends by an exception, the others are killed, the
 * block's own waits fail, and the scope's end throws that exception. bine::in_scope is the shortest way to have one:
 *
 *      bine::in_scope(5s, [&](bine::scope &scope) {
 *          scope.spawn([&] { first = fetch(a); });
 *          scope.spawn([&] { second = fetch(b); });
 *      });                             // both have ended, or it throws and neither runs any more
 *
 * As an object it is a local variable of the greenlet that ends it, and is ended by join() on the way that succeeds. Its
 * destructor kills what still runs and waits for that, obeying neither kill nor timeout.
 */
class scope
{
  public:
    /* After this time the block's waits throw timeout, and the end kills what still runs. Throws std::system_error: ENOMEM,
     * EAGAIN. Switches: no. */
    explicit scope(duration limit = forever) : scope_(check(bine_scope_begin(limit.ns()), "bine::scope"))
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

    /* Spawn in it, as bine::spawn; members may do so, too. The task that is returned may be dropped: it lives as long as the
     * scope does. Throws std::system_error: as spawn, ECANCELED (cancelled, or a member has failed). Switches: no. */
    template <class Callable, class = detail::if_callable<Callable>>
    task<detail::result_of<Callable>> spawn(const char *name, Callable &&callable, where at = where::here())
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

    /* Kill all that run in it: one result was enough. Nothing can be spawned in it then, and join() does not throw for it.
     * Throws std::system_error: EINVAL (it has ended). Switches: no. */
    void cancel()
    {
        check(bine_scope_cancel(scope_, 0), "bine::scope::cancel");
    }

    /* Wait until all have ended, and end it. Throws what the first member that failed threw; timeout if its time has passed;
     * cancelled or timeout if the wait is cut short, whereupon they were killed and have ended. Switches: maybe. */
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
                          return bine_ref(bine_scope_spawn_with_at(scope_, given, run, arg,
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
        detail::say("bine: a bine::scope ends in another greenlet than its own, or before what is inside it");
        std::terminate();
    }
    scope_ = nullptr;
    errno = saved;
}

/* In a handler of in_scope: a member's failure that cut the block short is the reason for what the block threw. */
inline void scope::rethrow_cause()
{
    bool member_first = failure_.first && !bine_killed(bine_getcurrent());
    close();
    if (member_first)
        std::rethrow_exception(std::exchange(failure_.first, nullptr));
    throw;
}

/* block(scope), in a scope of this time, then join(). Returns what the block returns. If the block throws, its members are
 * killed and have ended by then; if a member's failure cut the block short, it is that failure that is thrown. */
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

/* Tasks: greenlets that run any callable, and the outcome of it. */
#ifndef BINE_CPP_TASK_HPP
#define BINE_CPP_TASK_HPP

#include <type_traits>

#include "outcome.hpp"

namespace bine
{
/* These options say how a task is spawned, as bine_spawn_options does. */
struct options {
    /* It is copied. nullptr gives "file.cpp:42", the place of the call that spawned the task. */
    const char *name = nullptr;
    std::size_t stack_size = 0;               /* bytes; 0 means the default */
    duration delay = std::chrono::seconds(0); /* it starts so much later */
};

namespace detail
{
template <class T> struct spawned {
    bine_greenlet *greenlet;
    result<T> *outcome;
};

template <class Callable> using body_of = std::decay_t<Callable>;
template <class Callable> using result_of = std::invoke_result_t<body_of<Callable>>;
template <class Callable>
using if_callable = std::enable_if_t<std::is_invocable_v<body_of<Callable>>>;
} // namespace detail

/* A task is a greenlet that runs a callable and holds what that returned, T (void, a value that
 * may be movable only, a reference), or the exception that it threw. A task has one owner, who
 * moves it. Its destructor kills the greenlet and waits for its end, so that a body may refer to
 * variables of the frame that holds the task. detach() lets it run on. A task may be moved to
 * another thread, and be joined or destroyed there. Two threads may not call it at the same
 * time. */
template <class T = void> class task
{
  public:
    task() noexcept = default;
    task(task &&other) noexcept
        : greenlet_(std::exchange(other.greenlet_, nullptr)),
          outcome_(std::exchange(other.outcome_, nullptr)), of_scope_(other.of_scope_)
    {
    }
    task &operator=(task &&other) noexcept
    {
        if (this != &other) {
            end();
            greenlet_ = std::exchange(other.greenlet_, nullptr);
            outcome_ = std::exchange(other.outcome_, nullptr);
            of_scope_ = other.of_scope_;
        }
        return *this;
    }
    /* Waits for the greenlet's end, and obeys neither kill nor timeout. Reports an exception that
     * no caller got. Where it cannot wait (the task's own body, a link), it kills the greenlet and
     * lets go of it. */
    ~task()
    {
        end();
    }

    /* Returns true if the task has a greenlet. It has none after get, detach, or a move away. */
    explicit operator bool() const noexcept
    {
        return greenlet_ != nullptr;
    }
    /* Returns the greenlet, borrowed, for the C functions; nullptr without one. Do not call
     * bine_join and bine_detach for it. */
    bine_greenlet *handle() const noexcept
    {
        return greenlet_;
    }
    const char *name() const noexcept
    {
        return bine_name(greenlet_);
    }
    /* Returns true if the greenlet has ended. Switches: no. */
    bool done() const noexcept
    {
        return outcome_ && (outcome_->over() || bine_dead(greenlet_));
    }

    /* Kill the greenlet: its waits throw cancelled from now on (bine_kill). The call does not wait.
     * Throws std::system_error: EINVAL (there is no greenlet), from another thread ENOMEM.
     * Switches: no. */
    void kill()
    {
        check(bine_kill(greenlet_), "bine::task::kill");
    }

    /* Wait for the greenlet's end, however it ends. The task stays as it is. Throws timeout,
     * cancelled, std::system_error: EINVAL (there is no greenlet), EDEADLK (the caller is the
     * task's own body). Switches: maybe. */
    void join(duration limit = forever)
    {
        if (!bine_ref(greenlet_))
            raise(greenlet_ ? errno : EINVAL, "bine::task::join");
        if (bine_join(greenlet_, nullptr, limit.ns()) == 0)
            return;
        int error = errno;
        bine_detach(greenlet_);
        if (error != ESRCH) /* its thread has ended, and so has it */
            raise(error, "bine::task::join");
    }

    /* Wait for the greenlet's end, and take the outcome: returns what the body returned, throws
     * what it threw. The task has no greenlet then. Throws std::system_error of ECANCELED if the
     * greenlet was killed (cancelled is for greenlets that are killed themselves), and of another
     * error if it ended by bine_fail. If the wait itself fails, as join's may, the task stays as it
     * is. Switches: maybe. */
    T get(duration limit = forever)
    {
        if (!greenlet_)
            raise(EINVAL, "bine::task::get");
        int error = bine_get(greenlet_, nullptr, limit.ns()) == 0 ? 0 : errno;
        if (error && !done() && error != ESRCH)
            raise(error, "bine::task::get");
        std::unique_ptr<detail::result<T>> outcome(std::exchange(outcome_, nullptr));
        auto *greenlet = std::exchange(greenlet_, nullptr);
        if (error)
            bine_detach(greenlet);
        if (outcome->how() == detail::outcome::end::returned)
            return outcome->take();
        if (auto exception = outcome->take_exception()) {
            outcome.reset();
            std::rethrow_exception(std::move(exception));
        }
        throw std::system_error(error ? error : ECANCELED, std::generic_category(),
                                "bine::task::get: it ended without a value");
    }

    /* Let the greenlet run on by itself. An exception that leaves its body is reported when it
     * does. Switches: no. */
    void detach() noexcept
    {
        auto *outcome = std::exchange(outcome_, nullptr);
        auto *greenlet = std::exchange(greenlet_, nullptr);
        if (!outcome)
            return;
        if (bine_dead(greenlet))
            outcome->free(greenlet);
        else
            outcome->let_go(greenlet);
        bine_detach(greenlet);
    }

    /* spawn uses this. */
    explicit task(detail::spawned<T> made, bool of_scope = false) noexcept
        : greenlet_(made.greenlet), outcome_(made.outcome), of_scope_(of_scope)
    {
    }

  private:
    void end() noexcept
    {
        if (!outcome_)
            return;
        if (!of_scope_ && !bine_dead(greenlet_)) {
            shield whole;
            int saved = errno;
            bine_kill(greenlet_);
            bine_killall(&greenlet_, 1, BINE_FOREVER);
            errno = saved;
        }
        detach();
    }

    bine_greenlet *greenlet_ = nullptr;
    detail::result<T> *outcome_ = nullptr;
    bool of_scope_ = false; /* the scope's end waits for it */
};

namespace detail
{
/* Makes a job of this callable, and the greenlet that `begin` makes of it. It holds a reference to
 * the greenlet. */
template <class Callable, class Begin>
spawned<result_of<Callable>> start(Callable &&callable, const options &how, failure *of_scope,
                                   const Begin &begin)
{
    using Job = job<result_of<Callable>, body_of<Callable>>;
    auto made = std::make_unique<Job>(std::forward<Callable>(callable), of_scope);
    bine_spawn_options given = {};
    given.name = how.name;
    given.stack_size = how.stack_size;
    given.delay = how.delay.ns();
    given.discard = Job::discard;
    bine_greenlet *greenlet = begin(&given, Job::run, made.get());
    return {check(greenlet, "bine::spawn"), made.release()};
}
} // namespace detail

/* Returns a task that will run `callable` once the spawner parks. The callable is anything that can
 * be called without arguments. It is moved or copied into the task and destroyed as its body ends.
 * Dumps and reports name the task by `name`, or else by the place of the call, "file.cpp:42". `at`
 * is for functions that spawn on behalf of others. Throws std::bad_alloc, and std::system_error:
 * EINVAL, ENOMEM, EAGAIN. Switches: no. */
template <class Callable, class = detail::if_callable<Callable>>
[[nodiscard]] task<detail::result_of<Callable>> spawn(const options &how, Callable &&callable,
                                                      where at = where::here())
{
    return task<detail::result_of<Callable>>(
        detail::start(std::forward<Callable>(callable), how, nullptr,
                      [&](const bine_spawn_options *given, bine_run *run, void *arg) {
                          return bine_spawn_with_at(given, run, arg,
                                                    detail::site_of<detail::body_of<Callable>>(at));
                      }));
}
template <class Callable, class = detail::if_callable<Callable>>
[[nodiscard]] task<detail::result_of<Callable>> spawn(const char *name, Callable &&callable,
                                                      where at = where::here())
{
    options how;
    how.name = name;
    return spawn(how, std::forward<Callable>(callable), at);
}
template <class Callable, class = detail::if_callable<Callable>>
[[nodiscard]] task<detail::result_of<Callable>> spawn(Callable &&callable, where at = where::here())
{
    return spawn(options(), std::forward<Callable>(callable), at);
}

/* Spawn a task and forget it. The value that the callable returns is dropped, and the exception
 * that it throws is reported. */
template <class How, class Callable, class = detail::if_callable<Callable>>
void go(const How &how, Callable &&callable, where at = where::here())
{
    spawn(how, std::forward<Callable>(callable), at).detach();
}
template <class Callable, class = detail::if_callable<Callable>>
void go(Callable &&callable, where at = where::here())
{
    spawn(options(), std::forward<Callable>(callable), at).detach();
}
} // namespace bine

#endif

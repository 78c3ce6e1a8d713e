/* Failures as exceptions. */
#ifndef BINE_CPP_ERROR_HPP
#define BINE_CPP_ERROR_HPP

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <memory>
#include <system_error>
#include <type_traits>
#include <typeinfo>

#include "../hub.h"
#include "base.hpp"

namespace bine
{
/* The current greenlet was killed. Its waits throw this, all of them from then on, so that its
 * frames are unwound and it ends. It is no std::exception, so that a handler that logs an error and
 * tries again does not stop it. It always means the greenlet that sees it. If a greenlet waits for
 * a task that was killed, it gets a std::system_error of ECANCELED. */
class cancelled
{
  public:
    const char *what() const noexcept
    {
        return "bine::cancelled";
    }
};

/* The time limit of a call, or of a bine::deadline around it, has passed: ETIMEDOUT. */
class timeout : public std::system_error
{
  public:
    explicit timeout(const char *what = "bine")
        : std::system_error(ETIMEDOUT, std::generic_category(), what)
    {
    }
};

/* Nothing can be sent or put there any more: EPIPE. */
class closed : public std::system_error
{
  public:
    explicit closed(const char *what = "bine")
        : std::system_error(EPIPE, std::generic_category(), what)
    {
    }
};

/* Throw the exception that stands for an errno value: cancelled for ECANCELED if the current
 * greenlet was killed, timeout for ETIMEDOUT, otherwise std::system_error with `what` in its text.
 * Any thread may call it. Switches: no. */
[[noreturn]] inline void raise(int error, const char *what)
{
    if (error == ECANCELED && bine_hub_exists() && bine_killed(bine_getcurrent()))
        throw cancelled();
    if (error == ETIMEDOUT)
        throw timeout(what);
    throw std::system_error(error, std::generic_category(), what);
}

/* Returns the result of a call in the manner of libc and of Bine's C functions. If the result is -1
 * or a null pointer, throws the exception that stands for errno (see raise). It is above all for
 * patched calls: bine::check(recv(fd, data, size, 0), "recv"). */
template <class Result> inline Result check(Result result, const char *what = "bine::check")
{
    if constexpr (std::is_pointer_v<Result>) {
        if (!result)
            raise(errno, what);
    } else {
        if (result == Result(-1))
            raise(errno, what);
    }
    return result;
}

namespace detail
{
/* Called in a handler. It writes the type of the exception that is handled, and its text. */
inline void say_current_exception(const char *name, const char *what) noexcept
{
    const std::type_info *type = abi::__cxa_current_exception_type();
    int status = 0;
    std::unique_ptr<char, void (*)(void *)> readable(
        type ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &status) : nullptr, std::free);
    char head[512];
    std::snprintf(head, sizeof head, "bine: %s ended by an exception that nobody gets: %s", name,
                  readable ? readable.get()
                  : type   ? type->name()
                           : "of another language");
    say(head, *what ? ": " : "", what);
}

/* An exception left the body of the greenlet of this name, and no caller asks for it. */
inline void report(const char *name, const std::exception_ptr &exception) noexcept
{
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception &error) {
        say_current_exception(name, error.what());
    } catch (...) {
        say_current_exception(name, "");
    }
}

/* Returns an errno value for an exception, for callers that look at the greenlet by C's means
 * (bine_error). */
inline int number_of(const std::exception_ptr &exception) noexcept
{
    try {
        std::rethrow_exception(exception);
    } catch (const std::system_error &error) {
        bool number = error.code().category() == std::generic_category() ||
                      error.code().category() == std::system_category();
        return number && error.code().value() > 0 ? error.code().value() : ENOTRECOVERABLE;
    } catch (const std::bad_alloc &) {
        return ENOMEM;
    } catch (...) {
        return ENOTRECOVERABLE;
    }
}
} // namespace detail
} // namespace bine

#endif

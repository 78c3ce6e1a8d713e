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
/* The current greenlet was killed: thrown by its waits, all of them from then on, so that its frames are unwound and it ends.
 * Not a std::exception: a handler that logs an error and tries again must not stop it. It always means the greenlet that
 * sees it; a task that somebody waited for and that was killed is a std::system_error of ECANCELED to that one. */
class cancelled
{
  public:
    const char *what() const noexcept
    {
        return "bine::cancelled";
    }
};

/* A call's time limit, or that of a bine::deadline around it, has passed: ETIMEDOUT. */
class timeout : public std::system_error
{
  public:
    explicit timeout(const char *what = "bine") : std::system_error(ETIMEDOUT, std::generic_category(), what)
    {
    }
};

/* Nothing can be sent or put there any more: EPIPE. */
class closed : public std::system_error
{
  public:
    explicit closed(const char *what = "bine") : std::system_error(EPIPE, std::generic_category(), what)
    {
    }
};

/* Throw what an errno value says: cancelled for ECANCELED if the current greenlet was killed, timeout for ETIMEDOUT, else
 * std::system_error with `what` in its text. Any thread. Switches: no. */
[[noreturn]] inline void raise(int error, const char *what)
{
    if (error == ECANCELED && bine_hub_exists() && bine_killed(bine_getcurrent()))
        throw cancelled();
    if (error == ETIMEDOUT)
        throw timeout(what);
    throw std::system_error(error, std::generic_category(), what);
}

/* The result of a call in the manner of libc and of Bine's C functions, or, if that is -1 or a null pointer, what errno says
 * as an exception (see raise). For patched calls above all: bine::check(recv(fd, data, size, 0), "recv"). */
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
/* Called in a handler: the type of the exception that is handled, and what it says. */
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

/* An exception left the body of the greenlet of this name, and nobody asks for it. */
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

/* An errno value for an exception, for those who look at the greenlet by C's means (bine_error). */
inline int number_of(const std::exception_ptr &exception) noexcept
{
    try {
        std::rethrow_exception(exception);
    } catch (const std::system_error &error) {
        bool number =
            error.code().category() == std::generic_category() || error.code().category() == std::system_category();
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

/*
 * The parts that the C++ headers share: durations, the place that spawned a greenlet, owners of C
 * objects.
 */
#ifndef BINE_CPP_BASE_HPP
#define BINE_CPP_BASE_HPP

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <ratio>
#include <unistd.h>
#include <utility>

#include "../greenlet.h"
#include "../object.h"
#include "runtime.hpp"

#if !defined(__cpp_exceptions)
#error "bine.hpp needs exceptions: C programs use bine.h"
#endif

namespace bine
{
/* This is a duration for any call that waits: any duration of std::chrono, rounded up to
 * nanoseconds, or bine::forever. A negative one is zero, so that `deadline - clock::now()` can be
 * given as it is. One that 64 bits cannot hold is forever. */
class duration
{
  public:
    template <class Rep, class Period>
    constexpr duration(std::chrono::duration<Rep, Period> given) noexcept : ns_(convert(given))
    {
    }

    static constexpr duration unlimited() noexcept
    {
        return duration(BINE_FOREVER);
    }

    constexpr std::int64_t ns() const noexcept
    {
        return ns_;
    }

  private:
    explicit constexpr duration(std::int64_t ns) noexcept : ns_(ns)
    {
    }

    template <class Rep, class Period>
    static constexpr std::int64_t convert(std::chrono::duration<Rep, Period> given) noexcept
    {
        using ratio = std::ratio_divide<Period, std::nano>;
        if (!(given.count() > Rep(0)))
            return 0;
        if constexpr (std::numeric_limits<Rep>::is_integer && ratio::den == 1) {
            constexpr auto most = static_cast<std::uint64_t>(BINE_FOREVER / ratio::num);
            return static_cast<std::uint64_t>(given.count()) > most
                       ? BINE_FOREVER
                       : static_cast<std::int64_t>(given.count()) * std::int64_t{ratio::num};
        } else {
            auto exact = std::chrono::duration<long double, std::nano>(given).count();
            if (!(exact < static_cast<long double>(BINE_FOREVER)))
                return BINE_FOREVER;
            auto whole = static_cast<std::int64_t>(exact);
            return static_cast<long double>(whole) < exact ? whole + 1 : whole;
        }
    }

    std::int64_t ns_;
};

inline constexpr duration forever = duration::unlimited();

/* Tells the constructor of an object whether greenlets of other threads use it, too
 * (BINE_SHARED). */
enum class sharing : unsigned {
    none = 0,
    shared = BINE_SHARED
};
inline constexpr sharing shared = sharing::shared;

/* While a shield lives, waits of the current greenlet obey neither kill nor timeout
 * (bine_shield_begin), so that cleanup can wait. Make it a local variable only. */
class shield
{
  public:
    shield() noexcept
    {
        bine_shield_begin();
    }
    ~shield()
    {
        bine_shield_end();
    }
    shield(const shield &) = delete;
    shield &operator=(const shield &) = delete;
};

/* This is a place in the source. Calls that spawn have it as their last parameter. Its default is
 * the place of the call. */
struct where {
    const char *file;
    int line;

    static constexpr where here(const char *file = __builtin_FILE(),
                                int line = __builtin_LINE()) noexcept
    {
        return {file, line};
    }
};

namespace detail
{
/* Write one line to standard error. Each character that a terminal would obey becomes "?". */
inline void say(const char *text, const char *more = "", const char *rest = "") noexcept
{
    char line[1024];
    int wanted = std::snprintf(line, sizeof line - 1, "%s%s%s", text, more, rest);
    std::size_t length = wanted < 0 ? 0 : static_cast<std::size_t>(wanted);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    for (std::size_t i = 0; i < length; i++)
        if (static_cast<unsigned char>(line[i]) < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[length++] = '\n';
    shield whole; /* where write is patched it may wait */
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line, length);
}

/* This owns a C object. `Free` frees the object. */
template <class C, int (*Free)(C *)> class owner
{
  public:
    explicit owner(C *object) noexcept : object_(object)
    {
    }
    owner(owner &&other) noexcept : object_(std::exchange(other.object_, nullptr))
    {
    }
    owner &operator=(owner &&other) noexcept
    {
        if (this != &other) {
            free();
            object_ = std::exchange(other.object_, nullptr);
        }
        return *this;
    }
    ~owner()
    {
        free();
    }

    C *get() const noexcept
    {
        return object_;
    }

  private:
    void free() noexcept
    {
        /* The waiters would come back to memory of another object. Therefore the object stays, and
         * a line on standard error says so. */
        if (object_ && Free(object_) != 0)
            say("bine: an object was destroyed, but could not be freed and is left: ",
                std::strerror(errno));
        object_ = nullptr;
    }

    C *object_;
};
} // namespace detail
} // namespace bine

#endif

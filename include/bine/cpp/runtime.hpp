/*
 * Tells Bine where the C++ runtime of this program or library is. Bine does not find a runtime that
 * was linked with -static-libstdc++. bine.hpp includes this header.
 */
#ifndef BINE_CPP_RUNTIME_HPP
#define BINE_CPP_RUNTIME_HPP

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime.h"

namespace bine
{
namespace detail
{
/* The runtime's function __cxa_get_globals. The headers of some runtimes do not declare it. */
extern "C" void *bine_cxx_get_globals() __asm__("__cxa_get_globals");

/* Hidden, so that each program or library has its own. Otherwise the loader would choose one copy
 * for all of them. */
__attribute__((visibility("hidden"))) inline bool name_runtime() noexcept
{
    if (bine_cxx_runtime_add(bine_cxx_get_globals) == 0)
        return true;
    std::fprintf(stderr, "bine: exceptions of this C++ runtime do not follow the greenlets: %s\n",
                 std::strerror(errno));
    return false;
}
__attribute__((visibility("hidden"))) inline const bool runtime_is_named = name_runtime();
} // namespace detail
} // namespace bine

#endif

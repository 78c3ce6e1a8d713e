/*
 * Names the C++ runtime of this object to Bine. A program or library that is linked with
 * -static-libstdc++ needs it. bine.hpp includes it.
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
/* The runtime's function by a name of Bine's, since not each runtime's headers declare it. */
extern "C" void *bine_cxx_get_globals() __asm__("__cxa_get_globals");

/* Hidden, so that each object has its own: otherwise the loader would let one object's copy serve
 * all of them. */
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

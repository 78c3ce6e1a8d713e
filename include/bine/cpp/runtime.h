/* The exceptions of a C++ runtime that an object has linked statically. */
#ifndef BINE_CPP_RUNTIME_H
#define BINE_CPP_RUNTIME_H

#include "../base.h"

BINE_BEGIN

#define BINE_CXX_RUNTIMES 8 /* the number of runtimes that a process may name */

/*
 * Let the exceptions of a C++ runtime follow the greenlets. `globals` is the runtime's
 * __cxa_get_globals.
 *
 * Bine finds a shared runtime by its name. It cannot find a runtime that is linked statically
 * (-static-libstdc++): without this call greenlets mix up the exceptions that they handle while
 * they wait. An object that includes bine.hpp makes this call by itself, before main or inside
 * dlopen. So does one that includes only bine/cpp/runtime.hpp.
 *
 * The calling thread knows the runtime at once, other threads when they next look for events. The
 * object of `globals` is never unloaded after that. Naming a runtime again does nothing. Where a
 * thread has only a shared runtime, its switches take as long as before. A static runtime makes
 * them as long as a shared one does, and each further runtime makes them longer.
 *
 * Returns 0, or -1 with EINVAL (`globals` is NULL, or is no function of a loaded object), ENOSPC
 * (BINE_CXX_RUNTIMES are there already), or ENOMEM. Any thread may call it. Switches: no.
 */
BINE_API int bine_cxx_runtime_add(void *(*globals)(void));

BINE_END

#endif

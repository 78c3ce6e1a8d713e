/* The exceptions of a C++ runtime that an object has linked statically. */
#ifndef BINE_CPP_RUNTIME_H
#define BINE_CPP_RUNTIME_H

#include "../base.h"

BINE_BEGIN

#define BINE_CXX_RUNTIMES 8 /* so many are followed in a process */

/*
 * Let the exceptions of a C++ runtime follow the greenlets. `globals` is the runtime's __cxa_get_globals.
 *
 * Bine finds a shared runtime by its name. A runtime that is linked statically (-static-libstdc++) cannot be found: without this call
 * greenlets mix up the exceptions that they handle while they wait. An object that includes bine.hpp makes this call by itself, before
 * main or inside dlopen. So does one that includes nothing but bine/cpp/runtime.hpp.
 *
 * The calling thread knows the runtime at once, other threads when they next look for events. The object of `globals` is never
 * unloaded after that. Naming a runtime again does nothing. Where a thread has a shared runtime only, its switches are as before. A static one
 * makes them as long as a shared one does, and each further one longer.
 *
 * 0, or -1 with errno: EINVAL (NULL, or no function of an object that is loaded), ENOSPC (BINE_CXX_RUNTIMES are there already), ENOMEM.
 * Any thread. Switches: no.
 */
BINE_API int bine_cxx_runtime_add(void *(*globals)(void));

BINE_END

#endif

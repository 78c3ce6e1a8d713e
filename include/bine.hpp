/*
 * Bine for C++17 and later: tasks of any callable, exceptions that cross from one greenlet to another, typed channels.
 * It is made of headers only, over the same libbine as C.
 *
 *      auto page = bine::spawn([url, socket = std::move(socket)] { return fetch(socket, url); });
 *      std::cout << page.get(5s);      // what the lambda returned, or throws what it threw
 *
 * Rules that all of it shares:
 *
 *  - Durations are of std::chrono, or bine::forever. One that is negative counts as zero.
 *  - A call that fails throws std::system_error with errno in std::generic_category(). bine::timeout (ETIMEDOUT) and
 *    bine::closed (EPIPE) derive from it.
 *  - A wait of a greenlet that was killed throws bine::cancelled, which derives from nothing, so that handlers of
 *    std::exception let it pass. It unwinds the greenlet's frames and ends it. `catch (...)` catches it, too: rethrow it,
 *    or the next wait throws it again.
 *  - Destructors that wait obey neither kill nor timeout. A destructor of yours that waits opens a bine::shield first:
 *    an exception would end the process.
 *  - An exception that leaves a body and that nobody gets is reported on standard error, with the greenlet's name.
 *  - What the C headers say of threads, of errors and of switching holds for the call of the same name here.
 */
#ifndef BINE_HPP
#define BINE_HPP

#include "bine.h"

#include "bine/cpp/base.hpp"
#include "bine/cpp/channel.hpp"
#include "bine/cpp/error.hpp"
#include "bine/cpp/lock.hpp"
#include "bine/cpp/mailbox.hpp"
#include "bine/cpp/offload.hpp"
#include "bine/cpp/queue.hpp"
#include "bine/cpp/runtime.hpp"
#include "bine/cpp/scope.hpp"
#include "bine/cpp/select.hpp"
#include "bine/cpp/sync.hpp"
#include "bine/cpp/task.hpp"
#include "bine/cpp/timeout.hpp"

#endif

/*
 * Bine for C++17 and later: tasks of any callable, exceptions that cross from one greenlet to
 * another, typed channels. It consists of headers only, over the same libbine as C.
 *
 *      auto page = bine::spawn([url, socket = std::move(socket)] { return fetch(socket, url); });
 *      std::cout << page.get(5s);      // what the lambda returned, or throws what it threw
 *
 * These rules hold for all of it:
 *
 *  - Durations are of std::chrono, or bine::forever. A negative one counts as zero.
 *  - A call that fails throws std::system_error with errno in std::generic_category().
 *    bine::timeout (ETIMEDOUT) and bine::closed (EPIPE) derive from it.
 *  - A wait of a greenlet that was killed throws bine::cancelled. It derives from no class, so that
 *    handlers of std::exception let it pass. It unwinds the greenlet's frames and ends the
 *    greenlet. `catch (...)` catches it, too: rethrow it, or the next wait throws it again.
 *  - Destructors that wait obey neither kill nor timeout. A destructor of yours that waits has to
 *    open a bine::shield first: otherwise an exception would end the process.
 *  - If an exception leaves a body and no caller gets it, Bine reports it on standard error, with
 *    the greenlet's name.
 *  - The statements of the C headers about threads, errors and switching hold for the call of the
 *    same name here.
 *  - The comment of a constructor or a call lists what it throws. std::system_error stands there
 *    with the errors that it may hold.
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

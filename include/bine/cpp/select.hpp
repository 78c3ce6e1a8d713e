/*
 * Select: wait for several operations, and do exactly one of them, the first that can be done
 * (bine_choose).
 */
#ifndef BINE_CPP_SELECT_HPP
#define BINE_CPP_SELECT_HPP

#include <array>
#include <functional>

#include "../choose.h"
#include "../clock.h"
#include "channel.hpp"
#include "mailbox.hpp"
#include "queue.hpp"
#include "sync.hpp"

namespace bine
{
namespace detail
{
/* A case of a select fills in its choice, and runs its handler if its operation was done. Cases
 * that wait for time have a `limit`. */
struct any_case {
    void prepare(bine_choice &choice) noexcept
    {
        choice = {BINE_CHOOSE_READY, nullptr, nullptr, 0};
    }
    void done(const bine_choice &) noexcept
    {
    }
    duration limit() const noexcept
    {
        return forever;
    }
};

template <class T, class Handler> struct take_case : any_case {
    bine_choice_operation operation;
    void *object;
    std::optional<T> item;
    Handler handler;

    take_case(bine_choice_operation which, void *from, Handler &&run)
        : operation(which), object(from), handler(std::forward<Handler>(run))
    {
    }
    void prepare(bine_choice &choice) noexcept
    {
        choice = {operation, object, nullptr, 0};
    }
    void done(const bine_choice &choice)
    {
        if (choice.error == 0)
            item.emplace(detail::item<T>::unpack(choice.item));
        else if (choice.error != EPIPE)
            raise(choice.error, "bine::select");
    }
    void run()
    {
        std::invoke(std::forward<Handler>(handler), std::move(item));
    }
};

template <class T, class Handler> struct give_case : any_case {
    bine_choice_operation operation;
    void *object;
    parcel<T> wrapped;
    Handler handler;

    template <class Given>
    give_case(bine_choice_operation which, void *to, Given &&given, Handler &&run)
        : operation(which), object(to), wrapped(std::forward<Given>(given)),
          handler(std::forward<Handler>(run))
    {
    }
    void prepare(bine_choice &choice) noexcept
    {
        choice = {operation, object, wrapped.packed(), 0};
    }
    void done(const bine_choice &choice)
    {
        errno = choice.error;
        sent(choice.error ? -1 : 0, wrapped, "bine::select");
    }
    void run()
    {
        std::invoke(std::forward<Handler>(handler));
    }
};

template <class Handler> struct plain_case : any_case {
    bine_choice_operation operation;
    void *object;
    duration length;
    Handler handler;

    plain_case(bine_choice_operation which, void *of, duration until, Handler &&run)
        : operation(which), object(of), length(until), handler(std::forward<Handler>(run))
    {
    }
    void prepare(bine_choice &choice) noexcept
    {
        choice = {operation, object, nullptr, 0};
    }
    void done(const bine_choice &choice)
    {
        if (choice.error)
            raise(choice.error, "bine::select");
    }
    duration limit() const noexcept
    {
        return length;
    }
    void run()
    {
        std::invoke(std::forward<Handler>(handler));
    }
};

template <class Handler> struct descriptor_case : plain_case<Handler> {
    int descriptor;

    descriptor_case(bine_choice_operation which, int of, Handler &&run)
        : plain_case<Handler>(which, nullptr, forever, std::forward<Handler>(run)), descriptor(of)
    {
    }
    void prepare(bine_choice &choice) noexcept
    {
        choice = {this->operation, &descriptor, nullptr, 0};
    }
};

template <std::size_t... Index, class... Cases>
std::size_t select_of(bool in_order, std::index_sequence<Index...>, Cases &...cases)
{
    std::array<bine_choice, sizeof...(Cases)> choices;
    (cases.prepare(choices[Index]), ...);
    std::size_t shortest = sizeof...(Cases);
    duration limit = forever;
    ((cases.limit().ns() < limit.ns() ? (void)(limit = cases.limit(), shortest = Index) : (void)0),
     ...);

    std::int64_t moment = bine_deadline(limit.ns());
    ssize_t chosen = in_order ? bine_choose_first(choices.data(), choices.size(), limit.ns())
                              : bine_choose(choices.data(), choices.size(), limit.ns());
    std::size_t index;
    if (chosen >= 0)
        index = static_cast<std::size_t>(chosen);
    else if (errno == ETIMEDOUT && bine_left(moment) == 0)
        index = shortest;
    else
        raise(errno, "bine::select");
    ((Index == index ? cases.done(choices[Index]) : (void)0), ...);
    ((Index == index ? cases.run() : (void)0), ...);
    return index;
}
} // namespace detail

/* Receive from a channel. The handler is called as handler(std::optional<T>). The optional is empty
 * if the channel is closed. */
template <class T, class Handler> auto on_receive(channel<T> &from, Handler &&handler)
{
    return detail::take_case<T, Handler>(BINE_CHOOSE_RECEIVE, from.handle(),
                                         std::forward<Handler>(handler));
}
/* Does the same for a mailbox of this thread. */
template <class T, class Handler> auto on_receive(mailbox<T> &from, Handler &&handler)
{
    return detail::take_case<T, Handler>(BINE_CHOOSE_RECEIVE, from.handle(),
                                         std::forward<Handler>(handler));
}
/* Send to a channel. handler() is called when the item has been sent. An item that was moved into
 * it comes back if another case is done. select throws closed if the channel is closed. */
template <class T, class Handler> auto on_send(channel<T> &to, T &&item, Handler &&handler)
{
    return detail::give_case<T, Handler>(BINE_CHOOSE_SEND, to.handle(), std::move(item),
                                         std::forward<Handler>(handler));
}
template <class T, class Handler> auto on_send(channel<T> &to, const T &item, Handler &&handler)
{
    return detail::give_case<T, Handler>(BINE_CHOOSE_SEND, to.handle(), item,
                                         std::forward<Handler>(handler));
}
/* Does the same for queues. */
template <class T, class Handler> auto on_get(detail::queue_of<T> &from, Handler &&handler)
{
    return detail::take_case<T, Handler>(BINE_CHOOSE_GET, from.handle(),
                                         std::forward<Handler>(handler));
}
template <class T, class Handler> auto on_put(detail::queue_of<T> &to, T &&item, Handler &&handler)
{
    return detail::give_case<T, Handler>(BINE_CHOOSE_PUT, to.handle(), std::move(item),
                                         std::forward<Handler>(handler));
}
template <class T, class Handler>
auto on_put(detail::queue_of<T> &to, const T &item, Handler &&handler)
{
    return detail::give_case<T, Handler>(BINE_CHOOSE_PUT, to.handle(), item,
                                         std::forward<Handler>(handler));
}
/* Take a permit. */
template <class Handler> auto on_acquire(semaphore &of, Handler &&handler)
{
    return detail::plain_case<Handler>(BINE_CHOOSE_ACQUIRE, of.handle(), forever,
                                       std::forward<Handler>(handler));
}
/* Wait until an object is ready: a task has ended, an event is set, a lock is free. It takes
 * anything with a handle() that bine_wait accepts. Nothing is taken. */
template <class Object, class Handler> auto on_ready(const Object &of, Handler &&handler)
{
    return detail::plain_case<Handler>(BINE_CHOOSE_READY, of.handle(), forever,
                                       std::forward<Handler>(handler));
}
/* Wait until a descriptor can be read, or has an error or an end to report, or until it can be
 * written. Nothing is read or written. */
template <class Handler> auto on_readable(int descriptor, Handler &&handler)
{
    return detail::descriptor_case<Handler>(BINE_CHOOSE_READABLE, descriptor,
                                            std::forward<Handler>(handler));
}
template <class Handler> auto on_writable(int descriptor, Handler &&handler)
{
    return detail::descriptor_case<Handler>(BINE_CHOOSE_WRITABLE, descriptor,
                                            std::forward<Handler>(handler));
}
/* after is done when no other case could be done for `length`. otherwise is done at once if no
 * other case can be done. */
template <class Handler> auto after(duration length, Handler &&handler)
{
    return detail::plain_case<Handler>(BINE_CHOOSE_READY, nullptr, length,
                                       std::forward<Handler>(handler));
}
template <class Handler> auto otherwise(Handler &&handler)
{
    return after(std::chrono::seconds(0), std::forward<Handler>(handler));
}

/*
 * Do one of the cases, and then call its handler, in the current greenlet. If several can be done,
 * one of them is drawn.
 *
 *      bine::select(bine::on_receive(jobs, [&](auto job) { job ? work(*job) : stop(); }),
 *                   bine::on_ready(stopping, [&] { stop(); }),
 *                   bine::after(10s, [&] { report(); }));
 *
 * Returns the index of the case. Throws what the handler throws, closed (nothing can be sent there
 * any more), and std::bad_alloc. If no case was done, throws timeout of a limit around it,
 * cancelled, or std::system_error as bine_choose. Switches: when it has to wait.
 */
template <class... Cases> std::size_t select(Cases &&...cases)
{
    return detail::select_of(false, std::index_sequence_for<Cases...>(), cases...);
}
/* Does the same by priority: if several cases can be done, the first of them is done. */
template <class... Cases> std::size_t select_first(Cases &&...cases)
{
    return detail::select_of(true, std::index_sequence_for<Cases...>(), cases...);
}
} // namespace bine

#endif

/* Queues of typed items. */
#ifndef BINE_CPP_QUEUE_HPP
#define BINE_CPP_QUEUE_HPP

#include <functional>
#include <iterator>
#include <optional>

#include "../queue.h"
#include "item.hpp"

namespace bine
{
namespace detail
{
/* The calls that queues of either order have. */
template <class T> class queue_of
{
  public:
    /* Put an item, and wait for room. If that fails, an item that was moved into it comes back.
     * Throws closed (the queue is shut down), timeout, cancelled, std::system_error as
     * bine_queue_put, std::bad_alloc. Waits. */
    void put(T &&item, duration limit = forever)
    {
        hand_over(std::move(item), limit);
    }
    void put(const T &item, duration limit = forever)
    {
        hand_over(item, limit);
    }
    /* Does the same without waiting. Returns false if the queue is full. Throws closed,
     * std::system_error. Switches: no. */
    bool try_put(T &&item)
    {
        return try_hand_over(std::move(item));
    }
    bool try_put(const T &item)
    {
        return try_hand_over(item);
    }

    /* Returns the next item, or none if the queue is shut down and empty. Throws timeout,
     * cancelled, std::system_error. Waits. */
    std::optional<T> get(duration limit = forever)
    {
        void *packed = nullptr;
        int outcome = bine_queue_get(queue_.get(), &packed, limit.ns());
        return received<T>(outcome, packed, "bine::queue::get");
    }
    /* Does the same without waiting. Returns none also if the queue is empty now. Switches: no. */
    std::optional<T> try_get()
    {
        void *packed = nullptr;
        int outcome = bine_queue_get_nowait(queue_.get(), &packed);
        if (outcome != 0 && errno == EAGAIN)
            return std::nullopt;
        return received<T>(outcome, packed, "bine::queue::try_get");
    }

    /* Returns the number of items that are there now. */
    std::size_t size() const noexcept
    {
        return bine_queue_size(queue_.get());
    }
    bool full() const noexcept
    {
        return bine_queue_full(queue_.get());
    }

    /* Say that an item that the caller got has been dealt with. Throws std::system_error: EINVAL
     * (no task is unfinished). Switches: no. */
    void task_done()
    {
        check(bine_queue_task_done(queue_.get()), "bine::queue::task_done");
    }
    std::size_t unfinished() const noexcept
    {
        return bine_queue_unfinished(queue_.get());
    }
    /* Wait until all items that were put have been dealt with. Waits. */
    void join(duration limit = forever)
    {
        check(bine_queue_join(queue_.get(), limit.ns()), "bine::queue::join");
    }

    /* Shut the queue down. Nothing can be put any more, and gets take the items that are there.
     * With `immediate` these items are destroyed. Switches: no. */
    void shutdown(bool immediate = false)
    {
        check(bine_queue_shutdown(queue_.get(), immediate), "bine::queue::shutdown");
    }

    /* for (auto &item : queue) gets items until the queue is shut down and empty. */
    auto begin()
    {
        return typename items<queue_of, T>::iterator(this);
    }
    auto end()
    {
        return typename items<queue_of, T>::iterator(nullptr);
    }
    std::optional<T> next()
    {
        return get();
    }

    /* Returns the C queue, borrowed, for the C functions. */
    bine_queue *handle() const noexcept
    {
        return queue_.get();
    }

  protected:
    queue_of(std::size_t capacity, bine_queue_order order, sharing threads,
             int (*compare)(const void *, const void *) = nullptr)
        : queue_(make(capacity, order, threads, compare))
    {
    }
    queue_of(queue_of &&) noexcept = default;
    queue_of &operator=(queue_of &&) = delete;
    ~queue_of()
    {
        if (queue_.get())
            bine_queue_shutdown(queue_.get(), true);
    }

  private:
    static bine_queue *make(std::size_t capacity, bine_queue_order order, sharing threads,
                            int (*compare)(const void *, const void *))
    {
        bine_queue_options given = {};
        given.capacity = capacity;
        given.order = order;
        given.flags = static_cast<unsigned>(threads);
        given.compare = compare;
        given.discard = item<T>::discard;
        return check(bine_queue_new_with(&given), "bine::queue");
    }

    template <class Given> void hand_over(Given &&given, duration limit)
    {
        parcel<T> wrapped(std::forward<Given>(given));
        sent(bine_queue_put(queue_.get(), wrapped.packed(), limit.ns()), wrapped,
             "bine::queue::put");
    }

    template <class Given> bool try_hand_over(Given &&given)
    {
        parcel<T> wrapped(std::forward<Given>(given));
        int outcome = bine_queue_put_nowait(queue_.get(), wrapped.packed());
        if (outcome != 0 && errno == EAGAIN)
            return false;
        sent(outcome, wrapped, "bine::queue::try_put");
        return true;
    }

    owner<bine_queue, bine_queue_free> queue_;
};
} // namespace detail

enum class order {
    first_in_first_out = BINE_FIFO,
    last_in_first_out = BINE_LIFO
};

/* Some greenlets put items of T, which may be movable only, and others take them. The queue owns
 * the items that are in it. Its destructor shuts it down and destroys the items that are left. It
 * must outlive all calls of it. */
template <class T> class queue : public detail::queue_of<T>
{
  public:
    /* Make a queue of at most `capacity` items (0 means no bound). Throws std::system_error:
     * ENOMEM, EAGAIN. Switches: no. */
    explicit queue(std::size_t capacity = 0, sharing threads = sharing::none)
        : queue(capacity, order::first_in_first_out, threads)
    {
    }
    queue(std::size_t capacity, order which, sharing threads = sharing::none)
        : detail::queue_of<T>(capacity, static_cast<bine_queue_order>(which), threads)
    {
    }
};

/* The same, but get takes the item that comes before the others by Before(a, b), and the earliest
 * of equal ones. With std::less that is the smallest. Before has no state; it may neither switch
 * nor throw. */
template <class T, class Before = std::less<T>> class priority_queue : public detail::queue_of<T>
{
  public:
    explicit priority_queue(std::size_t capacity = 0, sharing threads = sharing::none)
        : detail::queue_of<T>(capacity, BINE_PRIORITY, threads, compare)
    {
    }

  private:
    static int compare(const void *a, const void *b) noexcept
    {
        return detail::item<T>::look(a, [b](const T &one) {
            return detail::item<T>::look(b, [&one](const T &other) {
                return Before()(one, other) ? -1 : Before()(other, one) ? 1 : 0;
            });
        });
    }
};
} // namespace bine

#endif

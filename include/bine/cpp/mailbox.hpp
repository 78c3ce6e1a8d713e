/* Mailboxes of typed items. */
#ifndef BINE_CPP_MAILBOX_HPP
#define BINE_CPP_MAILBOX_HPP

#include <optional>

#include "../mailbox.h"
#include "item.hpp"

namespace bine
{
/*
 * Items of T, which may be movable only, between threads: greenlets of any thread send, those of the thread that made it
 * receive. It owns what is in it. Its end closes it and destroys what is left. It must outlive all calls of it, and its
 * own thread ends it, or any once that has ended.
 */
template <class T> class mailbox
{
  public:
    /* With room for `capacity` items, rounded up to a power of two. Throws std::system_error: EINVAL (0, or over 2^30),
     * ENOMEM, EAGAIN. Switches: no. */
    explicit mailbox(std::size_t capacity) : mailbox_(make(capacity))
    {
    }
    mailbox(mailbox &&) noexcept = default;
    mailbox &operator=(mailbox &&) = delete;
    ~mailbox()
    {
        if (mailbox_.get())
            bine_mailbox_close(mailbox_.get());
    }

    /* Send an item, waiting for room. If that fails, an item that was moved into it comes back. Any thread. Throws closed,
     * timeout, cancelled, std::system_error as bine_mailbox_send; std::bad_alloc. Switches: when it has to wait. */
    void send(T &&item, duration limit = forever)
    {
        hand_over(std::move(item), limit);
    }
    void send(const T &item, duration limit = forever)
    {
        hand_over(item, limit);
    }
    /* The same without waiting: false if it is full. Any thread; needs no hub. Switches: no. */
    bool try_send(T &&item)
    {
        return try_hand_over(std::move(item));
    }
    bool try_send(const T &item)
    {
        return try_hand_over(item);
    }

    /* The next item, or none: it is closed, and all that was sent has been received. On its own thread. Throws timeout,
     * cancelled, std::system_error. Waits. */
    std::optional<T> receive(duration limit = forever)
    {
        void *packed = nullptr;
        int outcome = bine_mailbox_receive(mailbox_.get(), &packed, limit.ns());
        return detail::received<T>(outcome, packed, "bine::mailbox::receive");
    }

    /* No more sends. Any thread. Switches: no. */
    void close()
    {
        check(bine_mailbox_close(mailbox_.get()), "bine::mailbox::close");
    }
    bool is_closed() const noexcept
    {
        return bine_mailbox_closed(mailbox_.get());
    }

    /* for (auto &item : mailbox): receive until it is closed and empty. */
    auto begin()
    {
        return typename detail::items<mailbox, T>::iterator(this);
    }
    auto end()
    {
        return typename detail::items<mailbox, T>::iterator(nullptr);
    }
    std::optional<T> next()
    {
        return receive();
    }

    /* Borrowed, for the C functions. */
    bine_mailbox *handle() const noexcept
    {
        return mailbox_.get();
    }

  private:
    static bine_mailbox *make(std::size_t capacity)
    {
        bine_mailbox_options given = {};
        given.capacity = capacity;
        given.discard = detail::item<T>::discard;
        return check(bine_mailbox_new_with(&given), "bine::mailbox");
    }

    template <class Given> void hand_over(Given &&given, duration limit)
    {
        detail::parcel<T> parcel(std::forward<Given>(given));
        detail::sent(bine_mailbox_send(mailbox_.get(), parcel.packed(), limit.ns()), parcel, "bine::mailbox::send");
    }

    template <class Given> bool try_hand_over(Given &&given)
    {
        detail::parcel<T> parcel(std::forward<Given>(given));
        int outcome = bine_mailbox_send_nowait(mailbox_.get(), parcel.packed());
        if (outcome != 0 && errno == EAGAIN)
            return false;
        detail::sent(outcome, parcel, "bine::mailbox::try_send");
        return true;
    }

    detail::owner<bine_mailbox, bine_mailbox_free> mailbox_;
};
} // namespace bine

#endif

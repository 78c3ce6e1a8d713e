/* Mailboxes of typed items. */
#ifndef BINE_CPP_MAILBOX_HPP
#define BINE_CPP_MAILBOX_HPP

#include <optional>

#include "../mailbox.h"
#include "item.hpp"

namespace bine
{
/* A mailbox carries items of T, which may be movable only, between threads. Greenlets of any thread
 * send, those of the thread that made the mailbox receive. It owns the items that are in it. Its
 * destructor closes it and destroys the items that are left. It must outlive all calls of it. Its
 * own thread destroys it; any thread may once that one has ended. */
template <class T> class mailbox
{
  public:
    /* Make a mailbox with room for `capacity` items, rounded up to a power of two. Throws
     * std::system_error: EINVAL (0, or over 2^30), ENOMEM, EAGAIN. Switches: no. */
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

    /* Send an item, and wait for room. If that fails, an item that was moved into it comes back.
     * Any thread may call it. Throws closed, timeout, cancelled, std::system_error as
     * bine_mailbox_send, std::bad_alloc. Switches: when it has to wait. */
    void send(T &&item, duration limit = forever)
    {
        hand_over(std::move(item), limit);
    }
    void send(const T &item, duration limit = forever)
    {
        hand_over(item, limit);
    }
    /* Does the same without waiting. Returns false if the mailbox is full. Any thread may call it,
     * and it needs no hub. Switches: no. */
    bool try_send(T &&item)
    {
        return try_hand_over(std::move(item));
    }
    bool try_send(const T &item)
    {
        return try_hand_over(item);
    }

    /* Returns the next item, or none if the mailbox is closed and all that was sent has been
     * received. Call it on the mailbox's own thread. Throws timeout, cancelled, std::system_error.
     * Waits. */
    std::optional<T> receive(duration limit = forever)
    {
        void *packed = nullptr;
        int outcome = bine_mailbox_receive(mailbox_.get(), &packed, limit.ns());
        return detail::received<T>(outcome, packed, "bine::mailbox::receive");
    }

    /* Close the mailbox. Nothing can be sent any more. Any thread may call it. Switches: no. */
    void close()
    {
        check(bine_mailbox_close(mailbox_.get()), "bine::mailbox::close");
    }
    bool is_closed() const noexcept
    {
        return bine_mailbox_closed(mailbox_.get());
    }

    /* for (auto &item : mailbox) receives until the mailbox is closed and empty. */
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

    /* Returns the C mailbox, borrowed, for the C functions. */
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
        detail::sent(bine_mailbox_send(mailbox_.get(), parcel.packed(), limit.ns()), parcel,
                     "bine::mailbox::send");
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

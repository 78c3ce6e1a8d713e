/* Channels of typed items. */
#ifndef BINE_CPP_CHANNEL_HPP
#define BINE_CPP_CHANNEL_HPP

#include <iterator>
#include <optional>

#include "../channel.h"
#include "item.hpp"

namespace bine
{
/* A channel hands items of T, which may be movable only, from one greenlet to another. Without a
 * buffer sender and receiver meet. An item has one owner at each moment: the sender until the send
 * returns, then the channel, then the receiver. A send that fails gives back an item that was moved
 * into it. The channel's destructor closes it and destroys the items that are left in it. It must
 * outlive all calls of it. */
template <class T> class channel
{
  public:
    /* Make a channel with room for `buffer` items. With bine::shared greenlets of other threads use
     * it, too. Throws std::system_error: ENOMEM, EAGAIN. Switches: no. */
    explicit channel(std::size_t buffer = 0, sharing threads = sharing::none)
        : channel_(make(buffer, threads))
    {
    }
    channel(channel &&) noexcept = default;
    channel &operator=(channel &&) = delete;
    ~channel()
    {
        if (channel_.get())
            bine_channel_close(channel_.get());
    }

    /* Send an item. Returns when the item was received, or is in the buffer. Throws closed,
     * timeout, cancelled, std::system_error as bine_channel_send, std::bad_alloc. Waits. */
    void send(T &&item, duration limit = forever)
    {
        hand_over(std::move(item), limit);
    }
    void send(const T &item, duration limit = forever)
    {
        hand_over(item, limit);
    }

    /* Returns the next item, or none if the channel is closed and nothing is left. Throws timeout,
     * cancelled, std::system_error as bine_channel_receive. Waits. */
    std::optional<T> receive(duration limit = forever)
    {
        void *packed = nullptr;
        int outcome = bine_channel_receive(channel_.get(), &packed, limit.ns());
        return detail::received<T>(outcome, packed, "bine::channel::receive");
    }

    /* Close the channel. Nothing can be sent any more. Greenlets that wait to send throw closed.
     * Items in the buffer can still be received. Switches: no. */
    void close()
    {
        check(bine_channel_close(channel_.get()), "bine::channel::close");
    }
    bool is_closed() const noexcept
    {
        return bine_channel_closed(channel_.get());
    }
    /* Returns the number of items in the buffer. */
    std::size_t size() const noexcept
    {
        return bine_channel_size(channel_.get());
    }

    /* for (auto &item : channel) receives until the channel is closed and empty. */
    auto begin()
    {
        return typename detail::items<channel, T>::iterator(this);
    }
    auto end()
    {
        return typename detail::items<channel, T>::iterator(nullptr);
    }
    std::optional<T> next()
    {
        return receive();
    }

    /* Returns the C channel, borrowed, for the C functions. Its items are packed in a form of
     * Bine's own. */
    bine_channel *handle() const noexcept
    {
        return channel_.get();
    }

  private:
    static bine_channel *make(std::size_t buffer, sharing threads)
    {
        bine_channel_options given = {};
        given.buffer = buffer;
        given.flags = static_cast<unsigned>(threads);
        given.discard = detail::item<T>::discard;
        return check(bine_channel_new_with(&given), "bine::channel");
    }

    template <class Given> void hand_over(Given &&given, duration limit)
    {
        detail::parcel<T> parcel(std::forward<Given>(given));
        detail::sent(bine_channel_send(channel_.get(), parcel.packed(), limit.ns()), parcel,
                     "bine::channel::send");
    }

    detail::owner<bine_channel, bine_channel_free> channel_;
};
} // namespace bine

#endif

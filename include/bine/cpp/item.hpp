/* How typed items travel as the `void *` of the C objects. This header is not for programs. */
#ifndef BINE_CPP_ITEM_HPP
#define BINE_CPP_ITEM_HPP

#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>

#include "error.hpp"

namespace bine
{
namespace detail
{
/* In general an item travels in a box of its own. */
template <class T, class = void> struct item {
    template <class Given> static void *pack(Given &&given)
    {
        return new T(std::forward<Given>(given));
    }
    static T unpack(void *packed)
    {
        std::unique_ptr<T> box(static_cast<T *>(packed));
        return std::move(*box);
    }
    static void discard(void *packed) noexcept
    {
        delete static_cast<T *>(packed);
    }
    template <class Visit> static auto look(const void *packed, Visit visit)
    {
        return visit(*static_cast<const T *>(packed));
    }
};

/* Small values that are mere bytes travel in the pointer itself. */
template <class T>
struct item<T,
            std::enable_if_t<std::is_trivially_copyable_v<T> &&
                             std::is_default_constructible_v<T> && sizeof(T) <= sizeof(void *)>> {
    static void *pack(const T &given) noexcept
    {
        void *packed = nullptr;
        std::memcpy(&packed, &given, sizeof given);
        return packed;
    }
    static T unpack(void *packed) noexcept
    {
        T value;
        std::memcpy(&value, &packed, sizeof value);
        return value;
    }
    static void discard(void *) noexcept
    {
    }
    template <class Visit> static auto look(const void *packed, Visit visit)
    {
        T value;
        std::memcpy(&value, &packed, sizeof value);
        return visit(static_cast<const T &>(value));
    }
};

/* The object that a unique_ptr owns travels as it is. */
template <class U>
struct item<std::unique_ptr<U>, std::enable_if_t<!std::is_array_v<U> && !std::is_const_v<U>>> {
    static void *pack(std::unique_ptr<U> &&given) noexcept
    {
        return given.release();
    }
    static std::unique_ptr<U> unpack(void *packed) noexcept
    {
        return std::unique_ptr<U>(static_cast<U *>(packed));
    }
    static void discard(void *packed) noexcept
    {
        delete static_cast<U *>(packed);
    }
    template <class Visit> static auto look(const void *packed, Visit visit)
    {
        std::unique_ptr<U> lent(static_cast<U *>(const_cast<void *>(packed)));
        auto result = visit(static_cast<const std::unique_ptr<U> &>(lent));
        lent.release();
        return result;
    }
};

/* An item on its way, packed from the caller's. If nobody takes it, it goes back to the caller's
 * variable. If the caller gave a copy, the item is destroyed. */
template <class T> class parcel
{
  public:
    explicit parcel(const T &given) : packed_(item<T>::pack(T(given)))
    {
    }
    explicit parcel(T &&given) : packed_(item<T>::pack(std::move(given))), back_(&given)
    {
    }
    parcel(const parcel &) = delete;
    parcel &operator=(const parcel &) = delete;
    ~parcel()
    {
        if (taken_)
            return;
        if constexpr (std::is_move_assignable_v<T>) {
            if (back_) {
                *back_ = item<T>::unpack(packed_);
                return;
            }
        }
        item<T>::discard(packed_);
    }

    void *packed() const noexcept
    {
        return packed_;
    }
    void taken() noexcept
    {
        taken_ = true;
    }

  private:
    void *packed_;
    T *back_ = nullptr;
    bool taken_ = false;
};

/* Turns the outcome of a C call into an item, into none if the object is closed, or into an
 * exception. */
template <class T> std::optional<T> received(int outcome, void *packed, const char *what)
{
    if (outcome == 0)
        return std::optional<T>(item<T>::unpack(packed));
    if (errno == EPIPE)
        return std::nullopt;
    raise(errno, what);
}

/* Handles the outcome of a C call that hands over a parcel: the parcel is taken, or it throws
 * closed or another exception. */
template <class T> void sent(int outcome, parcel<T> &parcel, const char *what)
{
    if (outcome == 0)
        parcel.taken();
    else if (errno == EPIPE)
        throw closed(what);
    else
        raise(errno, what);
}

/* for (auto &item : channel) ... runs until the channel is closed and empty. */
template <class Source, class T> class items
{
  public:
    class iterator
    {
      public:
        using value_type = T;
        using reference = T &;
        using pointer = T *;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        explicit iterator(Source *source) : source_(source)
        {
            if (source_)
                ++*this;
        }
        iterator &operator++()
        {
            current_ = source_->next();
            if (!current_)
                source_ = nullptr;
            return *this;
        }
        T &operator*() noexcept
        {
            return *current_;
        }
        T *operator->() noexcept
        {
            return &*current_;
        }
        bool operator==(const iterator &other) const noexcept
        {
            return source_ == other.source_;
        }
        bool operator!=(const iterator &other) const noexcept
        {
            return source_ != other.source_;
        }

      private:
        Source *source_;
        std::optional<T> current_;
    };
};
} // namespace detail
} // namespace bine

#endif

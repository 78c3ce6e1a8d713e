/* Calls that Bine cannot make cooperative. They run on a thread of the pool. */
#ifndef BINE_CPP_OFFLOAD_HPP
#define BINE_CPP_OFFLOAD_HPP

#include <functional>
#include <type_traits>

#include "../offload.h"
#include "outcome.hpp"

namespace bine
{
namespace detail
{
/* The call and its outcome, on the caller's stack. */
template <class T, class Callable> class offloaded final : public result<T>
{
  public:
    explicit offloaded(Callable &&callable) noexcept : callable_(std::forward<Callable>(callable))
    {
    }

    static void *run(void *arg)
    {
        auto *self = static_cast<offloaded *>(arg);
        try {
            self->fill(std::forward<Callable>(self->callable_));
        } catch (...) {
            self->exception_ = std::current_exception();
        }
        return nullptr;
    }

    T get()
    {
        if (this->exception_)
            std::rethrow_exception(this->take_exception());
        return this->take();
    }

  private:
    Callable &&callable_;
};
} // namespace detail

/*
 * Call the callable on a thread of the pool, and wait. It is for long computations, and for
 * libraries that block and that patching does not reach. Other greenlets run meanwhile. Returns
 * what the callable returned, or throws what it threw.
 *
 *      auto hash = bine::offload([&] { return slow_hash(data); });
 *
 * The callable may refer to variables of the caller, since nothing cuts the wait short once it
 * runs: a kill or a timeout shows at the caller's next wait. While the call is queued, a kill or a
 * timeout makes it throw cancelled or timeout, and the callable is never called. The statements of
 * bine_offload about the thread hold here. Any thread may call it. Waits.
 */
template <class Callable> inline std::invoke_result_t<Callable> offload(Callable &&callable)
{
    detail::offloaded<std::invoke_result_t<Callable>, Callable> call(
        std::forward<Callable>(callable));
    check(bine_offload(call.run, &call, nullptr), "bine::offload");
    return call.get();
}
} // namespace bine

#endif

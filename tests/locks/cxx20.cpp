// What C++20's standard library waits with by futex: code that knows nothing of greenlets.
#include "cxx20.h"

#include <atomic>
#include <barrier>
#include <chrono>
#include <future>
#include <latch>
#include <semaphore>
#include <thread>

namespace
{

std::promise<int> promised;
std::shared_future<int> future = promised.get_future().share();
std::latch latch(3);
std::barrier<> barrier(3);
std::counting_semaphore<9> semaphore(0);
std::atomic<int> number{0};

} // namespace

extern "C" int cxx20_wait(int kind)
{
    using namespace std::chrono_literals;
    switch (kind) {
    case CXX20_FUTURE:
        return future.get() == 7;
    case CXX20_TIMED_FUTURE: {
        std::promise<int> never;
        return never.get_future().wait_for(1ms) == std::future_status::timeout &&
               future.wait_for(60s) == std::future_status::ready;
    }
    case CXX20_LATCH:
        latch.arrive_and_wait();
        return latch.try_wait();
    case CXX20_BARRIER:
        for (int i = 0; i < 3; i++)
            barrier.arrive_and_wait();
        return 1;
    case CXX20_SEMAPHORE:
        semaphore.acquire();
        return 1;
    default:
        number.wait(0);
        return number.load() == 1;
    }
}

extern "C" void cxx20_release(int kind)
{
    switch (kind) {
    case CXX20_FUTURE:
    case CXX20_TIMED_FUTURE:
        promised.set_value(7);
        break;
    case CXX20_LATCH:
        latch.arrive_and_wait();
        break;
    case CXX20_BARRIER:
        for (int i = 0; i < 3; i++)
            barrier.arrive_and_wait();
        break;
    case CXX20_SEMAPHORE:
        semaphore.release(2);
        break;
    default:
        number = 1;
        number.notify_all();
    }
}

extern "C" int cxx20_async(void)
{
    using namespace std::chrono_literals;
    auto result = std::async(std::launch::async, [] {
        std::this_thread::sleep_for(20ms);
        return 5;
    });
    return result.get();
}

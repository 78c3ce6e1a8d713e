// C++ code that knows nothing of greenlets: what the standard library makes of the patched calls.
#include "cxx.h"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <future>
#include <mutex>
#include <sched.h>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace
{

struct guard {
    int &count;
    explicit guard(int &c) : count(c)
    {
        count++;
    }
    ~guard()
    {
        sched_yield(); // a destructor that runs while the stack is unwound steps aside
        count--;
    }
};

void throw_from_below(int depth, const std::string &text, int &frames)
{
    guard g(frames);
    sched_yield();
    if (depth == 0)
        throw std::runtime_error(text);
    throw_from_below(depth - 1, text, frames);
}

} // namespace

extern "C" const char *cxx_throw_and_catch(int id, int rounds)
{
    const std::string mine = "greenlet " + std::to_string(id);
    for (int i = 0; i < rounds; i++) {
        int frames = 0;
        try {
            throw_from_below(3, mine, frames);
            return "nothing was thrown";
        } catch (const std::exception &outer) {
            sched_yield();
            if (outer.what() != mine)
                return "another greenlet's exception was caught";
            if (std::uncaught_exceptions() != 0)
                return "an exception is said to be uncaught";
            try {
                try {
                    throw std::logic_error(mine + " inner");
                } catch (...) {
                    sched_yield();
                    throw; // which one is current belongs to the greenlet
                }
            } catch (const std::logic_error &inner) {
                sched_yield();
                if (inner.what() != mine + " inner")
                    return "another greenlet's exception was rethrown";
            }
            if (!std::current_exception())
                return "the current exception was lost";
        }
        if (frames != 0)
            return "a destructor did not run";
        if (std::current_exception())
            return "an exception was left behind";
    }
    return nullptr;
}

namespace
{

std::mutex mutex;
std::condition_variable changed;
std::vector<int> items;
int consumed;

void produce(int count)
{
    for (int i = 0; i < count; i++) {
        std::lock_guard<std::mutex> hold(mutex);
        items.push_back(i);
        changed.notify_one();
        usleep(100); // with the lock
    }
}

void consume(int count)
{
    while (count--) {
        std::unique_lock<std::mutex> hold(mutex);
        changed.wait(hold, [] { return !items.empty(); });
        items.pop_back();
        consumed++;
    }
}

} // namespace

extern "C" int cxx_threads(int pairs, int count)
{
    std::vector<std::thread> all;
    for (int i = 0; i < pairs; i++) {
        all.emplace_back(consume, count);
        all.emplace_back(produce, count);
    }
    for (auto &each : all)
        each.join();
    return consumed;
}

extern "C" const char *cxx_locks(void)
{
    using namespace std::chrono_literals;
    std::recursive_mutex recursive;
    std::timed_mutex timed;
    std::shared_mutex shared;
    std::lock_guard<std::recursive_mutex> once(recursive), twice(recursive);
    timed.lock();
    std::string result;
    std::thread other([&] {
        if (recursive.try_lock())
            result = "a recursive mutex was entered twice";
        if (timed.try_lock_for(2ms))
            result = "a timed mutex was entered twice";
        std::shared_lock<std::shared_mutex> reading(shared);
        usleep(1000);
    });
    std::shared_lock<std::shared_mutex> reading(shared);
    other.join();
    timed.unlock();
    if (!timed.try_lock_for(1ms))
        return "a timed mutex was not free";
    std::condition_variable condition;
    std::unique_lock<std::mutex> hold(mutex);
    if (condition.wait_for(hold, 2ms) != std::cv_status::timeout)
        return "a wait did not time out";
    try {
        (void)mutex.try_lock();
        std::unique_lock<std::mutex> never;
        never.lock();
        return "locking nothing did not throw";
    } catch (const std::system_error &) {
    }
    return result.empty() ? nullptr : strdup(result.c_str());
}

namespace
{

std::once_flag flag;
int attempts;

void throw_the_first_time()
{
    attempts++;
    usleep(2000);
    if (attempts == 1)
        throw std::runtime_error("not yet");
}

} // namespace

extern "C" int cxx_call_once(void)
{
    try {
        std::call_once(flag, throw_the_first_time);
    } catch (const std::runtime_error &) {
        return -1;
    }
    return attempts;
}

extern "C" int cxx_future(void)
{
    auto future = std::async(std::launch::async, [] {
        usleep(2000);
        return 42;
    });
    return future.get();
}

namespace
{

int begun;

struct made_slowly {
    int value;
    made_slowly(int (*wait)(void *), void *arg, int v) : value(0)
    {
        __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
        if (!wait(arg))
            throw std::runtime_error("not now");
        value = v;
    }
};

} // namespace

extern "C" int cxx_static(int (*wait)(void *), void *arg, int value)
{
    try {
        static made_slowly made(wait, arg, value);
        return made.value;
    } catch (const std::exception &) {
        return -1;
    }
}

extern "C" int cxx_static_begun(void)
{
    return __atomic_load_n(&begun, __ATOMIC_SEQ_CST);
}

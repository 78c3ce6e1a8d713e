// A C++20 program that knows nothing of Bine. Prints what its threads find; each line is checked.
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <latch>
#include <mutex>
#include <semaphore>
#include <stop_token>
#include <thread>
#include <vector>

namespace
{

void check(const char *what, bool good)
{
    std::printf("%s %s\n", good ? "good" : "BAD", what);
}

void latches()
{
    std::latch ready(10), go(1);
    std::atomic<int> began{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 10; i++)
        threads.emplace_back([&] {
            ready.count_down();
            go.wait();
            began++;
        });
    ready.wait();
    check("no thread passes a latch too early", began == 0);
    go.count_down();
    threads.clear(); // joins
    check("a latch", began == 10);
}

void barriers()
{
    int phases = 0, sum = 0;
    std::atomic<int> arrived{0};
    auto complete = [&]() noexcept {
        phases++;
        sum += arrived.exchange(0);
    };
    std::barrier barrier(8, complete);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; i++)
            threads.emplace_back([&] {
                for (int round = 0; round < 20; round++) {
                    arrived++;
                    barrier.arrive_and_wait();
                }
            });
    }
    check("a barrier", phases == 20 && sum == 160);
}

void semaphores()
{
    std::counting_semaphore<3> places(3);
    std::atomic<int> inside{0}, most{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 12; i++)
            threads.emplace_back([&] {
                places.acquire();
                int now = ++inside, seen = most;
                while (now > seen && !most.compare_exchange_weak(seen, now))
                    ;
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                inside--;
                places.release();
            });
    }
    check("a semaphore", most == 3);
    std::binary_semaphore never(0);
    check("a semaphore that times out", !never.try_acquire_for(std::chrono::milliseconds(2)));
}

void stops()
{
    std::mutex mutex;
    std::condition_variable_any changed;
    std::atomic<int> stopped{0};
    {
        std::jthread waits([&](std::stop_token token) {
            std::unique_lock lock(mutex);
            stopped += !changed.wait(lock, token, [] { return false; });
        });
        std::jthread polls([&](std::stop_token token) {
            while (!token.stop_requested())
                std::this_thread::yield();
            stopped++;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    check("jthread and stop_token", stopped == 2);
}

void waits()
{
    std::atomic<int> value{0};
    std::jthread other([&] {
        for (int i = 0; i < 100; i++) {
            value.wait(2 * i);
            value++;
            value.notify_one();
        }
    });
    for (int i = 0; i < 100; i++) {
        value++;
        value.notify_one();
        value.wait(2 * i + 1);
    }
    other.join();
    check("atomic::wait", value == 200);
}

} // namespace

int main()
{
    latches();
    barriers();
    semaphores();
    stops();
    waits();
    return 4;
}

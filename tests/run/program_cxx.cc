// A C++ program that knows nothing of Bine. Prints what its threads find; each line is checked.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

std::atomic<int> destroyed{0};

struct counted {
    std::string text = "fresh";
    ~counted()
    {
        destroyed++;
    }
};

thread_local counted mine;

void check(const char *what, bool good)
{
    std::printf("%s %s\n", good ? "good" : "BAD", what);
}

void locals()
{
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 20; i++)
        threads.emplace_back([i, &wrong] {
            wrong += mine.text != "fresh";
            mine.text = std::to_string(i);
            std::this_thread::sleep_for(std::chrono::milliseconds(i % 3));
            wrong += mine.text != std::to_string(i);
        });
    for (auto &thread : threads)
        thread.join();
    check("thread_local is each thread's", wrong == 0);
    check("thread_local is destroyed", destroyed == 20);
}

void conditions()
{
    std::mutex mutex;
    std::condition_variable changed;
    std::queue<int> queue;
    long sum = 0;
    std::thread consumer([&] {
        for (int i = 0; i < 1000; i++) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return !queue.empty(); });
            sum += queue.front();
            queue.pop();
        }
    });
    for (int i = 0; i < 1000; i++) {
        std::lock_guard lock(mutex);
        queue.push(i);
        changed.notify_one();
    }
    consumer.join();
    check("a queue with a condition", sum == 499500);
    std::unique_lock lock(mutex);
    check("a wait that times out",
          changed.wait_for(lock, std::chrono::milliseconds(2)) == std::cv_status::timeout);
}

int throws(int depth)
{
    if (depth == 0)
        throw std::runtime_error("thrown");
    return throws(depth - 1) + 1;
}

void futures()
{
    std::vector<std::future<int>> all;
    for (int i = 0; i < 50; i++)
        all.push_back(std::async(std::launch::async, [i] {
            std::this_thread::yield();
            return i * i;
        }));
    int sum = 0;
    for (auto &one : all)
        sum += one.get();
    check("std::async", sum == 40425);
    auto failing = std::async(std::launch::async, [] { return throws(10); });
    bool caught = false;
    try {
        failing.get();
    } catch (const std::runtime_error &) {
        caught = true;
    }
    check("an exception crosses a future", caught);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; i++)
        threads.emplace_back([&] {
            try {
                throws(5);
            } catch (const std::exception &) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1)); // in the handler
                wrong += std::current_exception() == nullptr;
            }
        });
    for (auto &thread : threads)
        thread.join();
    check("handlers wait", wrong == 0);
}

void locks()
{
    std::shared_mutex mutex;
    std::recursive_mutex recursive;
    int value = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&, i] {
            for (int round = 0; round < 50; round++) {
                if (i % 2) {
                    std::unique_lock lock(mutex);
                    std::scoped_lock both(recursive), again(recursive);
                    int before = value;
                    std::this_thread::yield();
                    value = before + 1;
                } else {
                    std::shared_lock lock(mutex);
                    std::this_thread::yield();
                }
            }
        });
    for (auto &thread : threads)
        thread.join();
    check("shared and recursive mutexes", value == 200);
}

} // namespace

int main()
{
    locals();
    conditions();
    futures();
    locks();
    std::FILE *status = std::fopen("/proc/self/status", "r");
    char line[256];
    while (status && std::fgets(line, sizeof line, status))
        if (std::string(line).rfind("Threads:", 0) == 0)
            std::fputs(line, stdout);
    return 3;
}

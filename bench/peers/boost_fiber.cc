// The scheduling works on Boost.Fiber.
#include <boost/fiber/all.hpp>
#include <chrono>
#include <vector>

#include "../bench.h"

namespace fibers = boost::fibers;

static long left;
static double stopped;

static boost::context::pooled_fixedsize_stack &stacks()
{
    static boost::context::pooled_fixedsize_stack pool(16 * 1024);
    return pool;
}

template <typename Run> static fibers::fiber spawn(Run run)
{
    return fibers::fiber(std::allocator_arg, stacks(), run);
}

static void robin(const char *name, long n, long switches)
{
    std::vector<fibers::fiber> all;
    for (long i = 0; i < n; i++)
        all.push_back(spawn([] {
            boost::this_fiber::yield();
            while (--left > 0)
                boost::this_fiber::yield();
            if (left == 0)
                stopped = bench_cpu();
        }));
    left = switches + n;
    boost::this_fiber::yield();
    left = switches;
    double start = bench_cpu();
    for (auto &fiber : all)
        fiber.join();
    bench_report(name, (stopped - start) / (double)switches, "ns");
}

static void yield_2(long count)
{
    robin("yield_2", 2, count);
}

static void robin_1000(long count)
{
    robin("robin_1000", 1000, count);
}

static void robin_100000(long count)
{
    robin("robin_100000", 100000, count);
}

static void spawn_join(long count)
{
    double start = bench_cpu();
    for (long i = 0; i < count; i++)
        spawn([] {}).join();
    bench_report("spawn_join", (bench_cpu() - start) / (double)count, "ns");
}

static void spawn_10000(long count)
{
    std::vector<fibers::fiber> all(10000);
    double start = 0;
    for (long done = -10000; done < count; done += 10000) {
        if (done == 0)
            start = bench_cpu();
        for (auto &fiber : all)
            fiber = spawn([] {});
        for (auto &fiber : all)
            fiber.join();
    }
    bench_report("spawn_10000", (bench_cpu() - start) / (double)count, "ns");
}

static void channel(long count)
{
    fibers::unbuffered_channel<long> items;
    long sum = 0;
    double start = bench_cpu();
    fibers::fiber sender = spawn([&] {
        for (long i = 1; i <= count; i++)
            items.push(i);
        items.close();
    });
    fibers::fiber receiver = spawn([&] {
        for (long item; items.pop(item) == fibers::channel_op_status::success;)
            sum += item;
    });
    sender.join();
    receiver.join();
    bench_report("channel", (bench_cpu() - start) / (double)count, "ns");
}

static void timers(long count)
{
    double start = bench_now(), cpu = bench_cpu();
    std::vector<fibers::fiber> all;
    for (long i = 0; i < count / 10; i++)
        all.push_back(spawn([i] {
            uint32_t seed = (uint32_t)i + 1;
            for (int j = 0; j < 10; j++)
                boost::this_fiber::sleep_for(std::chrono::nanoseconds(bench_sleep_ns(&seed)));
        }));
    for (auto &fiber : all)
        fiber.join();
    bench_report("timers", (bench_cpu() - cpu) / 1e9, "s");
    bench_report("timers_wall", (bench_now() - start) / 1e9, "s");
}

static void parked(long count)
{
    static fibers::mutex mutex;
    static fibers::condition_variable_any never;
    double rss = bench_memory("VmRSS"), tables = bench_memory("VmPTE");
    for (long i = 0; i < count; i++)
        spawn([] {
            std::unique_lock<fibers::mutex> lock(mutex);
            never.wait(lock);
        }).detach();
    boost::this_fiber::yield();
    bench_report("parked", (bench_memory("VmRSS") - rss) / (double)count, "B");
    bench_report("parked_tables", (bench_memory("VmPTE") - tables) / (double)count, "B");
    fflush(nullptr);
    _Exit(0);
}

int main(int argc, char **argv)
{
    static const bench_work works[] = {
        {"yield_2", yield_2, 3000000},
        {"robin_1000", robin_1000, 3000000},
        {"robin_100000", robin_100000, 1000000},
        {"spawn_join", spawn_join, 500000},
        {"spawn_10000", spawn_10000, 500000},
        {"channel", channel, 3000000},
        {"timers", timers, 1000000},
        {"parked", parked, 100000},
        {nullptr, nullptr, 0},
    };
    return bench_main(argc, argv, works);
}

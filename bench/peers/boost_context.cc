// The scheduling works on Boost.Context's fibers: a bare switch, no scheduler, a resume goes to a
// named fiber.
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <utility>
#include <vector>

#include "../bench.h"

namespace ctx = boost::context;

static void robin(const char *name, long n, long switches)
{
    std::vector<ctx::fiber> all;
    ctx::pooled_fixedsize_stack stacks(16 * 1024);
    for (long i = 0; i < n; i++)
        all.emplace_back(std::allocator_arg, stacks, [](ctx::fiber &&caller) {
            for (;;)
                caller = std::move(caller).resume();
            return std::move(caller);
        });
    double start = 0;
    // A resume is a switch there and one back.
    for (long done = -n; done < switches / 2; done += n) {
        if (done == 0)
            start = bench_cpu();
        for (auto &fiber : all)
            fiber = std::move(fiber).resume();
    }
    bench_report(name, (bench_cpu() - start) / (double)switches, "ns");
    fflush(nullptr);
    _Exit(0);
}

static void yield_2(long count)
{
    robin("yield_2", 1, count);
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
    ctx::pooled_fixedsize_stack stacks(16 * 1024);
    double start = bench_cpu();
    for (long i = 0; i < count; i++) {
        ctx::fiber f(std::allocator_arg, stacks,
                     [](ctx::fiber &&caller) { return std::move(caller); });
        f = std::move(f).resume();
    }
    bench_report("spawn_join", (bench_cpu() - start) / (double)count, "ns");
}

int main(int argc, char **argv)
{
    static const bench_work works[] = {
        {"yield_2", yield_2, 10000000},
        {"robin_1000", robin_1000, 10000000},
        {"robin_100000", robin_100000, 2000000},
        {"spawn_join", spawn_join, 2000000},
        {nullptr, nullptr, 0},
    };
    return bench_main(argc, argv, works);
}

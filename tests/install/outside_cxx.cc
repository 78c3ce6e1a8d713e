// The same from C++: the headers' names have C linkage.
#include <bine.h>
#include <cstdio>
#include <utility>

int main()
{
    auto run = [](void *arg) -> void * {
        std::puts("in the greenlet");
        bine_sleep(BINE_MS);
        return arg;
    };
    // Commas in an argument: the macros are variadic.
    auto add = [](void *arg) -> void * {
        auto *numbers = static_cast<std::pair<long, long> *>(arg);
        long sum = numbers->first + numbers->second;
        delete numbers;
        return reinterpret_cast<void *>(sum);
    };
    bine_spawn_options options = {};
    void *value;
    if (bine_join(bine_spawn(add, new std::pair<long, long>(1, 2)), &value, BINE_FOREVER) != 0 ||
        bine_join(bine_spawn_with(&options, add, new std::pair<long, long>(3, 4)), &value,
                  BINE_FOREVER) != 0)
        return 1;
    if (bine_join(bine_spawn_at(run, reinterpret_cast<void *>(42), BINE_SITE(run)), &value,
                  BINE_FOREVER) != 0)
        return 1;
    std::printf("joined: %ld\n", reinterpret_cast<long>(value));
    return 0;
}

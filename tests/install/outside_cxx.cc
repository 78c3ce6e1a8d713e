// The same from C++: the headers' names have C linkage.
#include <bine.h>
#include <cstdio>

int main()
{
    auto run = [](void *arg) -> void * {
        std::puts("in the greenlet");
        bine_sleep(BINE_MS);
        return arg;
    };
    void *value;
    if (bine_join(bine_spawn_at(run, reinterpret_cast<void *>(42), BINE_SITE(run)), &value, BINE_FOREVER) != 0)
        return 1;
    std::printf("joined: %ld\n", reinterpret_cast<long>(value));
    return 0;
}

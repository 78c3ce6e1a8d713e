// The same by bine.hpp, which is made of headers only.
#include <bine.hpp>
#include <cstdio>
#include <memory>

int main()
{
    auto task = bine::spawn([number = std::make_unique<long>(42), one = 1] {
        std::puts("in the greenlet");
        bine::sleep(std::chrono::milliseconds(one));
        return *number;
    });
    std::printf("joined: %ld\n", task.get());
    return 0;
}

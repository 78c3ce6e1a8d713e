// Calls on threads of the pool: results and exceptions come back.
#include "harness.hpp"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>

TEST(offload_returns_what_the_callable_returned)
{
    int number = 1;
    CHECK_EQ(bine::offload([&] { return number + 1; }), 2);
    CHECK_EQ(*bine::offload([held = counted(4)] { return std::make_unique<int>(held.value); }), 4);
    int &same = bine::offload([&]() -> int & { return number; });
    same = 3;
    bine::offload([&] { number += 4; });
    CHECK_EQ(number, 7);
}

static int plain()
{
    return 7;
}

TEST(functions_and_lvalues_are_called_as_they_are)
{
    int calls = 0;
    auto counts = [&calls]() mutable { return ++calls; };
    CHECK_EQ(bine::offload(counts), 1);
    CHECK_EQ(bine::offload(counts), 2);
    CHECK_EQ(bine::offload(plain), 7);
    CHECK_EQ(bine::offload(&plain), 7);
}

TEST(offload_throws_what_the_callable_threw)
{
    std::string what;
    try {
        bine::offload([held = counted(1)]() -> int { throw std::out_of_range("too far"); });
    } catch (const std::out_of_range &error) {
        what = error.what();
    }
    CHECK_EQ(what, "too far");
    CHECK_THROWS(counted, bine::offload([] { throw counted(3); }));
    CHECK_CODE(EIO, bine::offload([] { bine::raise(EIO, "here"); }));
}

TEST(others_run_while_it_blocks)
{
    auto here = std::this_thread::get_id();
    bool other_ran = false;
    auto other = bine::spawn([&] { other_ran = true; });
    auto there = bine::offload([] {
        usleep(20000);
        return std::this_thread::get_id();
    });
    CHECK(other_ran);
    CHECK(there != here);
}

TEST(a_call_that_is_queued_can_be_cancelled)
{
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    std::atomic<bool> go_on{false};
    bool called = false;
    auto first = bine::spawn([&] {
        bine::offload([&] {
            while (!go_on)
                usleep(1000);
        });
    });
    bine::sleep(0s);
    CHECK_THROWS(bine::timeout, bine::within(5ms, [&] { bine::offload([&] { called = true; }); }));
    auto killed = bine::spawn([&, held = counted(1)] { bine::offload([&] { called = true; }); });
    bine::sleep(1ms);
    bine_kill(killed.handle());
    CHECK_CODE(ECANCELED, killed.get());
    go_on = true;
    first.get();
    CHECK(!called);
}

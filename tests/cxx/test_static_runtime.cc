// A program that has linked the C++ runtime statically: nobody finds the runtime's exceptions by
// name, and they follow the greenlets all the same. Other compilers build this with a shared
// runtime (compilers.sh), where it must hold as well.
#include "harness.hpp"

#include <dlfcn.h>
#include <stdexcept>
#include <thread>

// The exception that is handled, after a wait in the handler.
static int handled_after_a_wait(int number, bine::duration wait)
{
    try {
        throw number;
    } catch (...) {
        bine::sleep(wait);
        try {
            throw;
        } catch (int own) {
            return own;
        }
    }
}

static void handlers_keep_their_own()
{
    std::vector<bine::task<int>> tasks;
    for (int i = 0; i < 20; i++)
        tasks.push_back(bine::spawn([i] {
            int own = 0;
            for (int round = 0; round < 5; round++)
                own = handled_after_a_wait(i, round % 2 ? bine::duration(1ms) : bine::duration(0s));
            return own;
        }));
    for (int i = 0; i < 20; i++)
        CHECK_EQ(tasks[static_cast<size_t>(i)].get(), i);
}

TEST(the_runtime_is_linked_statically)
{
#ifdef STATIC_RUNTIME
    harness_not_under_address_sanitizer("libasan brings a shared libstdc++ with it");
    CHECK(dlsym(RTLD_DEFAULT, "__cxa_get_globals") == nullptr);
#else
    SKIP("it is shared here");
#endif
}

TEST(handlers_that_wait_keep_their_own_exceptions)
{
    handlers_keep_their_own();
}

TEST(handlers_on_other_threads_keep_their_own_exceptions)
{
    std::thread other(handlers_keep_their_own);
    handlers_keep_their_own();
    other.join();
}

class waits_while_unwound
{
  public:
    ~waits_while_unwound()
    {
        bine_sleep(0);
        bine_sleep(BINE_MS);
    }
};

TEST(an_exception_in_flight_is_its_greenlets_only)
{
    bool in_flight = false;
    auto unwinds = bine::spawn([] {
        waits_while_unwound object;
        throw std::runtime_error("in flight");
    });
    auto looks = bine::spawn([&] {
        for (int i = 0; i < 10; i++, bine::sleep(0s))
            in_flight |= std::uncaught_exceptions() != 0 || std::current_exception() != nullptr;
    });
    looks.get();
    CHECK(!in_flight);
    CHECK_THROWS(std::runtime_error, unwinds.get());
}

TEST(a_greenlet_that_ends_in_a_handler_leaves_nothing_to_the_next)
{
    [[maybe_unused]] static int *volatile kept; // the exception is never destroyed
    auto ends = bine::spawn([] {
        try {
            throw 1;
        } catch (int &caught) {
            kept = &caught;
            bine_exit(nullptr);
        }
    });
    ends.join();
    CHECK(std::current_exception() == nullptr);
}

TEST(naming_a_runtime_again_does_nothing)
{
    for (int i = 0; i < 3 * BINE_CXX_RUNTIMES; i++)
        CHECK_OK(bine_cxx_runtime_add(bine::detail::bine_cxx_get_globals));
}

// Several C++ runtimes in one process: the program's, and that of a plug-in which has linked its
// own statically.
#include "harness.hpp"

#include <atomic>
#include <dlfcn.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

#ifndef PLUGIN
#define PLUGIN ""
#endif

static struct {
    void *handle;
    int (*handles)(int number, void (*wait)());
    bool (*is_handling)();
} plugin;

// Another compiler's program has no such plug-in beside it (compilers.sh).
static void load()
{
    if (!*PLUGIN)
        SKIP("no plug-in");
    plugin.handle = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (!plugin.handle)
        FAIL("%s", dlerror());
    *(void **)&plugin.handles = dlsym(plugin.handle, "plugin_handles");
    *(void **)&plugin.is_handling = dlsym(plugin.handle, "plugin_is_handling");
    CHECK(plugin.handles && plugin.is_handling);
    // It has a runtime of its own, or this file tests nothing.
    try {
        throw 1;
    } catch (int) {
        CHECK(!plugin.is_handling());
    }
}

static void wait()
{
    bine::sleep(0s);
    bine::sleep(1ms);
}

// One exception is handled in the program, and inside its handler one in the plug-in.
static int handled_in_both(int number)
{
    try {
        throw 1000 + number;
    } catch (...) {
        int of_plugin = plugin.handles(number, wait);
        try {
            throw;
        } catch (int own) {
            return own - 1000 == number && of_plugin == number ? number : -1;
        }
    }
}

static void handlers_keep_their_own()
{
    std::vector<bine::task<int>> tasks;
    for (int i = 0; i < 20; i++)
        tasks.push_back(
            bine::spawn([i] { return i % 3 ? handled_in_both(i) : plugin.handles(i, wait); }));
    for (int i = 0; i < 20; i++)
        CHECK_EQ(tasks[static_cast<size_t>(i)].get(), i);
}

TEST(handlers_in_two_runtimes_keep_their_own_exceptions)
{
    load();
    handlers_keep_their_own();
}

TEST(a_runtime_that_comes_later_is_known_to_hubs_that_are_there)
{
    std::atomic<bool> loaded{false};
    std::thread other([&] {
        while (!loaded)
            bine::sleep(1ms);
        bine::sleep(1ms); // it looks for events
        handlers_keep_their_own();
    });
    bine::sleep(10ms);
    load();
    loaded = true;
    other.join();
}

static void ends()
{
    bine_exit(nullptr);
}

TEST(a_greenlet_that_ends_in_a_handler_of_the_second_runtime_leaves_nothing)
{
    load();
    bine::spawn([] { plugin.handles(1, ends); }).join();
    CHECK(!plugin.is_handling());
    auto next = bine::spawn([] { return plugin.is_handling(); });
    CHECK(!next.get());
}

TEST(what_has_named_a_runtime_stays_loaded)
{
    load();
    CHECK_EQ(dlclose(plugin.handle), 0);
    CHECK(dlopen(PLUGIN, RTLD_NOW | RTLD_NOLOAD) != nullptr);
    handlers_keep_their_own();
}

TEST(what_is_no_function_of_an_object_is_refused)
{
    void *(*nowhere)() = nullptr;
    CHECK_ERROR(bine_cxx_runtime_add(nowhere), EINVAL);
    void *mapped = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(void **)&nowhere = mapped;
    CHECK_ERROR(bine_cxx_runtime_add(nowhere), EINVAL);
    munmap(mapped, 4096);
}

struct globals {
    void *caught;
    unsigned uncaught;
};

template <int> static void *another_runtime()
{
    static thread_local globals of_thread;
    return &of_thread;
}

TEST(so_many_runtimes_are_followed_and_one_more_is_refused)
{
    void *(*const others[])() = {another_runtime<0>, another_runtime<1>, another_runtime<2>,
                                 another_runtime<3>, another_runtime<4>, another_runtime<5>,
                                 another_runtime<6>, another_runtime<7>};
    static_assert(sizeof others / sizeof *others == BINE_CXX_RUNTIMES);
    for (int i = 0; i < BINE_CXX_RUNTIMES - 1; i++)
        CHECK_OK(bine_cxx_runtime_add(others[i]));
    CHECK_ERROR(bine_cxx_runtime_add(others[BINE_CXX_RUNTIMES - 1]), ENOSPC);
    CHECK_OK(bine_cxx_runtime_add(others[0]));
    for (int i = 0; i < BINE_CXX_RUNTIMES - 1; i++)
        static_cast<globals *>(others[i]())->uncaught = 10u + static_cast<unsigned>(i);
    CHECK_EQ(bine::spawn([&] { return static_cast<globals *>(others[6]())->uncaught; }).get(), 0u);
    for (int i = 0; i < BINE_CXX_RUNTIMES - 1; i++)
        CHECK_EQ(static_cast<globals *>(others[i]())->uncaught, 10u + static_cast<unsigned>(i));
}

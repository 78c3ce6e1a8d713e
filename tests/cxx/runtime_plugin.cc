// A library with a C++ runtime of its own, as plug-ins of other vendors are built. Its functions
// are C to the outside.
#include <bine/cpp/runtime.hpp>

#include <exception>

extern "C" __attribute__((visibility("default"))) int plugin_handles(int number, void (*wait)())
{
    // Of a greenlet that ends in wait(): its exception is never destroyed.
    [[maybe_unused]] static int *volatile kept;
    try {
        throw number;
    } catch (int &caught) {
        kept = &caught;
        wait();
        try {
            throw;
        } catch (int own) {
            return own;
        }
    }
}

extern "C" __attribute__((visibility("default"))) bool plugin_is_handling()
{
    return std::current_exception() != nullptr;
}

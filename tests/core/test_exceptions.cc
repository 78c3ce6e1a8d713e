// C++ exceptions thrown, caught and rethrown in interleaved greenlets: the exception globals follow
// the greenlet.
#include <bine.h>

#include <exception>
#include <stdexcept>
#include <string>

extern "C" {
// harness.h is C (designated initialisers, _Generic): a C file calls these.
const char *interleave();
const char *leave_within();
}

namespace
{
int failures;

struct Counts {
    int at_construction = std::uncaught_exceptions();
    ~Counts()
    {
        // Switch away in the middle of unwinding.
        int during = std::uncaught_exceptions();
        bine_sleep(0);
        if (std::uncaught_exceptions() != during)
            failures++;
    }
};

void *throws(void *arg)
{
    std::string name = "greenlet " + std::to_string(reinterpret_cast<long>(arg));
    for (int i = 0; i < 20; i++) {
        try {
            Counts counts;
            throw std::runtime_error(name);
        } catch (const std::runtime_error &error) {
            bine_sleep(0);
            if (name != error.what())
                failures++;
            try {
                bine_sleep(i % 7 ? 0 : BINE_US);
                throw; // what is rethrown must be our own
            } catch (const std::runtime_error &again) {
                if (name != again.what())
                    failures++;
            }
            if (!std::current_exception())
                failures++;
        }
        if (std::uncaught_exceptions() != 0 || std::current_exception())
            failures++;
    }
    return nullptr;
}
} // namespace

const char *interleave()
{
    bine_greenlet *all[20];
    for (long i = 0; i < 20; i++)
        all[i] = bine_spawn(throws, reinterpret_cast<void *>(i));
    if (bine_joinall(all, 20, BINE_FOREVER) < 0)
        return "joinall failed";
    return failures ? "an exception was mixed up" : nullptr;
}

const char *leave_within()
{
    bool late = true;
    for (int i = 0; i < 3; i++) {
        try {
            BINE_WITHIN(BINE_MS * 100, &late)
            {
                BINE_WITHIN(BINE_SECOND)
                throw std::runtime_error("out");
            }
        } catch (const std::runtime_error &) {
            bine_timeout probe;
            if (late)
                return "the scope expired";
            if (bine_timeout_begin(&probe, BINE_SECOND) != 0 || probe.outer)
                return "a scope stayed open";
            bine_timeout_end(&probe);
        }
    }
    return nullptr;
}

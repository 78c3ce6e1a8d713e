// The harness (../harness.h) for tests in C++, and what tests of bine.hpp share: counted objects, a
// captured standard error.
#ifndef BINE_TESTS_CXX_HARNESS_HPP
#define BINE_TESTS_CXX_HARNESS_HPP

#include <bine.hpp>

#include <sstream>
#include <string>
#include <unistd.h>

#pragma push_macro("_Noreturn") // libc's headers may have one
#undef _Noreturn
extern "C" {
#define _Noreturn __attribute__((__noreturn__))
#include "../harness.h"
}
#pragma pop_macro("_Noreturn")

#undef CHECK_EQ
#undef TEST

// As the one of C, whose designated initialisers C++17 does not know.
#define TEST(test_name)                                              \
    static void test_name();                                         \
    __attribute__((constructor)) static void test_name##_register()  \
    {                                                                \
        static harness_test test{};                                  \
        test.name = #test_name;                                      \
        test.run = [] {                                              \
            test_name();                                             \
            if (counted::alive != 0)                                 \
                FAIL("%d counted objects are left", counted::alive); \
        };                                                           \
        harness_register(&test);                                     \
    }                                                                \
    static void test_name()

#define CHECK_EQ(a, b)                                         \
    do {                                                       \
        auto a_ = (a);                                         \
        auto b_ = (b);                                         \
        if (!(a_ == b_)) {                                     \
            std::ostringstream shown;                          \
            shown << a_ << " and " << b_;                      \
            FAIL("%s == %s: %s", #a, #b, shown.str().c_str()); \
        }                                                      \
    } while (0)

// The expression throws this type.
#define CHECK_THROWS(type, ...)                     \
    do {                                            \
        bool thrown_ = false;                       \
        try {                                       \
            (void)(__VA_ARGS__);                    \
        } catch (const type &) {                    \
            thrown_ = true;                         \
        }                                           \
        if (!thrown_)                               \
            FAIL("%s did not throw", #__VA_ARGS__); \
    } while (0)

// It throws std::system_error with this errno value.
#define CHECK_CODE(number, ...)                                        \
    do {                                                               \
        int code_ = 0;                                                 \
        try {                                                          \
            (void)(__VA_ARGS__);                                       \
        } catch (const std::system_error &error) {                     \
            CHECK(error.code().category() == std::generic_category()); \
            code_ = error.code().value();                              \
        }                                                              \
        CHECK_EQ(code_, number);                                       \
    } while (0)

// An object that can only be moved. None may be left at a test's end.
class counted
{
  public:
    static inline int alive = 0;

    explicit counted(int number) : value(number)
    {
        alive++;
    }
    counted(counted &&other) noexcept : value(std::exchange(other.value, -1))
    {
        alive++;
    }
    counted &operator=(counted &&other) noexcept
    {
        value = std::exchange(other.value, -1);
        return *this;
    }
    ~counted()
    {
        alive--;
    }

    int value;
};

// What is written to standard error while it lives.
class captured_errors
{
  public:
    captured_errors() : saved_(dup(STDERR_FILENO)), file_(tmpfile())
    {
        dup2(fileno(file_), STDERR_FILENO);
    }
    ~captured_errors()
    {
        restore();
    }

    std::string text()
    {
        restore();
        return text_;
    }

  private:
    void restore()
    {
        if (!file_)
            return;
        dup2(saved_, STDERR_FILENO);
        close(saved_);
        rewind(file_);
        for (int c; (c = getc(file_)) != EOF;)
            text_ += static_cast<char>(c);
        fclose(file_);
        file_ = nullptr;
    }

    int saved_;
    FILE *file_;
    std::string text_;
};

inline bool contains(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

using namespace std::chrono_literals;

#endif

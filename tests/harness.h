/*
 * The test harness. A test program is a file of TEST(name) { ... } blocks and nothing else: main()
 * is the harness's. Each test runs in a process of its own with a time limit, and fails when it
 *
 *  - fails a CHECK, crashes, exits by itself or runs out of time (then the greenlets are dumped
 *    first),
 *  - leaves a descriptor open that was not open before (the runtime's own one ring, epoll and
 *    eventfd aside),
 *  - leaves a greenlet that has not ended.
 *
 *      #include "harness.h"
 *
 *      TEST(addition_is_commutative)
 *      {
 *          CHECK_EQ(1 + 2, 2 + 1);
 *      }
 *
 *      TEST(a_slow_thing, .seconds = 60) { ... }
 *      TEST(a_process_that_ends_with_parked_ones, .leaves = "this is the subject") { ... }
 *
 * The program prints one line per test ("ok NAME", "FAIL NAME: why", "skip NAME: why") and ends
 * with "# N passed, N failed, N skipped". Its arguments are shell patterns of tests to run; --list
 * lists them; --here runs the one test in this very process, for a debugger.
 *
 * The environment: BINE_POLLER=sim:SEED simulates (bine_simulate); BINE_TEST_SLOWER=N multiplies
 * every time limit (sanitizers, emulators); BINE_TEST_SEEDS=N is how many seeds random tests run;
 * BINE_TEST_REFUSE=io_uring makes io_uring_setup fail with EPERM, as a container's seccomp filter
 * does.
 */
#ifndef BINE_TESTS_HARNESS_H
#define BINE_TESTS_HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct harness_test {
    const char *name;
    void (*run)(void);
    unsigned seconds;   /* time limit; 0: 20 */
    const char *leaves; /* why greenlets and descriptors may be left behind; NULL: they may not */
    int signal;         /* the signal that the test must die of; 0: it must not */
    bool only_by_name;  /* not part of a full run */
    struct harness_test *next;
};

void harness_register(struct harness_test *test);

/* Tests run in the order in which they stand in the file. */
#define TEST(test_name, ...)                                                                     \
    static void test_name(void);                                                                 \
    __attribute__((constructor)) static void test_name##_register(void)                          \
    {                                                                                            \
        static struct harness_test test = {.name = #test_name, .run = test_name, ##__VA_ARGS__}; \
        harness_register(&test);                                                                 \
    }                                                                                            \
    static void test_name(void)

/* End the test as skipped, from any greenlet. */
#define SKIP(...) harness_skip(__VA_ARGS__)
/* End the test as failed, from any greenlet, with a message as printf makes it. */
#define FAIL(...) harness_fail(__FILE__, __LINE__, __VA_ARGS__)

/* A condition. Prefer the two-sided ones below: they print both sides. All of them print errno. */
#define CHECK(condition)                                                 \
    do {                                                                 \
        if (!(condition))                                                \
            harness_fail(__FILE__, __LINE__, "%s is false", #condition); \
    } while (0)

#define CHECK_EQ(a, b) HARNESS_COMPARE(a, ==, b)
#define CHECK_NE(a, b) HARNESS_COMPARE(a, !=, b)
#define CHECK_LT(a, b) HARNESS_COMPARE(a, <, b)
#define CHECK_LE(a, b) HARNESS_COMPARE(a, <=, b)
#define CHECK_GT(a, b) HARNESS_COMPARE(a, >, b)
#define CHECK_GE(a, b) HARNESS_COMPARE(a, >=, b)

/* The call returns 0 (or a non-negative number, a pointer): CHECK_OK(bine_join(g, NULL,
 * BINE_FOREVER)). */
#define CHECK_OK(call)                                                                       \
    do {                                                                                     \
        int64_t result_ = (int64_t)(call);                                                   \
        if (result_ < 0)                                                                     \
            harness_fail(__FILE__, __LINE__, "%s returned %lld", #call, (long long)result_); \
    } while (0)

/* The call fails with this errno: returns -1, or NULL if it returns a pointer.
 * CHECK_ERROR(bine_join(NULL, NULL, 0), EINVAL). */
#define CHECK_ERROR(call, error)                                                     \
    do {                                                                             \
        errno = 0;                                                                   \
        int64_t result_ = (int64_t)(call);                                           \
        int error_ = errno;                                                          \
        bool failed_ = result_ == -1 || (HARNESS_IS_POINTER(call) && result_ == 0);  \
        if (!failed_ || error_ != (error))                                           \
            harness_fail_error(__FILE__, __LINE__, #call, result_, error_, (error)); \
    } while (0)

#define CHECK_STRING(a, b)                                                          \
    do {                                                                            \
        const char *a_ = (a), *b_ = (b);                                            \
        if (!a_ || !b_ || strcmp(a_, b_) != 0)                                      \
            harness_fail(__FILE__, __LINE__, "%s == %s: \"%s\" and \"%s\"", #a, #b, \
                         a_ ? a_ : "(null)", b_ ? b_ : "(null)");                   \
    } while (0)

#define CHECK_MEMORY(a, b, size)                                                     \
    do {                                                                             \
        if (memcmp((a), (b), (size)) != 0)                                           \
            harness_fail_memory(__FILE__, __LINE__, #a " == " #b, (a), (b), (size)); \
    } while (0)

/* Nanoseconds of CLOCK_MONOTONIC, never patched or simulated. */
int64_t harness_now(void);
/* Entries of /proc/self/fd, and threads of this process. */
size_t harness_descriptors(void);
size_t harness_threads(void);
/* Free bytes, for sizing: memory this machine can still give. */
size_t harness_memory(void);
/* BINE_TEST_SLOWER, at least 1: multiply generous bounds of your own by it. */
unsigned harness_slower(void);
/* How many seeds a random test runs: BINE_TEST_SEEDS, or as many as usual, fewer where everything
 * is slower. */
unsigned harness_seeds(unsigned usual);
/* True under valgrind, a sanitizer or an emulator: leave out what only native speed or memory can
 * do. */
bool harness_instrumented(void);
/* Skip under that sanitizer, for this reason. */
void harness_not_under_address_sanitizer(const char *why);
void harness_not_under_thread_sanitizer(const char *why);
/* Skip under an emulator of another processor's programs (qemu-user), for this reason. */
void harness_not_under_emulator(const char *why);
/* Skip under valgrind, for this reason. */
void harness_not_under_valgrind(const char *why);
/* Skip where an emulator or a sanitizer has threads of its own: to the runtime any of them might
 * wake somebody, so that nothing is ever a deadlock there. */
void harness_only_one_thread(void);
/* Wait for a process that the test forked; fail, with its message, if it did not end by exit(0). */
void harness_join_child(pid_t child);
/* Refuse a system call (SYS_...) with EPERM in this process from now on, as a container's filter
 * may, or kill the process for it (SIGSYS); skip where there are no such filters. */
void harness_refuse(long system_call, bool deadly);
void harness_refuse_uring(void);

/* ---- what the macros are made of ---- */

_Noreturn void harness_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void harness_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void harness_fail_error(const char *file, int line, const char *call, int64_t result,
                                  int got, int wanted);
_Noreturn void harness_fail_memory(const char *file, int line, const char *what, const void *a,
                                   const void *b, size_t size);
/* Each returns one of a few static buffers. */
const char *harness_show_signed(long long value);
const char *harness_show_unsigned(unsigned long long value);
const char *harness_show_double(double value);
const char *harness_show_string(const char *value);
const char *harness_show_pointer(const volatile void *value);

/* GCC and Clang number the kinds of types: 5 is a pointer. Its operand is not evaluated. */
#define HARNESS_IS_POINTER(x) (__builtin_classify_type(x) == 5)

#define HARNESS_SHOW(x) \
    _Generic((x), \
        bool: harness_show_signed, \
        char: harness_show_signed, \
        signed char: harness_show_signed, \
        short: harness_show_signed, \
        int: harness_show_signed, \
        long: harness_show_signed, \
        long long: harness_show_signed, \
        unsigned char: harness_show_unsigned, \
        unsigned short: harness_show_unsigned, \
        unsigned: harness_show_unsigned, \
        unsigned long: harness_show_unsigned, \
        unsigned long long: harness_show_unsigned, \
        float: harness_show_double, \
        double: harness_show_double, \
        char *: harness_show_string, \
        const char *: harness_show_string, \
        default: harness_show_pointer)(x)

#define HARNESS_COMPARE(a, operator, b)                                                \
    do {                                                                               \
        __auto_type a_ = (a);                                                          \
        __auto_type b_ = (b);                                                          \
        if (!(a_ operator b_))                                                         \
            harness_fail(__FILE__, __LINE__, "%s %s %s: %s and %s", #a, #operator, #b, \
                         HARNESS_SHOW(a_), HARNESS_SHOW(b_));                          \
    } while (0)

#endif

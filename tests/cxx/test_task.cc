// Tasks: what a body returns or throws crosses to get(), and nothing of it is left.
#include "harness.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

TEST(get_returns_what_the_body_returned)
{
    auto task = bine::spawn([a = 1, b = 2] { return a + b; });
    CHECK_EQ(task.get(), 3);
    CHECK(!task);
}

TEST(captures_and_values_may_be_movable_only)
{
    auto task = bine::spawn(
        [held = counted(4)]() mutable { return std::make_unique<counted>(std::move(held)); });
    CHECK_EQ(task.get()->value, 4);
}

TEST(a_body_may_return_a_reference)
{
    int number = 1;
    auto task = bine::spawn([&]() -> int & { return number; });
    int &same = task.get();
    same = 2;
    CHECK_EQ(number, 2);
}

static int plain()
{
    return 7;
}

struct functor {
    int operator()() &&
    {
        return 8;
    }
};

TEST(functions_and_functors_are_bodies_too)
{
    CHECK_EQ(bine::spawn(plain).get(), 7);
    CHECK_EQ(bine::spawn(&plain).get(), 7);
    CHECK_EQ(bine::spawn(functor()).get(), 8);
    std::function<int()> function = plain;
    CHECK_EQ(bine::spawn(function).get(), 7);
}

TEST(get_throws_what_the_body_threw)
{
    auto task = bine::spawn([held = counted(1)]() -> int { throw std::out_of_range("too far"); });
    std::string what;
    try {
        task.get();
    } catch (const std::out_of_range &error) {
        what = error.what();
    }
    CHECK_EQ(what, "too far");
    CHECK(!task);
}

TEST(what_is_thrown_need_not_be_a_std_exception)
{
    auto task = bine::spawn([] { throw counted(3); });
    int value = 0;
    try {
        task.get();
    } catch (const counted &thrown) {
        value = thrown.value;
    }
    CHECK_EQ(value, 3);
}

TEST(captures_are_destroyed_when_the_body_has_ended_and_not_when_it_is_got)
{
    auto task = bine::spawn([held = counted(1)] {});
    task.join();
    CHECK_EQ(counted::alive, 0);
    task.get();
}

TEST(the_place_of_the_call_is_the_name)
{
    auto task = bine::spawn([] {});
    int line = __LINE__ - 1;
    std::string name = task.name(), wanted = "test_task.cc:" + std::to_string(line) + "(";
    CHECK(contains(name, wanted));
    captured_errors errors;
    bine_dump(STDERR_FILENO);
    std::string dump = errors.text();
    CHECK(contains(dump, "tests/cxx/test_task.cc:" + std::to_string(line)));
    CHECK(!contains(dump, "[]"));
}

TEST(two_calls_with_the_same_callable_have_a_name_each)
{
    auto body = [] {};
    auto first = bine::spawn(body);
    auto second = bine::spawn(body);
    CHECK(std::string(first.name()) != second.name());
    CHECK(contains(second.name(), "test_task.cc:" + std::to_string(__LINE__ - 2)));
}

TEST(a_given_name_is_the_name)
{
    auto task = bine::spawn("fetch-7", [] {});
    CHECK(contains(task.name(), ": fetch-7>"));
}

TEST(options_are_obeyed)
{
    bine::options how;
    how.name = "later";
    how.delay = 20ms;
    how.stack_size = 1 << 20;
    auto task = bine::spawn(how, [] {
        volatile char large[600 << 10];
        large[0] = 1;
        large[sizeof large - 1] = 2;
        return large[0] + large[sizeof large - 1];
    });
    CHECK(contains(task.name(), ": later>"));
    CHECK_THROWS(bine::timeout, task.get(0s));
    CHECK_EQ(task.get(), 3);
}

TEST(get_that_runs_out_of_time_leaves_the_task)
{
    auto task = bine::spawn([] {
        bine::sleep(20ms);
        return 5;
    });
    CHECK_THROWS(bine::timeout, task.get(1ms));
    CHECK(task && !task.done());
    CHECK_EQ(task.get(), 5);
}

TEST(the_bodys_own_timeout_and_error_cross_as_they_are)
{
    auto late = bine::spawn([] { bine::within(1ms, [] { bine::sleep(1s); }); });
    CHECK_THROWS(bine::timeout, late.get());
    CHECK(!late);
    auto broken = bine::spawn([] { throw std::system_error(EIO, std::generic_category()); });
    broken.join();
    CHECK_EQ(bine_error(broken.handle()), EIO);
    CHECK_CODE(EIO, broken.get());
}

TEST(a_kill_unwinds_the_frames)
{
    int unwound = 0;
    auto task = bine::spawn([&, held = counted(1)] {
        struct guard {
            int &count;
            ~guard()
            {
                count++;
            }
        } guard{unwound};
        counted local(2);
        try {
            bine::sleep(1h);
        } catch (const std::exception &) {
            unwound = -10; // a kill is no std::exception
        }
    });
    bine::yield();
    task.kill();
    CHECK_CODE(ECANCELED, task.get());
    CHECK_EQ(unwound, 1);
}

TEST(a_kill_that_is_caught_strikes_again_at_the_next_wait)
{
    int caught = 0;
    auto task = bine::spawn([&] {
        for (int i = 0; i < 3; i++) {
            try {
                bine::sleep(1h);
            } catch (...) {
                caught++;
            }
        }
        return caught;
    });
    bine::yield();
    task.kill();
    CHECK_EQ(task.get(), 3);
}

TEST(a_task_that_is_killed_before_it_runs_destroys_its_captures)
{
    auto task = bine::spawn([held = counted(1)] { return 1; });
    task.kill();
    CHECK_EQ(counted::alive, 0);
    CHECK(task.done());
    CHECK_CODE(ECANCELED, task.get());
}

TEST(a_detached_task_that_is_killed_before_it_runs_leaves_nothing)
{
    auto task = bine::spawn([held = counted(1)] {});
    bine_greenlet *g = bine_ref(task.handle());
    task.detach();
    CHECK(!task);
    CHECK_EQ(counted::alive, 1);
    bine_kill(g);
    CHECK_EQ(counted::alive, 0);
    bine_detach(g);
}

TEST(cancelled_means_the_greenlet_that_sees_it)
{
    // Whoever gets a killed task is not killed itself, and is told by an error that is reported if
    // nobody handles it.
    captured_errors errors;
    auto inner = bine::spawn([] { bine::sleep(1h); });
    bine::yield();
    auto outer = bine::spawn("outer", [&] { inner.get(); });
    inner.kill();
    CHECK_CODE(ECANCELED, outer.get());
    CHECK_EQ(errors.text(), "");
}

/* Waits, and takes its time when it is killed. */
static void clean_up_slowly(bool &over)
{
    try {
        bine::sleep(1h);
    } catch (const bine::cancelled &) {
        bine::shield whole;
        bine::sleep(5ms);
        over = true;
        throw;
    }
}

TEST(the_end_of_a_task_kills_it_and_waits)
{
    bool over = false;
    {
        auto task = bine::spawn([&] { clean_up_slowly(over); });
        bine::yield();
    }
    CHECK(over);
}

TEST(the_end_of_a_task_waits_in_a_greenlet_that_is_killed_itself)
{
    bool over = false;
    auto outer = bine::spawn([&] {
        auto inner = bine::spawn([&] { clean_up_slowly(over); });
        bine::sleep(1h);
    });
    bine::sleep(1ms);
    outer.kill();
    outer.join();
    CHECK(over);
}

TEST(assignment_ends_the_task_that_was_there)
{
    auto task = bine::spawn([held = counted(1)] { bine::sleep(1h); });
    bine::yield();
    task = bine::spawn([held = counted(2)] { bine::sleep(1h); });
    CHECK_EQ(counted::alive, 1);
    bine::task<> other = std::move(task);
    CHECK(!task && other);
}

TEST(join_keeps_the_outcome)
{
    auto task = bine::spawn([] { return counted(6); });
    task.join();
    task.join(0s);
    CHECK(task.done());
    CHECK_EQ(task.get().value, 6);
    CHECK_CODE(EINVAL, task.get());
    CHECK_CODE(EINVAL, task.join());
    CHECK_CODE(EINVAL, task.kill());
}

TEST(a_task_cannot_wait_for_itself_and_is_let_go_by_its_own_body)
{
    bine::task<> task;
    int code = 0;
    task = bine::spawn([&] {
        try {
            task.join();
        } catch (const std::system_error &error) {
            code = error.code().value();
        }
        bine::task<> mine = std::move(task);
    });
    bine::yield();
    CHECK_EQ(code, EDEADLK);
    CHECK(!task);
}

TEST(an_exception_that_nobody_gets_is_reported_with_the_name)
{
    captured_errors errors;
    {
        auto task = bine::spawn("forgetful", [] { throw std::runtime_error("the disk\nis full"); });
        task.join();
    }
    std::string text = errors.text();
    CHECK(contains(text, "bine: <Greenlet at 0x"));
    CHECK(contains(text, ": forgetful> ended by an exception that nobody gets: std::runtime_error: "
                         "the disk?is full\n"));
}

TEST(an_exception_of_a_detached_greenlet_is_reported)
{
    captured_errors errors;
    bine::go("alone", [held = counted(1)] { throw std::logic_error("wrong"); });
    bine::go([] { throw 5; });
    bine::go([] { throw bine::cancelled(); });
    bine::yield();
    std::string text = errors.text();
    CHECK(contains(text,
                   ": alone> ended by an exception that nobody gets: std::logic_error: wrong\n"));
    CHECK(contains(text, " ended by an exception that nobody gets: int\n"));
    CHECK(!contains(text, "cancelled"));
}

TEST(an_exception_that_was_got_is_not_reported)
{
    captured_errors errors;
    auto task = bine::spawn([] { throw std::logic_error("wrong"); });
    CHECK_THROWS(std::logic_error, task.get());
    CHECK_EQ(errors.text(), "");
}

TEST(a_task_ends_on_another_thread)
{
    bine::event begun(bine::shared);
    auto killed = bine::spawn([&, held = counted(1)] { bine::sleep(1h); });
    auto thrower = bine::spawn([]() -> int { throw std::out_of_range("there"); });
    auto result = bine::spawn([] { return std::make_unique<int>(9); });
    bine::yield();
    int value = 0;
    bool thrown = false;
    bine::event over(bine::shared);
    std::thread thread([&, first = std::move(killed), second = std::move(thrower),
                        third = std::move(result)]() mutable {
        first.kill();
        first.join();
        value = *third.get();
        try {
            second.get();
        } catch (const std::out_of_range &) {
            thrown = true;
        }
        {
            auto ended = std::move(first);
        }
        over.set();
    });
    over.wait();
    thread.join();
    CHECK_EQ(value, 9);
    CHECK(thrown);
}

TEST(a_task_whose_thread_has_ended_is_an_error)
{
    bine::task<> task;
    std::thread([&] { task = bine::spawn([] { bine::sleep(1h); }); }).join();
    CHECK_CODE(ECANCELED, task.get());
}

TEST(bine_fail_in_a_body_is_an_error_of_get)
{
    auto task = bine::spawn([]() -> int { bine_fail(EBADMSG); });
    CHECK_CODE(EBADMSG, task.get());
    auto left = bine::spawn([] { bine_exit(nullptr); });
    CHECK_CODE(ECANCELED, left.get());
}

TEST(hazard_03_handlers_that_switch_keep_their_exceptions)
{
    std::vector<bine::task<int>> tasks;
    for (int i = 0; i < 10; i++)
        tasks.push_back(bine::spawn([i] {
            int wrong = 0;
            for (int round = 0; round < 20; round++) {
                try {
                    throw i;
                } catch (int &mine) {
                    bine::yield();
                    wrong += mine != i;
                    try {
                        // One that another greenlet threw, inside the handler of ours.
                        bine::spawn([i] { throw std::to_string(i); }).get();
                    } catch (const std::string &other) {
                        bine::yield();
                        wrong += other != std::to_string(i);
                    }
                    try {
                        throw;
                    } catch (int &again) {
                        wrong += again != i;
                    }
                }
                wrong += std::uncaught_exceptions() != 0 || std::current_exception();
            }
            return wrong;
        }));
    for (auto &task : tasks)
        CHECK_EQ(task.get(), 0);
}

TEST(twenty_thousand_tasks_leave_nothing)
{
    long sum = 0;
    for (int i = 0; i < 20000; i++)
        sum += bine::spawn([held = counted(i)] { return held.value; }).get();
    CHECK_EQ(sum, 199990000L);
}

// Scopes and deadlines: nothing outlives its block, and the first failure is what the block throws.
#include "harness.hpp"

#include <stdexcept>

TEST(a_scope_waits_for_all_and_gives_what_the_block_returns)
{
    int sum = 0;
    int result = bine::in_scope(5s, [&](bine::scope &scope) {
        for (int i = 1; i <= 3; i++)
            scope.spawn([&sum, i, held = counted(i)] {
                bine::sleep(1ms);
                sum += i;
            });
        return 7;
    });
    CHECK_EQ(sum, 6);
    CHECK_EQ(result, 7);
}

TEST(a_member_that_fails_ends_the_others_and_the_block)
{
    captured_errors errors;
    int unwound = 0;
    std::string what;
    try {
        bine::in_scope([&](bine::scope &scope) {
            scope.spawn([&] {
                try {
                    bine::sleep(1h);
                } catch (const bine::cancelled &) {
                    unwound++;
                    throw;
                }
            });
            scope.spawn("broken", [] { throw std::runtime_error("broken"); });
            bine::sleep(1h);
        });
    } catch (const std::runtime_error &error) {
        what = error.what();
    }
    CHECK_EQ(what, "broken");
    CHECK_EQ(unwound, 1);
    CHECK_EQ(errors.text(), "");
}

TEST(a_block_that_throws_ends_its_members)
{
    CHECK_THROWS(std::logic_error, bine::in_scope([&](bine::scope &scope) {
                     scope.spawn([held = counted(1)] { bine::sleep(1h); });
                     bine::yield();
                     throw std::logic_error("the block");
                 }));
    CHECK_EQ(counted::alive, 0);
}

TEST(a_scopes_time_ends_block_and_members)
{
    CHECK_THROWS(bine::timeout, bine::in_scope(5ms, [&](bine::scope &scope) {
                     scope.spawn([held = counted(1)] { bine::sleep(1h); });
                     bine::sleep(1h);
                 }));
    CHECK_THROWS(bine::timeout, bine::in_scope(5ms, [&](bine::scope &scope) {
                     scope.spawn([] { bine::sleep(1h); });
                 }));
}

TEST(the_kill_of_a_scopes_owner_is_the_kill_of_its_members)
{
    bool unwound = false;
    auto owner = bine::spawn([&] {
        bine::in_scope([&](bine::scope &scope) {
            scope.spawn([&] {
                try {
                    bine::sleep(1h);
                } catch (const bine::cancelled &) {
                    unwound = true;
                    throw;
                }
            });
        });
    });
    bine::sleep(1ms);
    owner.kill();
    CHECK_CODE(ECANCELED, owner.get());
    CHECK(unwound);
}

TEST(a_second_failure_is_reported)
{
    captured_errors errors;
    CHECK_THROWS(std::runtime_error, bine::in_scope([&](bine::scope &scope) {
                     scope.spawn("second", [] {
                         try {
                             bine::sleep(1h);
                         } catch (const bine::cancelled &) {
                             throw std::logic_error("on the way out");
                         }
                     });
                     scope.spawn([] {
                         bine::yield();
                         throw std::runtime_error("first");
                     });
                 }));
    CHECK(contains(
        errors.text(),
        ": second> ended by an exception that nobody gets: std::logic_error: on the way out"));
}

TEST(a_members_outcome_can_be_got_inside)
{
    bine::in_scope([&](bine::scope &scope) {
        auto member = scope.spawn([] { return std::make_unique<counted>(4); });
        CHECK_EQ(member.get()->value, 4);
    });
}

TEST(one_result_can_be_enough)
{
    int winner = 0;
    bine::in_scope([&](bine::scope &scope) {
        for (int i = 1; i <= 3; i++)
            scope.spawn([&, i] {
                bine::sleep(i == 2 ? 0ms : 1h);
                winner = i;
                scope.cancel();
            });
    });
    CHECK_EQ(winner, 2);
}

TEST(a_scope_as_a_variable_ends_its_members_on_every_way_out)
{
    for (bool joined : {false, true}) {
        bine::scope scope;
        scope.spawn([held = counted(1), joined] { bine::sleep(joined ? 0ms : 1h); });
        bine::yield();
        if (joined)
            scope.join();
    }
    CHECK_EQ(counted::alive, 0);
}

TEST(a_scope_that_is_left_without_join_reports_a_failure)
{
    captured_errors errors;
    {
        bine::scope scope;
        scope.spawn([] { throw std::runtime_error("unseen"); });
        bine::yield();
    }
    CHECK(contains(errors.text(), "std::runtime_error: unseen"));
}

TEST(within_throws_and_try_within_tells)
{
    CHECK_THROWS(bine::timeout, bine::within(1ms, [] { bine::sleep(1h); }));
    CHECK_EQ(bine::within(1h, [] { return 3; }), 3);
    CHECK(!bine::try_within(1ms, [] { bine::sleep(1h); }));
    CHECK(bine::try_within(1h, [] {}));
    CHECK_EQ(bine::try_within(1h, [] { return counted(4); })->value, 4);
    CHECK(!bine::try_within(1ms, [] {
               bine::sleep(1h);
               return 4;
           }).has_value());
}

TEST(the_timeout_of_an_outer_limit_passes_through)
{
    bool inner = false;
    CHECK_THROWS(bine::timeout, bine::within(1ms, [&] {
                     bine::try_within(1h, [] { bine::sleep(2h); });
                     inner = true;
                 }));
    CHECK(!inner);
}

TEST(a_deadline_that_is_lifted_strikes_no_more)
{
    bine::deadline limit(1ms);
    CHECK_THROWS(bine::timeout, bine::sleep(1h));
    CHECK(limit.expired());
    CHECK_THROWS(bine::timeout, bine::sleep(1h));
    CHECK(limit.end());
    bine::yield();
}

TEST(durations_are_rounded_up_and_bounded)
{
    CHECK_EQ(bine::duration(2s).ns(), 2 * BINE_SECOND);
    CHECK_EQ(bine::duration(-1s).ns(), 0);
    CHECK_EQ(bine::duration(std::chrono::duration<double>(0.5)).ns(), 500 * BINE_MS);
    CHECK_EQ(bine::duration(std::chrono::duration<double, std::nano>(0.5)).ns(), 1);
    CHECK_EQ(bine::duration(std::chrono::duration<long, std::pico>(1)).ns(), 1);
    CHECK_EQ(bine::duration(std::chrono::hours::max()).ns(), BINE_FOREVER);
    CHECK_EQ(bine::duration(std::chrono::duration<double>(1e30)).ns(), BINE_FOREVER);
    CHECK_EQ(bine::forever.ns(), BINE_FOREVER);
}

TEST(check_throws_what_errno_says)
{
    CHECK_CODE(EBADF, bine::check(close(-1), "close"));
    CHECK_EQ(bine::check(dup2(0, 0)), 0);
    errno = ETIMEDOUT;
    CHECK_THROWS(bine::timeout, bine::check(-1));
    errno = ECANCELED; // nobody killed this greenlet
    CHECK_CODE(ECANCELED, bine::check(-1));
}

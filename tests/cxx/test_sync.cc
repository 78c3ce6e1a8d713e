// Events, semaphores, barriers, locks and conditions, by the names of the standard library.
#include "harness.hpp"

#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

TEST(events_wake_those_that_wait)
{
    bine::event event;
    auto task = bine::spawn([&] { event.wait(); });
    bine::yield();
    CHECK(!task.done());
    event.set();
    task.get();
    CHECK(event.is_set());
    event.clear();
    CHECK_THROWS(bine::timeout, event.wait(1ms));
}

TEST(a_shared_event_is_set_by_another_thread)
{
    bine::event event(bine::shared);
    std::thread thread([&] { event.set(); });
    event.wait();
    thread.join();
}

TEST(semaphores_count)
{
    bine::semaphore semaphore(2);
    semaphore.acquire();
    CHECK(semaphore.try_acquire());
    CHECK(!semaphore.try_acquire());
    CHECK(!semaphore.try_acquire_for(1ms));
    CHECK_THROWS(bine::timeout, semaphore.acquire(1ms));
    // The time of a limit around it is no answer, it is thrown.
    CHECK_THROWS(bine::timeout, bine::within(1ms, [&] { semaphore.try_acquire_for(1h); }));
    semaphore.release(2);
    CHECK_EQ(semaphore.permits(), 2u);
}

TEST(guards_of_the_standard_library_take_the_locks)
{
    bine::rlock lock, other;
    bine::rwlock rwlock;
    auto refused = [&] { return bine::spawn([&] { return !lock.try_lock(); }).get(); };
    {
        std::lock_guard guard(lock);
        std::lock_guard again(lock);
        CHECK(refused());
    }
    {
        std::scoped_lock both(lock, other);
        CHECK(refused());
    }
    {
        std::unique_lock timed(lock, 1s);
        CHECK(timed.owns_lock() && refused());
        CHECK(!bine::spawn([&] { return std::unique_lock(lock, 1ms).owns_lock(); }).get());
    }
    {
        std::shared_lock reader(rwlock);
        CHECK(bine::spawn([&] { return std::shared_lock(rwlock).owns_lock(); }).get());
        CHECK(!bine::spawn([&] { return rwlock.try_lock(); }).get());
    }
    {
        std::unique_lock writer(rwlock);
        CHECK(!bine::spawn([&] { return rwlock.try_lock_shared(); }).get());
    }
    CHECK(bine::spawn([&] {
              std::unique_lock free(lock, std::try_to_lock);
              return free.owns_lock();
          }).get());
    CHECK_CODE(EPERM, other.unlock());
}

TEST(an_exception_releases_the_lock)
{
    bine::rlock lock;
    auto holder = bine::spawn([&] {
        std::lock_guard guard(lock);
        bine::sleep(1h);
    });
    bine::yield();
    auto waiter = bine::spawn([&] {
        std::lock_guard guard(lock);
        return 1;
    });
    bine::yield();
    holder.kill();
    CHECK_EQ(waiter.get(), 1);
    holder.join();
}

TEST(conditions_wait_for_a_change)
{
    bine::rlock lock;
    bine::condition changed(lock);
    int number = 0;
    auto waiter = bine::spawn([&] {
        std::lock_guard guard(lock);
        changed.wait([&] { return number == 3; });
        return number;
    });
    for (int i = 0; i < 3; i++) {
        bine::yield();
        std::lock_guard guard(lock);
        number++;
        changed.notify_all();
    }
    CHECK_EQ(waiter.get(), 3);
    CHECK_CODE(EPERM, changed.wait());
    std::lock_guard guard(lock);
    CHECK_THROWS(bine::timeout, changed.wait([] { return false; }, 1ms));
}

TEST(barriers_gather_and_break)
{
    bine::barrier barrier(3);
    std::vector<bine::task<int>> tasks;
    for (int i = 0; i < 3; i++)
        tasks.push_back(bine::spawn([&] { return barrier.arrive_and_wait(); }));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(tasks[static_cast<size_t>(i)].get(), i);
    barrier.abort();
    CHECK_THROWS(bine::closed, barrier.arrive_and_wait());
}

TEST(an_object_that_is_waited_for_stays_and_is_reported)
{
    captured_errors errors;
    bine_event *left;
    bine::task<> task;
    {
        bine::event event;
        left = event.handle();
        task = bine::spawn([left] { bine_event_wait(left, BINE_FOREVER); });
        bine::yield();
    }
    CHECK(contains(errors.text(),
                   "bine: an object was destroyed, but could not be freed and is left: "));
    bine_event_set(left);
    task.get();
    CHECK_OK(bine_event_free(left));
}

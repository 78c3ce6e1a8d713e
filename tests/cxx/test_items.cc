// Channels, queues and mailboxes own what is in them, and lose and double nothing.
#include "harness.hpp"

#include <memory>
#include <thread>
#include <vector>

using box = std::unique_ptr<counted>;

static box boxed(int value)
{
    return std::make_unique<counted>(value);
}

TEST(items_arrive_in_order_until_the_channel_is_closed)
{
    bine::channel<std::string> channel(2);
    std::string got;
    auto reader = bine::spawn([&] {
        for (auto &item : channel)
            got += item + " ";
    });
    for (auto item : {"a", "b", "c", "d"})
        channel.send(item);
    channel.close();
    reader.get();
    CHECK_EQ(got, "a b c d ");
    CHECK(!channel.receive().has_value());
    std::string kept = "kept";
    CHECK_THROWS(bine::closed, channel.send(std::move(kept)));
    CHECK_EQ(kept, "kept");
}

template <class Item> static void left_behind(Item (*make)(int))
{
    {
        bine::channel<Item> channel(3);
        channel.send(make(1));
        channel.send(make(2));
        bine::queue<Item> queue;
        queue.put(make(3));
        bine::mailbox<Item> mailbox(4);
        mailbox.send(make(4));
        CHECK(mailbox.try_send(make(5)));
        CHECK_EQ(counted::alive, 5);
    }
    CHECK_EQ(counted::alive, 0);
}

TEST(what_is_left_is_destroyed)
{
    left_behind<counted>([](int i) { return counted(i); });
    left_behind<box>(boxed);
}

template <class Item, class Value> static void comes_back(Item (*make)(int), Value value)
{
    bine::channel<Item> channel;
    bine::queue<Item> queue(1);
    bine::mailbox<Item> mailbox(2);
    queue.put(make(0));
    mailbox.send(make(0));
    mailbox.send(make(0));
    Item item = make(7);
    CHECK_THROWS(bine::timeout, channel.send(std::move(item), 1ms));
    CHECK_THROWS(bine::timeout, queue.put(std::move(item), 1ms));
    CHECK(!queue.try_put(std::move(item)));
    CHECK_THROWS(bine::timeout, mailbox.send(std::move(item), 1ms));
    CHECK(!mailbox.try_send(std::move(item)));
    CHECK_EQ(value(item), 7);
    queue.shutdown();
    mailbox.close();
    CHECK_THROWS(bine::closed, queue.put(std::move(item)));
    CHECK_THROWS(bine::closed, queue.try_put(std::move(item)));
    CHECK_THROWS(bine::closed, mailbox.send(std::move(item)));
    CHECK_EQ(value(item), 7);
}

TEST(an_item_that_nobody_took_comes_back)
{
    comes_back<counted>([](int i) { return counted(i); },
                        [](const counted &item) { return item.value; });
    comes_back<box>(boxed, [](const box &item) { return item->value; });
}

// A greenlet that is killed while it waits here.
template <class Wait> static void killed_in(Wait wait)
{
    auto task = bine::spawn([&, held = counted(1)] { wait(); });
    bine::sleep(1ms);
    CHECK(!task.done());
    task.kill();
    CHECK_CODE(ECANCELED, task.get());
    CHECK_EQ(counted::alive, 0);
}

TEST(a_kill_at_each_wait_leaves_nothing)
{
    bine::channel<box> channel;
    killed_in([&] { channel.send(boxed(1)); });
    killed_in([&] { channel.receive(); });
    bine::queue<box> queue(1);
    killed_in([&] { queue.get(); });
    killed_in([&] {
        bine::queue<box> full(1);
        full.put(boxed(1));
        full.put(boxed(2));
    });
    killed_in([&] {
        bine::mailbox<box> mailbox(2);
        mailbox.send(boxed(1));
        mailbox.send(boxed(2));
        mailbox.send(boxed(3));
    });
    killed_in([&] {
        bine::mailbox<box> mailbox(2);
        mailbox.receive();
    });
    killed_in([&] {
        bine::queue<int> unfinished;
        unfinished.put(1);
        unfinished.join();
    });
    bine::event event;
    killed_in([&] { event.wait(); });
    bine::semaphore semaphore(0);
    killed_in([&] { semaphore.acquire(); });
    killed_in([&] { semaphore.try_acquire_for(1h); });
    bine::rwlock rwlock;
    rwlock.lock();
    killed_in([&] { rwlock.lock(); });
    killed_in([&] { rwlock.lock_shared(); });
    rwlock.unlock();
    bine::rlock lock;
    lock.lock();
    killed_in([&] { lock.lock(); });
    killed_in([&] { lock.try_lock_for(1h); });
    lock.unlock();
    killed_in([&] {
        lock.lock();
        bine::condition changed(lock);
        try {
            changed.wait();
        } catch (const bine::cancelled &) {
            lock.unlock();
            throw;
        }
    });
    killed_in([&] { bine::barrier(2).arrive_and_wait(); });
    killed_in([&] { bine::select(bine::on_receive(channel, [](auto) {})); });
    killed_in([&] { bine::select(bine::on_send(channel, boxed(1), [] {})); });
    killed_in(
        [&] { bine::in_scope([](bine::scope &scope) { scope.spawn([] { bine::sleep(1h); }); }); });
    killed_in([&] { bine::spawn([] { bine::sleep(1h); }).join(); });
    killed_in([&] { bine::spawn([] { bine::sleep(1h); }).get(); });
}

TEST(queues_know_their_orders)
{
    bine::queue<int> stack(0, bine::order::last_in_first_out);
    bine::priority_queue<std::string> words;
    bine::priority_queue<int, std::greater<int>> largest;
    struct less {
        bool operator()(const box &a, const box &b) const
        {
            return a->value < b->value;
        }
    };
    bine::priority_queue<box, less> boxes;
    for (int i : {2, 3, 1}) {
        stack.put(i);
        words.put(std::to_string(i));
        largest.put(i);
        boxes.put(boxed(i));
    }
    CHECK_EQ(*stack.get(), 1);
    CHECK_EQ(*words.get(), "1");
    CHECK_EQ(*largest.get(), 3);
    CHECK_EQ((*boxes.get())->value, 1);
    CHECK_EQ((*boxes.get())->value, 2);
    CHECK_EQ(*stack.try_get(), 3);
    CHECK_EQ(stack.size(), 1u);
}

TEST(a_queues_tasks_are_waited_for)
{
    bine::queue<int> queue;
    for (int i = 0; i < 3; i++)
        queue.put(i);
    auto worker = bine::spawn([&] {
        for ([[maybe_unused]] int item : queue)
            queue.task_done();
    });
    queue.join();
    CHECK_EQ(queue.unfinished(), 0u);
    queue.shutdown();
    worker.get();
    CHECK_CODE(EINVAL, queue.task_done());
}

TEST(small_values_are_themselves)
{
    struct point {
        short x, y;
    };
    bine::channel<point> points(1);
    bine::channel<double> numbers(1);
    bine::channel<const char *> texts(1);
    points.send(point{3, -4});
    numbers.send(0.5);
    texts.send("text");
    CHECK_EQ(points.receive()->y, -4);
    CHECK_EQ(*numbers.receive(), 0.5);
    CHECK_EQ(std::string(*texts.receive()), "text");
}

TEST(threads_share_channels_and_mailboxes)
{
    bine::channel<box> channel(1, bine::shared);
    bine::mailbox<box> mailbox(2);
    std::thread thread([&] {
        for (int i = 1; i <= 50; i++) {
            channel.send(boxed(i));
            mailbox.send(boxed(i));
        }
        channel.close();
        mailbox.close();
    });
    int sum = 0;
    auto other = bine::spawn([&] {
        for (auto &item : mailbox)
            sum += item->value;
    });
    for (auto &item : channel)
        sum += item->value;
    other.get();
    thread.join();
    CHECK_EQ(sum, 2550);
}

TEST(the_end_of_a_channel_wakes_its_waiters)
{
    auto channel = std::make_unique<bine::channel<int>>();
    auto receiver = bine::spawn([&] { return channel->receive().has_value(); });
    auto sender = bine::spawn([&, &channel = *channel] { channel.send(1); });
    bine::yield();
    CHECK(receiver.get()); // they met
    sender.get();
    auto waiting = bine::spawn([&channel = *channel] { return channel.receive().has_value(); });
    bine::yield();
    channel.reset();
    CHECK(!waiting.get());
}

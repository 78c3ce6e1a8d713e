// Select: exactly one case is done, and items of the others stay where they were.
#include "harness.hpp"

#include <memory>

TEST(the_case_that_can_be_done_is_done)
{
    bine::channel<std::string> channel(1);
    bine::queue<std::unique_ptr<counted>> queue;
    bine::event event;
    std::string done;
    auto once = [&] {
        return bine::select_first(
            bine::on_receive(
                channel, [&](std::optional<std::string> item) { done = item.value_or("closed"); }),
            bine::on_get(queue, [&](auto item) { done = std::to_string(item.value()->value); }),
            bine::on_ready(event, [&] { done = "event"; }),
            bine::otherwise([&] { done = "none"; }));
    };
    CHECK_EQ(once(), 3u);
    CHECK_EQ(done, "none");
    event.set();
    CHECK_EQ(once(), 2u);
    CHECK_EQ(done, "event");
    queue.put(std::make_unique<counted>(8));
    CHECK_EQ(once(), 1u);
    CHECK_EQ(done, "8");
    channel.send("text");
    CHECK_EQ(once(), 0u);
    CHECK_EQ(done, "text");
    channel.close();
    CHECK_EQ(once(), 0u);
    CHECK_EQ(done, "closed");
}

TEST(an_item_that_was_not_sent_comes_back)
{
    bine::channel<counted> channel;
    bine::queue<counted> full(1);
    full.put(counted(1));
    counted item(5), other(6);
    auto chosen =
        bine::select(bine::on_send(channel, std::move(item), [] {}),
                     bine::on_put(full, std::move(other), [] {}), bine::after(1ms, [] {}));
    CHECK_EQ(chosen, 2u);
    CHECK_EQ(item.value, 5);
    CHECK_EQ(other.value, 6);
    channel.close();
    CHECK_THROWS(bine::closed, bine::select(bine::on_send(channel, std::move(item), [] {})));
    CHECK_EQ(item.value, 5);
}

TEST(an_item_that_was_sent_arrives)
{
    bine::channel<std::unique_ptr<counted>> channel;
    auto receiver = bine::spawn([&] { return (*channel.receive())->value; });
    bool told = false;
    bine::select(bine::on_send(channel, std::make_unique<counted>(9), [&] { told = true; }));
    CHECK(told);
    CHECK_EQ(receiver.get(), 9);
}

TEST(permits_tasks_descriptors_and_mailboxes_are_cases)
{
    bine::semaphore semaphore(1);
    bine::mailbox<int> mailbox(2);
    auto task = bine::spawn([] {});
    task.join();
    int pipe_ends[2], got = 0;
    CHECK_OK(pipe(pipe_ends));
    CHECK_EQ(bine::select(bine::on_acquire(semaphore, [] {})), 0u);
    CHECK_EQ(bine::select(bine::on_acquire(semaphore, [] {}), bine::on_ready(task, [] {})), 1u);
    CHECK_EQ(bine::select(bine::on_readable(pipe_ends[0], [] {}),
                          bine::on_writable(pipe_ends[1], [] {})),
             1u);
    mailbox.send(4);
    CHECK_EQ(bine::select(bine::on_readable(pipe_ends[0], [] {}),
                          bine::on_receive(mailbox, [&](std::optional<int> item) { got = *item; })),
             1u);
    CHECK_EQ(got, 4);
    CHECK_OK(write(pipe_ends[1], "x", 1));
    CHECK_EQ(bine::select(bine::on_readable(pipe_ends[0], [] {}), bine::after(1h, [] {})), 0u);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST(handlers_throw_through_select)
{
    bine::channel<int> channel(1);
    channel.send(1);
    CHECK_THROWS(std::string,
                 bine::select(bine::on_receive(channel, [](auto) { throw std::string("no"); })));
}

TEST(the_earliest_of_several_times_counts)
{
    CHECK_EQ(
        bine::select(bine::after(1h, [] {}), bine::after(1ms, [] {}), bine::after(1min, [] {})),
        1u);
    CHECK_THROWS(bine::timeout, bine::within(1ms, [] { bine::select(bine::after(1h, [] {})); }));
}

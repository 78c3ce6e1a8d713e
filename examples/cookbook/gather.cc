// C++17: ask several servers at once, each for a line, and print the answers as they come.
//
//     gather SECONDS ADDRESS...        HOST:PORT, unix:/path ...
//
// A task for each; exceptions say what went wrong with whom, and a deadline over all of it needs no
// help of what is called. SIGTERM ends it. Exit status: 0 if all answered.
#include <bine.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace
{
// A descriptor that is closed whatever happens, also to a task that is killed in the middle.
class connection
{
  public:
    connection(const std::string &address, bine::duration limit)
        : fd_(bine::check(bine_dial(address.c_str(), limit.ns()), "connecting")),
          reader_(bine_reader_new(fd_, 4096))
    {
    }
    ~connection()
    {
        bine_reader_free(reader_);
        bine_close(fd_);
    }
    connection(const connection &) = delete;

    std::string ask(const std::string &question)
    {
        char *text = nullptr;
        bine::check(bine_send_all(fd_, question.data(), question.size()), "sending");
        if (bine::check(bine_reader_line(reader_, &text, nullptr), "reading") == 0)
            throw std::runtime_error("it hung up");
        return text;
    }

  private:
    int fd_;
    bine_reader *reader_;
};

struct answer {
    std::string from, text;
    bool good;
};

answer ask(const std::string &address, bine::duration limit)
{
    try {
        return bine::within(limit, [&] {
            return answer{address, connection(address, limit).ask("what time is it?\n"), true};
        });
    } catch (const std::exception &error) { // not bine::cancelled: that ends this task
        return answer{address, error.what(), false};
    }
}

// A signal as something that select waits for.
struct signal_event {
    explicit signal_event(int number) : event_(bine::check(bine_signal_event_new(number), "signal"))
    {
    }
    ~signal_event()
    {
        bine_signal_event_free(event_);
    }
    signal_event(const signal_event &) = delete;
    bine_event *handle() const noexcept
    {
        return event_;
    }
    bine_event *event_;
};

// How many answered. What is left in the middle, by a signal or an exception, is killed and waited
// for by its task's end.
int gather(const std::vector<std::string> &addresses, bine::duration limit,
           const signal_event &term)
{
    bine::channel<answer> answers(addresses.size());
    std::vector<bine::task<void>> tasks;
    for (const auto &address : addresses)
        tasks.push_back(
            bine::spawn([&answers, address, limit] { answers.send(ask(address, limit)); }));
    int good = 0;
    bool stopped = false;
    auto show = [&](std::optional<answer> got) {
        if (!got)
            return;
        std::cout << got->from << ": " << got->text << std::endl;
        good += got->good;
    };
    for (std::size_t i = 0; i < addresses.size() && !stopped; i++)
        bine::select(bine::on_receive(answers, show),
                     bine::on_ready(term, [&] { stopped = true; }));
    return good;
}
} // namespace

int main(int count, char **arguments)
{
    double seconds = count > 2 ? std::atof(arguments[1]) : 0;
    if (seconds <= 0)
        return std::cerr << "usage: gather SECONDS ADDRESS...\n", 2;
    try {
        std::vector<std::string> addresses(arguments + 2, arguments + count);
        signal_event term(SIGTERM);
        int good = gather(addresses, std::chrono::duration<double>(seconds), term);
        std::cout << good << " of " << addresses.size() << std::endl;
        return good < count - 2;
    } catch (const std::exception &error) {
        std::cerr << "gather: " << error.what() << std::endl;
        return 1;
    }
}

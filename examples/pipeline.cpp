// A pipeline in C++: one greenlet reads, three work, one collects. The first failure ends all of
// them, and is thrown here.
#include <bine.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct job {
    std::string text;
    size_t length = 0;
};

// How often each length occurs among the words. A word with a digit in it is an error.
static std::map<size_t, int> count_lengths(const std::vector<std::string> &words)
{
    bine::channel<std::unique_ptr<job>> jobs(4), done(4);
    std::map<size_t, int> lengths;

    bine::in_scope(10s, [&](bine::scope &scope) {
        scope.spawn("reader", [&] {
            for (auto &word : words)
                jobs.send(std::make_unique<job>(job{word}));
            jobs.close();
        });
        scope.spawn("workers", [&] {
            bine::in_scope([&](bine::scope &workers) {
                for (int i = 0; i < 3; i++)
                    workers.spawn([&] {
                        for (auto &job : jobs) {
                            bine::sleep(1ms); // it waits for something
                            if (job->text.find_first_of("0123456789") != std::string::npos)
                                throw std::runtime_error("not a word: " + job->text);
                            job->length = job->text.size();
                            done.send(std::move(job));
                        }
                    });
            });
            done.close();
        });
        for (auto &job : done)
            lengths[job->length]++;
    });
    return lengths;
}

int main()
{
    for (auto [length, count] :
         count_lengths({"greenlets", "are", "cheap", "and", "plain", "to", "use"}))
        std::cout << count << " of length " << length << "\n";
    try {
        count_lengths({"one", "2", "three"});
    } catch (const std::runtime_error &error) {
        std::cout << error.what() << "\n";
    }
}

// SPDX-License-Identifier: PostgreSQL
#include "proxy/log_writer.hpp"

#include "tests/support/run_until.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

using rolegate::proxy::log_writer;
using rolegate::support::run_until;
using namespace std::chrono_literals;

namespace
{

// Somebody who reads the log, or does not.
class reader
{
public:
    reader()
    {
        REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
        ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
        ::fcntl(ends_[0], F_SETPIPE_SZ, 4096);
    }
    ~reader()
    {
        hang_up();
        ::close(ends_[1]);
    }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    [[nodiscard]] int fd() const { return ends_[1]; }

    // Everything that has come by now.
    const std::string& read()
    {
        char buffer[65536];
        for (ssize_t n = 0; (n = ::read(ends_[0], buffer, sizeof buffer)) > 0;)
            all_.append(buffer, static_cast<std::size_t>(n));
        return all_;
    }

    void hang_up()
    {
        if (ends_[0] >= 0)
            ::close(ends_[0]);
        ends_[0] = -1;
    }

private:
    int ends_[2] = {-1, -1};
    std::string all_;
};

std::size_t lines_in(const std::string& text)
{
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

} // namespace

TEST_SUITE("proxy/log_writer")
{
    TEST_CASE("lines come out in their order, also one that is longer than a pipe takes at once")
    {
        reader r;
        log_writer w(r.fd());
        const std::string longest(10'000, 'x');
        CHECK(w.push("one\n", false));
        CHECK(w.push(longest + "\n", false));
        CHECK(w.push("three\n", true));

        const auto expected = "one\n" + longest + "\nthree\n";
        CHECK(run_until([&] { return r.read().size() >= expected.size(); }));
        CHECK(r.read() == expected);
        CHECK(w.flush(10s));
        CHECK(w.dropped() == 0);
    }

    TEST_CASE("nobody waits for a reader that has stopped; what has no room is counted")
    {
        reader r;
        log_writer w(r.fd(), 65536);
        const std::string line(99, 'x');
        std::size_t taken = 0;
        for (int i = 0; i < 2000; ++i)
            taken += w.push(line + "\n", false);
        CHECK(taken < 2000);
        CHECK(w.dropped() == 2000 - taken);
        CHECK_FALSE(w.has_room());
        CHECK_FALSE(w.flush(10ms));
        CHECK(w.push("it matters\n", true)); // there is room left for it

        CHECK(run_until([&] { return r.read().ends_with("it matters\n"); }));
        CHECK(lines_in(r.read()) == taken + 1);
        CHECK(w.flush(10s));
        CHECK(w.has_room());
    }

    TEST_CASE("it ends although nobody reads")
    {
        reader r;
        {
            log_writer w(r.fd());
            for (int i = 0; i < 1000; ++i)
                w.push(std::string(99, 'x') + "\n", false);
        }
        CHECK(r.read().size() <= 8192);
    }

    TEST_CASE("what a reader that has gone does not take is counted")
    {
        std::signal(SIGPIPE, SIG_IGN);
        reader r;
        r.hang_up();
        log_writer w(r.fd());
        w.push("one\n", false);
        w.push("two\n", false);

        CHECK(w.flush(10s));
        CHECK(w.dropped() == 2);
    }

    TEST_CASE("what is to be told each second may be told through it")
    {
        reader r;
        std::atomic<log_writer*> self{nullptr};
        log_writer w(
            r.fd(),
            log_writer::usual_capacity,
            [&self]
            {
                if (auto* writer = self.load())
                    writer->push("tick\n", false);
            }
        );
        self = &w;

        CHECK(run_until([&] { return r.read().starts_with("tick\n"); }));
    }
}

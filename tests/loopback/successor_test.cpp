// SPDX-License-Identifier: PostgreSQL
//
// The process that is to take over, played by a shell.
#include "proxy/successor.hpp"

#include "proxy/last_sessions.hpp"
#include "tests/support/captured_log.hpp"
#include "tests/support/proxy_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <future>
#include <system_error>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using proxy::successor;

namespace
{

namespace asio = boost::asio;

proxy::command_line shell(const std::string& script)
{
    return {"/bin/sh", {"sh", "-c", script}};
}

template <class T> T answer_of(asio::io_context& control, asio::awaitable<T> question)
{
    auto answer = asio::co_spawn(control, std::move(question), asio::use_future);
    control.restart();
    while (answer.wait_for(0s) != std::future_status::ready)
        control.run_one();
    return answer.get();
}

bool runs(pid_t pid)
{
    return ::kill(pid, 0) == 0;
}

} // namespace

TEST_SUITE("successor")
{
    TEST_CASE("it finds the sockets, the state and a way to answer, and nothing else of ours")
    {
        asio::io_context control(1);
        const asio::steady_timer loop(control); // what the loop itself needs is open from here on
        const auto before = open_descriptors();
        {
            const proxy::unique_fd a(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
            const proxy::unique_fd b(::open("/dev/full", O_RDONLY | O_CLOEXEC));
            const proxy::unique_fd leaks(::fcntl(a.get(), F_DUPFD, 50)); // on purpose
            const auto seen = "test -e /proc/$$/fd/" + std::to_string(leaks.get()) + " && exit 1; ";
            successor s(
                control,
                shell(
                    seen + "test $LISTEN_FDS:$LISTEN_FDNAMES = 4:w:r:rolegate-state:rolegate-word "
                           "|| exit 2; test -z \"$WATCHDOG_PID$LISTEN_PID\" || exit 3; "
                           "test $ROLEGATE_UPGRADES = $PPID || exit 4; "
                           "test $(readlink /proc/$$/fd/3) = /dev/zero || exit 5; "
                           "test $(readlink /proc/$$/fd/4) = /dev/full || exit 6; "
                           "test \"$(cat <&5)\" = '{\"a\": 1}' || exit 7; "
                           "test -e /proc/$$/fd/7 && exit 8; "
                           "echo accepting >&6; echo 'resume write' >&6"
                ),
                {{"w", a.get(), "", false}, {"r", b.get(), "", false}},
                "{\"a\": 1}"
            );
            const auto problem = answer_of(control, s.accepts());
            CHECK(problem == "");
            CHECK(answer_of(control, s.order()) == "resume write");
            CHECK(answer_of(control, s.order()) == ""); // it has ended
            const auto gone = [&]
            {
                s.reap();
                return !runs(s.pid());
            };
            CHECK(run_until(gone));
        }
        control.restart();
        control.poll();
        CHECK(open_descriptors() == before);
    }

    TEST_CASE("one that fails says how it ended")
    {
        asio::io_context control(1);
        successor s(control, shell("exit 3"), {}, "");
        const auto pid = s.pid();
        CHECK(answer_of(control, s.accepts()) == "it ended with exit code 3");
        CHECK_FALSE(runs(pid));
    }

    TEST_CASE("one that says why it fails is quoted")
    {
        asio::io_context control(1);
        successor s(control, shell("echo failing write: port 1 is taken >&4; exit 1"), {}, "");
        CHECK(
            answer_of(control, s.accepts()) == "it ended with exit code 1: write: port 1 is taken"
        );
    }

    TEST_CASE("one that says why it fails and does not end is ended, and quoted")
    {
        asio::io_context control(1);
        successor s(
            control, shell("echo failing write: port 1 is taken >&4; exec sleep 3600"), {}, ""
        );
        const auto pid = s.pid();
        CHECK(
            answer_of(control, s.accepts()) == "it was ended by signal 9: write: port 1 is taken"
        );
        CHECK_FALSE(runs(pid));
    }

    TEST_CASE("one that says something else is ended")
    {
        asio::io_context control(1);
        successor s(control, shell("echo hello >&4; exec sleep 3600"), {}, "");
        const auto pid = s.pid();
        CHECK(answer_of(control, s.accepts()) == "it did not accept in time");
        CHECK_FALSE(runs(pid));
    }

    TEST_CASE("one that must not take over any more")
    {
        asio::io_context control(1);
        successor s(control, shell("exec sleep 3600"), {}, "");
        s.kill();
        CHECK(answer_of(control, s.accepts()) == "it was ended by signal 9");
    }

    TEST_CASE("how one that accepted has ended is told once")
    {
        asio::io_context control(1);
        const char* end = "kill -9 $$";
        bool well = false;
        std::string words = "it was ended by signal 9";
        SUBCASE("by a signal") {}
        SUBCASE("with an error")
        {
            end = "exit 4";
            words = "it ended with exit code 4";
        }
        SUBCASE("as it should")
        {
            end = "exit 0";
            well = true;
            words = "it ended with exit code 0";
        }
        successor s(control, shell("echo accepting >&4; exec 4>&-; " + std::string(end)), {}, "");
        REQUIRE(answer_of(control, s.accepts()) == "");
        CHECK(answer_of(control, s.order()) == "");
        CHECK(run_until([&] { return s.reap(); }));
        CHECK_FALSE(s.reap());
        CHECK(s.ended_well() == well);
        CHECK(s.last_words() == words);
    }

    TEST_CASE("where the kernel buries children itself the end is noticed all the same")
    {
        asio::io_context control(1);
        const auto before = std::signal(SIGCHLD, SIG_IGN);
        successor s(control, shell("exit 3"), {}, "");
        CHECK(answer_of(control, s.accepts()) == "it ended with exit code 0"); // nobody knows
        std::signal(SIGCHLD, before);
    }

    TEST_CASE("a line that is too long is no order, and that is said")
    {
        const captured_log log;
        asio::io_context control(1);
        successor s(
            control,
            shell("echo accepting >&4; head -c 200000 /dev/zero >&4; exec sleep 3600"),
            {},
            ""
        );
        REQUIRE(answer_of(control, s.accepts()) == "");
        CHECK(answer_of(control, s.order()) == "");
        CHECK(log.count("event=successor_unheard") == 1);
        s.kill();
        CHECK(run_until([&] { return s.reap(); }));
    }

    TEST_CASE("a program that is not there")
    {
        asio::io_context control(1);
        const asio::steady_timer loop(control); // what the loop itself needs is open from here on
        const auto before = open_descriptors();
        CHECK_THROWS_WITH_AS(
            successor(control, {"/nowhere/rolegate", {"rolegate"}}, {}, ""),
            "/nowhere/rolegate: No such file or directory",
            std::system_error
        );
        control.poll();
        CHECK(open_descriptors() == before);
    }
}

TEST_SUITE("last sessions")
{
    TEST_CASE("it is over when they have gone, cut or not")
    {
        asio::io_context control(1);
        std::size_t left = 3;
        int cuts = 0;
        bool gone = false;
        std::chrono::milliseconds limit = 1h;
        SUBCASE("one after the other") {}
        SUBCASE("at the limit")
        {
            limit = 0ms;
        }
        proxy::last_sessions last(
            control,
            limit,
            {[&]() -> asio::awaitable<std::size_t> { co_return left; },
             [&] { left -= limit == 0ms ? 0 : 1; },
             [&]
             {
                 ++cuts;
                 left = 0;
             },
             [&] { gone = true; }}
        );
        last.start();
        last.start();
        control.run();
        CHECK(gone);
        CHECK(left == 0);
        CHECK(cuts == (limit == 0ms ? 1 : 0));
    }

    TEST_CASE("who asks twice does not wait")
    {
        asio::io_context control(1);
        std::size_t left = 1;
        proxy::last_sessions last(
            control,
            1h,
            {[&]() -> asio::awaitable<std::size_t> { co_return left; },
             [] {},
             [&] { left = 0; },
             [] {}}
        );
        last.start();
        last.cut();
        control.run();
        CHECK(left == 0);
    }
}

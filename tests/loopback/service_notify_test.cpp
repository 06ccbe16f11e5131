// SPDX-License-Identifier: PostgreSQL
#include "proxy/service_report.hpp"

#include "tests/support/front_fixture.hpp"
#include "tests/support/service_manager.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using proxy::service_notify;
using proxy::service_report;

namespace
{

namespace asio = boost::asio;
using words = std::vector<std::string>;

// So long that nothing comes because of it.
const std::string long_watchdog = "3600000000";

bool has(const words& all, const std::string& word)
{
    return std::ranges::find(all, word) != all.end();
}

} // namespace

TEST_SUITE("service manager")
{
    TEST_CASE("it is told of each step")
    {
        service_manager manager;
        service_notify n;
        REQUIRE(n.is_heard());
        CHECK_FALSE(n.watchdog());
        n.ready();
        CHECK(manager.heard() == words{"READY=1"});
        n.reload_begins();
        const auto begun = manager.heard();
        REQUIRE(begun.size() == 1);
        CHECK(begun[0].starts_with("RELOADING=1\nMONOTONIC_USEC="));
        CHECK(std::stoll(begun[0].substr(begun[0].rfind('=') + 1)) > 0);
        n.reload_ends();
        CHECK(manager.heard() == words{"READY=1"});
        n.stopping();
        n.alive();
        CHECK(manager.heard() == words{"STOPPING=1", "WATCHDOG=1"});
    }

    TEST_CASE("the same status is sent once, as one line")
    {
        service_manager manager;
        service_notify n;
        n.status("1 cluster");
        n.status("1 cluster");
        n.status("2\nMAINPID=1");
        CHECK(manager.heard() == words{"STATUS=1 cluster", "STATUS=2 MAINPID=1"});
    }

    TEST_CASE("who is replaced falls silent")
    {
        service_manager manager(long_watchdog);
        service_notify n;
        CHECK(n.watchdog() == 1h);
        n.replaced_by(4711);
        n.stopping();
        n.status("gone");
        CHECK(manager.heard() == words{"MAINPID=4711"});
        CHECK_FALSE(n.is_heard());
        CHECK_FALSE(n.watchdog());

        n.takes_back(); // its successor has died
        n.takes_back();
        CHECK(manager.heard() == words{"MAINPID=" + std::to_string(::getpid())});
        CHECK(n.is_heard());
    }

    TEST_CASE("a watchdog that is meant for another process is none of ours")
    {
        service_manager manager(long_watchdog);
        ::setenv("WATCHDOG_PID", "1", 1);
        CHECK_FALSE(service_notify().watchdog());
        ::unsetenv("WATCHDOG_PID");
    }

    TEST_CASE("it keeps TCP sockets that it does not have yet")
    {
        service_manager manager;
        service_notify n;
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        const proxy::unique_fd one(pair[0]);
        const proxy::unique_fd other(pair[1]);
        const proxy::unique_fd third(::dup(pair[0]));
        n.keep(
            {{"write", one.get(), "", false},
             {"read", third.get(), "", true},
             {"local", third.get(), "/run/s", false},
             {"twice", other.get(), "", true}},
            {"gone", "twice"}
        );
        CHECK(
            manager.heard() ==
            words{
                "FDSTOREREMOVE=1\nFDNAME=gone",
                "FDSTOREREMOVE=1\nFDNAME=twice",
                "FDSTORE=1\nFDPOLL=0\nFDNAME=write",
                "FDSTORE=1\nFDPOLL=0\nFDNAME=twice"}
        );
        CHECK(manager.kept().size() == 2);
    }

    TEST_CASE("it keeps what a reload has bound, and nothing that a reload has removed")
    {
        service_manager manager;
        service_notify n;
        int fds[4];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds + 2) == 0);
        const proxy::unique_fd all[] = {
            proxy::unique_fd(fds[0]),
            proxy::unique_fd(fds[1]),
            proxy::unique_fd(fds[2]),
            proxy::unique_fd(fds[3])};
        const auto named = [&fds](const char* name, int which) {
            return proxy::shared_socket{name, fds[which], "", which == 0};
        };
        n.keep({named("write", 0), named("read", 1), named("read", 2)}, {});
        CHECK(manager.heard().size() == 2);

        n.keep({named("write", 0), named("read", 1), named("read", 2)}, {});
        CHECK(manager.heard().empty());
        n.keep({named("renamed", 0), named("read", 1), named("new", 3)}, {});
        CHECK(
            manager.heard() ==
            words{
                "FDSTOREREMOVE=1\nFDNAME=read",
                "FDSTORE=1\nFDPOLL=0\nFDNAME=read",
                "FDSTORE=1\nFDPOLL=0\nFDNAME=new"}
        );
        n.keep({named("read", 1)}, {});
        CHECK(
            manager.heard() == words{"FDSTOREREMOVE=1\nFDNAME=new", "FDSTOREREMOVE=1\nFDNAME=write"}
        );
    }

    TEST_CASE("without one nothing is said and nothing asked")
    {
        service_notify n;
        CHECK_FALSE(n.is_heard());
        n.ready();
        asio::io_context control(1);
        bool asked = false;
        service_report r(
            control,
            n,
            [&asked]() -> asio::awaitable<std::size_t>
            {
                asked = true;
                co_return 0;
            },
            [](std::size_t) { return std::string(); }
        );
        r.start();
        control.run();
        CHECK_FALSE(asked);
    }

    TEST_CASE("it is told that we are alive while every worker answers, and not while one hangs")
    {
        service_manager manager("40000");
        service_notify n;
        front_fixture front({quick_listener()}, 2);
        asio::io_context control(1);
        service_report r(
            control,
            n,
            [&front] { return front.front().sessions_left(); },
            [](std::size_t sessions) { return std::to_string(sessions); }
        );
        const auto runs_until = [&](const auto& condition)
        {
            return run_until(
                [&]
                {
                    control.restart();
                    control.run_for(1ms);
                    return condition();
                }
            );
        };
        {
            const auto still = front.front().stand_still();
            r.start();
            while (control.poll() > 0)
                ;
            CHECK(manager.heard().empty());
        }
        words all;
        const auto is_alive = [&]
        {
            std::ranges::copy(manager.heard(), std::back_inserter(all));
            return std::ranges::count(all, "WATCHDOG=1") >= 3;
        };
        CHECK(runs_until(is_alive));
        CHECK(has(all, "STATUS=0"));
        CHECK(std::ranges::count(all, "STATUS=0") == 1);
        r.stop();
        control.restart();
        control.run();
    }
}

// SPDX-License-Identifier: PostgreSQL
//
// withdraw_after: a door that leads nowhere refuses, so that clients go on to their next host.
#include "proxy/listener.hpp"

#include "tests/support/proxy_fixture.hpp"
#include "tests/support/socket_file.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

// Port 0 would be another port after each withdrawal: the kernel keeps only one that was asked for.
config::listener_settings withdrawing_after(std::chrono::milliseconds after)
{
    auto s = quick_listener();
    s.bind = {{"127.0.0.1", free_port()}};
    s.withdraw_after = after;
    return s;
}

bool refuses(std::uint16_t port, const std::string& address = "127.0.0.1")
{
    return run_until([&] { return connect_error(port, address) == ECONNREFUSED; });
}

// errno of a bind to it, 0 when that succeeds.
int bind_error(std::uint16_t port, bool reuse_address)
{
    try
    {
        ::close(detail::socket_that(
            AF_INET,
            "bind",
            [=](int fd)
            {
                const int on = reuse_address ? 1 : 0;
                ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
                return detail::bind_to(fd, detail::address_of("127.0.0.1", port));
            }
        ));
        return 0;
    }
    catch (const std::system_error& e)
    {
        return e.code().value();
    }
}

bool gets_login_answer(stream& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

} // namespace

TEST_SUITE("listener: withdrawal")
{
    TEST_CASE("nobody routable: refused, but the port stays ours; back at once, again and again")
    {
        fake_postgres server;
        proxy_fixture proxy(withdrawing_after(100ms), 2);
        const auto port = proxy.port();
        for (int round = 0; round < 3; ++round)
        {
            CAPTURE(round);
            proxy.believe({{"a", server.port(), admission::keep}});
            REQUIRE(refuses(port));
            CHECK(bind_error(port, false) == EADDRINUSE);

            proxy.believe({{"a", server.port()}});
            REQUIRE(run_until([port] { return connect_error(port) == 0; }));
            const logged_in_client c(proxy);
            CHECK(bind_error(port, true) == EADDRINUSE);
        }
    }

    TEST_CASE("who is held stays held, and who is served goes on")
    {
        fake_postgres server;
        proxy_fixture proxy(withdrawing_after(100ms));
        proxy.believe({{"a", server.port()}});
        client held(proxy.port());
        logged_in_client inside(proxy);
        proxy.believe({{"a", server.port(), admission::keep}});
        held.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));

        REQUIRE(refuses(proxy.port()));
        CHECK(proxy.held() == 1);
        inside.send(query("select 1"));
        CHECK(inside.receive(query_answer('I').size()) == query_answer('I'));

        proxy.believe({{"a", server.port()}});
        CHECK(gets_login_answer(held));
    }

    TEST_CASE("a view that is stale leads nowhere, too; a member that rests is somewhere")
    {
        fake_postgres server;
        proxy_fixture proxy(withdrawing_after(100ms));
        proxy.believe_stale({{"a", server.port()}});
        REQUIRE(refuses(proxy.port()));

        server.refuse();
        proxy.believe({{"a", server.port()}});

        REQUIRE(run_until([&] { return connect_error(proxy.port()) == 0; }));
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));
        server.listen();
        CHECK(gets_login_answer(c));
    }

    TEST_CASE("all addresses are withdrawn, but not a unix socket; 0 is never")
    {
        fake_postgres server;
        const own_folder folder;
        auto settings = withdrawing_after(100ms);
        settings.bind.push_back({"127.0.0.2", settings.bind.front().port});
        settings.bind.push_back({folder.file("s"), 0});
        proxy_fixture proxy(settings, 2);
        proxy_fixture never(withdrawing_after(0ms));
        never.believe({});
        REQUIRE(refuses(proxy.port()));
        CHECK(refuses(proxy.port(), "127.0.0.2"));

        local_client local(folder.file("s"));
        local.send(startup());
        REQUIRE(run_until([&] { return proxy.held() == 1; }));
        client patient(never.port());
        patient.send(startup());
        CHECK(run_until([&] { return never.held() == 1; }));

        proxy.believe({{"a", server.port()}});
        never.believe({{"a", server.port()}});
        CHECK(gets_login_answer(local));
        CHECK(gets_login_answer(patient));
        REQUIRE(run_until([&] { return connect_error(proxy.port(), "127.0.0.2") == 0; }));
        client second(proxy.port(), "127.0.0.2");
        second.send(startup());
        CHECK(gets_login_answer(second));
        local_client again(folder.file("s"));
        again.send(startup());
        CHECK(gets_login_answer(again));
    }

    TEST_CASE("nobody can take the port meanwhile, also with SO_REUSEADDR")
    {
        fake_postgres server;
        proxy_fixture proxy(withdrawing_after(100ms));
        const auto port = proxy.port();
        proxy.believe({});
        REQUIRE(refuses(port));

        CHECK(bind_error(port, false) == EADDRINUSE);
        CHECK(bind_error(port, true) == EADDRINUSE);

        proxy.believe({{"a", server.port()}});
        REQUIRE(run_until([port] { return connect_error(port) == 0; }));
        const logged_in_client c(proxy);
    }

    TEST_CASE("a process that ends while it is withdrawn leaves the port free")
    {
        const auto settings = withdrawing_after(100ms);
        {
            proxy_fixture proxy(settings);
            proxy.believe({});
            REQUIRE(refuses(proxy.port()));
            proxy.stop_listening();
            proxy.believe({{"a", 1}}); // too late to come back
            CHECK(connect_error(proxy.port()) == ECONNREFUSED);
        }
        CHECK(bind_error(settings.bind.front().port, false) == 0);
    }
}

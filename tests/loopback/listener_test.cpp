// SPDX-License-Identifier: PostgreSQL
#include "proxy/listener.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>
#include <stdexcept>

#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <set>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

std::uint16_t port_of(const std::string& bound)
{
    return static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1)));
}

config::listener_settings bound_to(std::vector<config::host_port> addresses)
{
    auto s = quick_listener();
    s.bind = std::move(addresses);
    return s;
}

// An option of that end of a TCP connection which is not the client's: the proxy is in this
// process.
int option_of_accepted(const client& c, int level, int name)
{
    sockaddr_in ours{};
    socklen_t size = sizeof ours;
    ::getsockname(c.fd(), reinterpret_cast<sockaddr*>(&ours), &size);
    for (int fd = 3; fd < 1024; ++fd)
    {
        sockaddr_in peer{};
        size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
            peer.sin_family != AF_INET || peer.sin_port != ours.sin_port)
            continue;
        int value = -1;
        size = sizeof value;
        ::getsockopt(fd, level, name, &value, &size);
        return value;
    }
    return -1;
}

bool logs_in(client& c)
{
    c.send(startup());
    return c.receive(login_answer().size()) == login_answer();
}

// No descriptor can be had while this lives.
class out_of_descriptors
{
public:
    out_of_descriptors()
    {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        REQUIRE(lowest_free >= 0);
        ::close(lowest_free);
        auto none = before_;
        none.rlim_cur = static_cast<::rlim_t>(lowest_free);
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    ~out_of_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    out_of_descriptors(const out_of_descriptors&) = delete;
    out_of_descriptors& operator=(const out_of_descriptors&) = delete;

private:
    ::rlimit before_{};
};

double cpu_seconds()
{
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

} // namespace

TEST_SUITE("listener")
{
    TEST_CASE("it says which address and port the kernel gave it")
    {
        proxy_fixture proxy;

        REQUIRE(proxy.bound().size() == 1);
        CHECK(proxy.bound().front() == "127.0.0.1:" + std::to_string(proxy.port()));
        CHECK(proxy.port() != 0);
    }

    TEST_CASE(
        "a client that vanishes without a word is noticed: its socket has the listener's options"
    )
    {
        auto settings = quick_listener();
        settings.keepalive = {42s, 7s, 5};
        settings.tcp_user_timeout = 31s;
        proxy_fixture proxy(settings);
        const client c(proxy.port());
        REQUIRE(run_until([&] { return proxy.sessions() == 1; }));

        CHECK(option_of_accepted(c, IPPROTO_TCP, TCP_NODELAY) == 1);
        CHECK(option_of_accepted(c, SOL_SOCKET, SO_KEEPALIVE) == 1);
        CHECK(option_of_accepted(c, IPPROTO_TCP, TCP_KEEPIDLE) == 42);
        CHECK(option_of_accepted(c, IPPROTO_TCP, TCP_KEEPINTVL) == 7);
        CHECK(option_of_accepted(c, IPPROTO_TCP, TCP_KEEPCNT) == 5);
        CHECK(option_of_accepted(c, IPPROTO_TCP, TCP_USER_TIMEOUT) == 31000);
    }

    TEST_CASE("clients come in over IPv4 and IPv6, and over every address that is bound")
    {
        fake_postgres server;
        proxy_fixture proxy(bound_to({{"127.0.0.1", 0}, {"127.0.0.2", 0}, {"::1", 0}}));
        proxy.believe({{"a", server.port()}});
        REQUIRE(proxy.bound().size() == 3);
        CHECK(proxy.bound()[2].starts_with("[::1]:"));

        const char* addresses[] = {"127.0.0.1", "127.0.0.2", "::1"};
        for (std::size_t i = 0; i < 3; ++i)
        {
            CAPTURE(proxy.bound()[i]);
            client c(port_of(proxy.bound()[i]), addresses[i]);
            CHECK(logs_in(c));
        }
    }

    TEST_CASE("\"*\" is every IPv4 address, and [::] beside it on the same port is no conflict")
    {
        fake_postgres server;
        std::uint16_t port = 0;
        {
            proxy_fixture any(bound_to({{"*", 0}}));
            CHECK(any.bound().front() == "0.0.0.0:" + std::to_string(any.port()));
            port = any.port();
        }
        proxy_fixture proxy(bound_to({{"*", port}, {"::", port}}));
        proxy.believe({{"a", server.port()}});

        client v4(port, "127.0.0.3");
        CHECK(logs_in(v4));
        client v6(port, "::1");
        CHECK(logs_in(v6));
    }

    TEST_CASE("an address that is taken is named in the exception, and nothing is left behind")
    {
        proxy_fixture first;
        const auto descriptors = open_descriptors();
        std::string text;
        try
        {
            proxy_fixture second(bound_to({{"127.0.0.1", 0}, {"127.0.0.1", first.port()}}));
        }
        catch (const std::runtime_error& e)
        {
            text = e.what();
        }

        CAPTURE(text);
        CHECK(text.find("Address already in use") != text.npos);
        CHECK(text.find("listener 'write'") != text.npos);
        CHECK(text.find("127.0.0.1:" + std::to_string(first.port())) != text.npos);
        CHECK(open_descriptors() == descriptors);
    }

    TEST_CASE("an address that is not this machine's is named in the exception")
    {
        std::string text;
        try
        {
            proxy_fixture proxy(bound_to({{"192.0.2.1", 5432}}));
        }
        catch (const std::runtime_error& e)
        {
            text = e.what();
        }

        CHECK(text.find("192.0.2.1:5432") != text.npos);
    }

    TEST_CASE("clients are dealt out to all workers in turn")
    {
        fake_postgres server;
        proxy_fixture proxy(quick_listener(), 4);
        proxy.believe({{"a", server.port()}});
        std::vector<std::unique_ptr<logged_in_client>> clients;
        for (int i = 0; i < 8; ++i)
            clients.push_back(std::make_unique<logged_in_client>(proxy));

        CHECK(proxy.sessions_by_worker() == std::vector<std::size_t>{2, 2, 2, 2});
    }

    TEST_CASE("after stop new clients are refused, and those that are in go on")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        proxy.stop_listening();

        CHECK_THROWS_AS(client(proxy.port()), std::system_error);
        c.send(query("select 1"));
        CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
    }

    TEST_CASE("a client that resets before it is served harms nobody")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        for (int i = 0; i < 50; ++i)
        {
            client c(proxy.port());
            if (i % 2)
                c.send(startup());
            c.reset();
        }

        logged_in_client good(proxy);

        CHECK(run_until([&] { return proxy.sessions() == 1; }, 10s));
    }

    TEST_CASE("out of descriptors it waits instead of spinning, and then serves who waited")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(unconnected);
        {
            const out_of_descriptors now;
            c.connect(proxy.port());
            c.send(startup());
            const auto before = cpu_seconds();
            CHECK(c.receive(1, 400ms).empty());
            CHECK(c.ended() == ending::none);
            const std::chrono::duration<double> waited = scaled(400ms);
            CHECK(cpu_seconds() - before < waited.count() / 4);
        }

        CHECK(c.receive(login_answer().size()) == login_answer());
    }
}

// SPDX-License-Identifier: PostgreSQL
#include "proxy/relay.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <atomic>
#include <doctest/doctest.h>

#include <future>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

constexpr std::size_t megabyte = 1024 * 1024;

byte_vector large_message(char type, std::size_t size)
{
    const auto length = int32(static_cast<std::uint32_t>(size + 4));
    return bytes_of({&type, 1}) + length + byte_vector(size, std::byte{'x'});
}

// As long as nothing reads: what the kernel's buffers and the proxy hold is all that can be sent.
// Stops when nothing more has been taken for a while; the number of bytes taken.
std::size_t send_until_stuck(stream& s, const byte_vector& data)
{
    std::size_t sent = 0;
    std::size_t pauses = 0;
    const bool stuck = run_until(
        [&]
        {
            const std::size_t chunk = std::min<std::size_t>(data.size() - sent, 256 * 1024);
            const auto from = data.begin() + static_cast<std::ptrdiff_t>(sent);
            const auto n = s.send_some({from, from + static_cast<std::ptrdiff_t>(chunk)});
            sent += n;
            pauses = n == 0 ? pauses + 1 : 0;
            return pauses == 100 || sent == data.size();
        }
    );
    CHECK(stuck);
    return sent;
}

// Plays the login and hands over.
script after_login(const script& then)
{
    return [then](stream& s)
    {
        take_startup(s);
        s.send(login_answer());
        then(s);
    };
}

// The same after SSLRequest and S: a stream the proxy cannot read.
script after_tls_start(const script& then)
{
    return [then](stream& s)
    {
        s.receive(8);
        s.send(bytes_of("S"));
        then(s);
    };
}

void start_tls(client& c)
{
    c.send(ssl_request());
    REQUIRE(c.receive(1) == bytes_of("S"));
}

config::listener_settings with_client_fin(std::chrono::milliseconds limit)
{
    auto s = quick_listener();
    s.timeouts.client_fin = scaled(limit);
    return s;
}

} // namespace

TEST_SUITE("relay: bytes")
{
    TEST_CASE("megabytes pass both ways at once, byte for byte, in clear text")
    {
        const auto there = large_message('d', 8 * megabyte);
        const auto back = large_message('d', 6 * megabyte) + ready('I');
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.stop_recording();
                std::thread sender([&] { s.send(back); });
                const bool good = s.receive(there.size()) == there;
                sender.join();
                s.send(good ? bytes_of("+") : bytes_of("-"));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        std::thread sender([&] { c.send(there); });
        const bool good = c.receive(back.size()) == back;
        sender.join();

        CHECK(good);
        CHECK(c.receive(1) == bytes_of("+"));
        const auto counted = proxy.stats().members["a"];
        CHECK(counted.bytes_in == startup().size() + there.size());
        CHECK(counted.bytes_out == login_answer().size() + back.size() + 1);
    }

    TEST_CASE("megabytes pass both ways at once, byte for byte, unread")
    {
        const auto there = pattern(5 * megabyte, 11);
        const auto back = pattern(7 * megabyte, 12);
        fake_postgres server(after_tls_start(
            [&](stream& s)
            {
                s.stop_recording();
                std::thread sender([&] { s.send(back); });
                const bool good = s.receive(there.size()) == there;
                sender.join();
                s.send(good ? bytes_of("+") : bytes_of("-"));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        start_tls(c);

        std::thread sender([&] { c.send(there); });
        const bool good = c.receive(back.size()) == back;
        sender.join();

        CHECK(good);
        CHECK(c.receive(1) == bytes_of("+"));
    }

    TEST_CASE("many clients over several workers get what is theirs")
    {
        fake_postgres server(after_tls_start(
            [](stream& s)
            {
                for (;;)
                {
                    const auto data = s.receive(1024);
                    if (data.size() < 1024)
                        return;
                    s.send(data);
                }
            }
        ));
        proxy_fixture proxy(quick_listener(), 2);
        proxy.believe({{"a", server.port()}});

        std::vector<std::future<bool>> answers;
        for (std::uint32_t i = 0; i < 8; ++i)
            answers.push_back(std::async(
                std::launch::async,
                [&proxy, i]
                {
                    client c(proxy.port());
                    c.send(ssl_request());
                    bool good = c.receive(1) == bytes_of("S");
                    for (std::uint32_t turn = 0; turn < 50 && good; ++turn)
                    {
                        const auto data = pattern(1024, i * 1000 + turn);
                        c.send(data);
                        good = c.receive(data.size()) == data;
                    }
                    return good;
                }
            ));

        for (auto& a : answers)
            CHECK(a.get());
    }

    TEST_CASE("a server that drips its bytes is relayed at once, not gathered")
    {
        fake_postgres server(after_login(
            [](stream& s)
            {
                // Each byte is sent only after the one before has been echoed by the client.
                for (const auto b : query_answer('I'))
                {
                    s.send({b});
                    if (s.receive(1).empty())
                        return;
                }
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        byte_vector seen;
        for (std::size_t i = 0; i < query_answer('I').size(); ++i)
        {
            const auto b = c.receive(1);
            REQUIRE(b.size() == 1);
            seen = std::move(seen) + b;
            c.send(b);
        }

        CHECK(seen == query_answer('I'));
    }
}

TEST_SUITE("relay: back-pressure")
{
    TEST_CASE("a client that does not read stops the server; one buffer is parked, no more")
    {
        const auto result = large_message('d', 32 * megabyte) + ready('I');
        std::promise<std::size_t> stuck_after;
        auto stuck = stuck_after.get_future();
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive_message();
                const auto sent = send_until_stuck(s, result);
                stuck_after.set_value(sent);
                s.send({result.begin() + static_cast<std::ptrdiff_t>(sent), result.end()});
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port(), 512 * 1024);
        c.send(startup());
        REQUIRE(c.receive(login_answer().size()) == login_answer());
        c.stop_recording();
        c.send(query("select"));

        const auto sent = stuck.get();
        CHECK(sent < result.size());
        CHECK(proxy.parked() == 1);
        CHECK(proxy.stats().members["a"].bytes_out <= sent + login_answer().size());

        const bool good = c.receive(result.size(), 20s) == result;
        CHECK(good);
        CHECK(proxy.parked() == 0);
    }

    TEST_CASE("a server that does not read stops the client, and not the other clients")
    {
        std::promise<void> go_on;
        auto going_on = go_on.get_future().share();
        const auto data = large_message('d', 32 * megabyte);
        const script lazy = after_login(
            [&](stream& s)
            {
                s.stop_recording();
                going_on.wait();
                const bool good = s.receive(data.size(), 20s) == data;
                s.send(good ? bytes_of("+") : bytes_of("-"));
                s.receive_to_end();
            }
        );
        fake_postgres server(one_after_another({lazy, serving()}));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        const auto sent = send_until_stuck(c, data);
        CHECK(sent < data.size());
        CHECK(proxy.parked() == 1);
        {
            logged_in_client other(proxy);
            other.send(query("select 1"));
            CHECK(other.receive(query_answer('I').size()) == query_answer('I'));
        }

        go_on.set_value();
        c.send({data.begin() + static_cast<std::ptrdiff_t>(sent), data.end()});
        CHECK(c.receive(1, 20s) == bytes_of("+"));
        CHECK(proxy.parked() == 0);
    }

    TEST_CASE("stuck in both directions: a buffer each, and both come to life again")
    {
        std::promise<void> go_on;
        auto going_on = go_on.get_future().share();
        const auto there = pattern(24 * megabyte, 21);
        const auto back = pattern(24 * megabyte, 22);
        fake_postgres server(after_tls_start(
            [&](stream& s)
            {
                s.stop_recording();
                const auto sent = send_until_stuck(s, back);
                going_on.wait();
                std::thread sender(
                    [&] {
                        s.send({back.begin() + static_cast<std::ptrdiff_t>(sent), back.end()});
                    }
                );
                const bool good = s.receive(there.size(), 20s) == there;
                sender.join();
                s.send(good ? bytes_of("+") : bytes_of("-"));
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port(), 64 * 1024);
        start_tls(c);
        c.stop_recording();

        const auto sent = send_until_stuck(c, there);
        CHECK(run_until([&] { return proxy.parked() == 2; }));

        go_on.set_value();
        std::thread sender(
            [&] {
                c.send({there.begin() + static_cast<std::ptrdiff_t>(sent), there.end()});
            }
        );
        const bool good = c.receive(back.size(), 20s) == back;
        sender.join();
        CHECK(good);
        CHECK(c.receive(1, 20s) == bytes_of("+"));
        CHECK(proxy.parked() == 0);
    }
}

TEST_SUITE("relay: ends")
{
    TEST_CASE("P-330: after the client's FIN the server goes on answering")
    {
        const auto result = large_message('D', 2 * megabyte) + ready('I');
        fake_postgres server(
            [&](stream& s)
            {
                s.receive_packet();
                s.send(login_answer());
                s.receive_message();
                s.receive_to_end();
                s.send(result);
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.send(query("select 1"));
        c.finish_sending();

        CHECK(c.receive_to_end() == result);
        CHECK(c.ended() == ending::fin);
        CHECK(server.ended() == ending::fin);
        CHECK(server.received() == startup() + query("select 1"));
        CHECK(run_until([&] { return proxy.ended("--") == 1; }));
    }

    TEST_CASE("P-330: startup packet, query and FIN at once get the whole answer")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup() + query("select 1"));
        c.finish_sending();

        CHECK(c.receive_to_end() == login_answer() + query_answer('I'));
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("a server that ends first is passed on, with all it has said")
    {
        const auto farewell = fatal("57P01", "terminating connection due to administrator command");
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive_message();
                s.send(farewell);
                s.finish_sending();
                s.receive_to_end();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.send(query("select 1"));
        CHECK(c.receive_to_end() == farewell);
        CHECK(c.ended() == ending::fin);
        // The client may go on speaking until it has noticed.
        c.send(terminate());
        c.finish_sending();

        CHECK(run_until([&] { return server.ended() == ending::fin; }));
        CHECK(server.received() == startup() + query("select 1") + terminate());
        CHECK(run_until([&] { return proxy.ended("SD") == 1; }));
        CHECK(proxy.hints() == std::vector<std::string>{"a"});
        CHECK(proxy.signs().front() == health::life_sign::ended);
    }

    TEST_CASE("a long answer before the server's FIN arrives whole at a slow client")
    {
        const auto result = large_message('D', 8 * megabyte);
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive_message();
                s.send(result);
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port(), 128 * 1024);
        c.send(startup());
        REQUIRE(c.receive(login_answer().size()) == login_answer());
        c.send(query("select"));
        REQUIRE(run_until([&] { return proxy.parked() == 1; }));

        CHECK(c.receive_to_end() == result);
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("after the server's FIN a client that stays is closed when client_fin has passed")
    {
        fake_postgres server(after_login([](stream& s) { s.receive_message(); }));
        proxy_fixture proxy(with_client_fin(200ms));
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.send(query("select 1"));
        CHECK(c.receive_to_end().empty());

        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.ended() == 1);
    }

    TEST_CASE("after the client's FIN a server that stays is closed when client_fin has passed")
    {
        std::atomic<bool> seen = false;
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.receive_to_end(); // the client's FIN
                // Bytes that flow are no silence, however long they take. A machine that stands
                // still for a second is no silence either.
                for (int i = 0; i < 200; ++i)
                {
                    s.send(hex("00"));
                    static_cast<void>(run_until([] { return false; }, 10ms));
                }
                static_cast<void>(run_until([&] { return seen.load(); }));
            }
        ));
        proxy_fixture proxy(with_client_fin(1500ms));
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.finish_sending();

        CHECK(c.receive_to_end().size() == 200);
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.ended("cD") == 1);
        seen = true;
        CHECK(run_until([&] { return server.open() == 0; }));
    }

    TEST_CASE("a client that resets ends its session and the server's connection")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.reset();

        CHECK(run_until([&] { return server.open() == 0; }));
        CHECK(run_until([&] { return proxy.ended("CD") == 1; }));
        CHECK(proxy.hints().empty());
    }

    TEST_CASE("a client that resets while the server is sending ends its session")
    {
        fake_postgres server(after_login(
            [](stream& s)
            {
                while (s.send(message('D', std::string(8192, 'x'))))
                    ;
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port(), 4096);
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.parked() == 1; }));

        c.reset();

        CHECK(run_until([&] { return server.open() == 0; }));
        CHECK(run_until([&] { return proxy.ended("CD") == 1; }));
        CHECK(proxy.parked() == 0);
    }

    TEST_CASE("P-336: a server that resets is told to the client as 57P01")
    {
        fake_postgres server(after_login([](stream& s) { s.receive_message(), s.reset(); }));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.send(query("select 1"));

        CHECK(error_field(c.receive_to_end(), 'C') == "57P01");
        CHECK(c.ended() == ending::fin);
        CHECK(proxy.ended("SD") == 1);
        CHECK(proxy.hints() == std::vector<std::string>{"a"});
    }

    TEST_CASE("a server that resets in the middle of a message leaves only the FIN")
    {
        const auto half = hex("44 000003e8 0001");
        std::promise<void> read;
        auto is_read = read.get_future().share();
        fake_postgres server(after_login(
            [&](stream& s)
            {
                s.send(half);
                is_read.wait();
                s.reset();
            }
        ));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        CHECK(c.receive(half.size()) == half);

        read.set_value();

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("a server that resets an encrypted session leaves only the FIN")
    {
        fake_postgres server(after_tls_start(resetting()));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        start_tls(c);

        c.send(hex("16"));

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
    }
}

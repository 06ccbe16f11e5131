// SPDX-License-Identifier: PostgreSQL
//
// A client's first packets: what reaches the server, and what is turned away at the door.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

// Answers one encryption request with this byte and then records what comes.
script answering_with(char byte)
{
    return [byte](stream& s)
    {
        s.receive(8);
        s.send(bytes_of({&byte, 1}));
        s.receive_to_end();
    };
}

// What the client does not see of a server that ends the connection: it waits for the FIN.
bool closes_silently(client& c)
{
    return c.receive_to_end().empty() && c.ended() != ending::none;
}

} // namespace

TEST_SUITE("session: first packets")
{
    TEST_CASE("a startup packet in clear text reaches the server byte for byte")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(startup());

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.received() == startup());
        CHECK(run_until([&] { return proxy.relaying() == 1; }));
    }

    TEST_CASE("queries are answered, and Terminate with FIN is a clean end")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        c.send(query("select 1"));
        CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
        c.send(terminate());
        c.finish_sending();

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(server.received() == startup() + query("select 1") + terminate());
    }

    TEST_CASE("application_name_add_host: the server learns where the client is")
    {
        const auto zero = hex("00");
        const auto packet = [&](const std::string& name)
        {
            const auto body = hex("00030000") + bytes_of("user") + zero + bytes_of("u") + zero +
                              bytes_of("application_name") + zero + bytes_of(name) + zero + zero;
            return int32(static_cast<std::uint32_t>(body.size() + 4)) + body;
        };
        fake_postgres server;
        auto settings = quick_listener();
        settings.application_name_add_host = true;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        ::sockaddr_in own{};
        ::socklen_t size = sizeof own;
        REQUIRE(::getsockname(c.fd(), reinterpret_cast<::sockaddr*>(&own), &size) == 0);

        c.send(packet("psql"));

        CHECK(c.receive(login_answer().size()) == login_answer());
        const auto port = std::to_string(ntohs(own.sin_port));
        CHECK(server.received() == packet("psql - 127.0.0.1:" + port));
    }

    TEST_CASE("P-130: minor versions and options we do not know are the server's to judge")
    {
        const auto zero = hex("00");
        const auto body = hex("0003270f") + bytes_of("user") + zero + bytes_of("u") + zero +
                          bytes_of("_pq_.x") + zero + bytes_of("1") + zero + zero;
        const auto packet = int32(static_cast<std::uint32_t>(body.size() + 4)) + body;
        // NegotiateProtocolVersion, and the request for an MD5 password behind it.
        const auto answer = hex("76 00000013 00030000 00000001") + bytes_of("_pq_.x") + zero +
                            hex("52 0000000c 00000005 01020304");
        fake_postgres server(
            [&](stream& s)
            {
                s.receive_packet();
                s.send(answer);
                s.receive_to_end();
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(packet);

        CHECK(c.receive(answer.size()) == answer);
        CHECK(server.received() == packet);
    }

    TEST_CASE("SSLRequest: the server's N reaches the client, and the startup packet follows")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        CHECK(c.receive(1) == bytes_of("N"));
        c.send(startup());

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.received() == ssl_request() + startup());
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("SSLRequest: after the server's S bytes pass both ways unread")
    {
        const auto hello = hex("16 0301 0200") + pattern(512, 1);
        const auto answer = hex("16 0303 007a") + pattern(200, 2);
        fake_postgres server(
            [&](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("S"));
                if (s.receive(hello.size()) == hello)
                    s.send(answer);
                s.receive_to_end();
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        CHECK(c.receive(1) == bytes_of("S"));
        c.send(hello);

        CHECK(c.receive(answer.size()) == answer);
        CHECK(server.received() == ssl_request() + hello);
    }

    TEST_CASE("P-154: a ClientHello that does not wait for the S passes")
    {
        const auto hello = hex("16 0301 0200") + pattern(512, 3);
        fake_postgres server(answering_with('S'));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request() + hello);

        CHECK(c.receive(1) == bytes_of("S"));
        CHECK(run_until([&] { return server.received() == ssl_request() + hello; }));
    }

    TEST_CASE("an ancient server's E to SSLRequest passes with what follows")
    {
        const auto refusal = bytes_of("EFATAL:  unsupported frontend protocol\n") + hex("00");
        fake_postgres server(
            [&](stream& s)
            {
                s.receive(8);
                s.send(refusal);
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());

        CHECK(c.receive_to_end() == refusal);
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("direct TLS passes from its first byte")
    {
        const auto hello = hex("16 0301 0200") + pattern(512, 4);
        const auto answer = hex("16 0303 007a") + pattern(122, 5);
        fake_postgres server(
            [&](stream& s)
            {
                if (s.receive(hello.size()) == hello)
                    s.send(answer);
                s.receive_to_end();
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(hello);

        CHECK(c.receive(answer.size()) == answer);
    }

    TEST_CASE("GSSENCRequest: after the server's G bytes pass both ways unread")
    {
        const auto token = hex("00000200") + pattern(512, 6);
        fake_postgres server(answering_with('G'));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(gssenc_request());
        CHECK(c.receive(1) == bytes_of("G"));
        c.send(token);

        CHECK(run_until([&] { return server.received() == gssenc_request() + token; }));
    }

    TEST_CASE("P-110: GSSENCRequest, SSLRequest and the startup packet, each after an N")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(gssenc_request());
        CHECK(c.receive(1) == bytes_of("N"));
        c.send(ssl_request());
        CHECK(c.receive(1) == bytes_of("N"));
        c.send(startup());

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.received() == gssenc_request() + ssl_request() + startup());
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("a second SSLRequest is a version number to the server, which says so")
    {
        const auto refusal = fatal("0A000", "unsupported frontend protocol 1234.5679");
        fake_postgres server(
            [&](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("N"));
                s.receive(8);
                s.send(refusal);
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        CHECK(c.receive(1) == bytes_of("N"));
        c.send(ssl_request());

        CHECK(c.receive_to_end() == refusal);
    }

    TEST_CASE("first packets may come in pieces of one byte")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        for (const auto b : ssl_request())
            c.send({b});
        CHECK(c.receive(1) == bytes_of("N"));
        for (const auto b : startup())
            c.send({b});

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.received() == ssl_request() + startup());
    }

    TEST_CASE("a query sent right behind the startup packet is not lost")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        const auto expected = login_answer() + query_answer('I');

        c.send(startup() + query("select 1"));

        CHECK(c.receive(expected.size()) == expected);
        CHECK(server.received() == startup() + query("select 1"));
    }

    TEST_CASE("the largest legal startup packet passes whole")
    {
        const auto packet = int32(10004) + int32(0x00030000) + pattern(9996, 7);
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(packet);

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.received() == packet);
    }

    TEST_CASE("P-102: lengths the server would refuse are closed without a word and counted")
    {
        const struct
        {
            const char* name;
            byte_vector packet;
        } rows[] = {
            {"length 0", hex("00000000 00030000")},
            {"length 7", hex("00000007 00030000")},
            {"length 10005", hex("00002715 00030000")},
            {"length 0x7fffffff", hex("7fffffff 00030000")},
            {"length 0xffffffff", hex("ffffffff 00030000")},
            {"SSLRequest of 9 bytes", hex("00000009 04d2162f 00")},
            {"GSSENCRequest of 12 bytes", hex("0000000c 04d21630 00000000")},
            {"CancelRequest of 12 bytes", hex("0000000c 04d2162e 00001234")},
            {"an HTTP request", bytes_of("GET / HTTP/1.0\r\n\r\n")},
        };
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});

        for (const auto& row : rows)
        {
            CAPTURE(row.name);
            client c(proxy.port());
            c.send(row.packet);
            CHECK(closes_silently(c));
        }

        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.stats().handshake_rejects["startup_malformed"] == std::size(rows));
        CHECK(proxy.ended("CR") == std::size(rows));
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("P-104: a probe that connects and closes is counted as no reject")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        {
            client probe(proxy.port());
            client half(proxy.port());
            half.send(hex("000000"));
        }

        CHECK(run_until([&] { return proxy.ended() == 2; }));
        const auto rejects = proxy.stats().handshake_rejects;
        CHECK(rejects == decltype(rejects){{"client_gone", 1}});
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("P-152: bytes behind SSLRequest get the N, then 08P01 and the end")
    {
        fake_postgres server(answering_with('N'));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request() + startup());

        CHECK(c.receive(1) == bytes_of("N"));
        const auto rest = c.receive_to_end();
        CHECK(error_field(rest, 'C') == "08P01");
        CHECK(error_field(rest, 'M') == "received unencrypted data after SSL request");
        CHECK(c.ended() == ending::fin);
        c.finish_sending();
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(server.received() == ssl_request());
        CHECK(proxy.stats().handshake_rejects["bytes_before_tls"] == 1);
    }

    TEST_CASE("P-001: bytes behind SSLRequest of a server that says S are closed without an E")
    {
        fake_postgres server(answering_with('S'));
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request() + startup());

        const auto answer = c.receive_to_end();
        CHECK((answer.empty() || answer == bytes_of("S")));
        CHECK(c.ended() != ending::none);
        c.finish_sending();
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(server.received() == ssl_request());
        CHECK(proxy.stats().handshake_rejects["bytes_before_tls"] == 1);
    }

    TEST_CASE("a client that sends nothing is closed in time while others are served")
    {
        fake_postgres server;
        auto settings = quick_listener();
        settings.timeouts.handshake = scaled(2s);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        client idle(proxy.port());
        client slow(proxy.port());
        slow.send(hex("00000022 0003"));

        {
            logged_in_client served(proxy);
            CHECK(idle.receive_to_end().empty());
            CHECK(idle.ended() == ending::fin);
            CHECK(slow.receive_to_end().empty());
            CHECK(slow.ended() == ending::fin);
            served.send(query("select 1"));
            CHECK(served.receive(query_answer('I').size()) == query_answer('I'));
        }

        CHECK(run_until([&] { return proxy.ended() == 3; }));
        CHECK(proxy.stats().handshake_rejects["handshake_timeout"] == 2);
        CHECK(proxy.ended("cR") == 2);
    }

    TEST_CASE("a client that drips its packet byte by byte does not stretch the handshake limit")
    {
        auto settings = quick_listener();
        settings.timeouts.handshake = scaled(200ms);
        proxy_fixture proxy(settings);
        client c(proxy.port());

        // A thousandth of a second a byte at least: far more than the limit for the packet.
        const auto began = std::chrono::steady_clock::now();
        const auto packet = int32(10000) + int32(0x00030000) + pattern(9000, 8);
        std::size_t sent = 0;
        const bool closed = run_until(
            [&]
            {
                if (sent < packet.size())
                    c.send({packet[sent++]});
                return !c.quiet();
            }
        );

        CHECK(closed);
        CHECK(c.receive_to_end().empty());
        CHECK(std::chrono::steady_clock::now() - began < scaled(8s));
    }
}

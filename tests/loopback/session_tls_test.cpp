// SPDX-License-Identifier: PostgreSQL
//
// Clients whose TLS is ended here: how they come to be inside it, and what they are told there.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

constexpr std::size_t megabyte = 1024 * 1024;

raw_peer::prepare with_alpn(const std::string& name)
{
    return [name](SSL_CTX* ctx)
    {
        std::vector<unsigned char> wire{static_cast<unsigned char>(name.size())};
        wire.insert(wire.end(), name.begin(), name.end());
        ::SSL_CTX_set_alpn_protos(ctx, wire.data(), static_cast<unsigned>(wire.size()));
    };
}

raw_peer::prepare with_certificate(const std::string& cert, const std::string& key)
{
    return [cert, key](SSL_CTX* ctx)
    {
        ::SSL_CTX_use_certificate_chain_file(ctx, cert.c_str());
        ::SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM);
    };
}

raw_peer::prepare at_most(int version)
{
    return [version](SSL_CTX* ctx) { SSL_CTX_set_max_proto_version(ctx, version); };
}

byte_vector client_hello()
{
    wire w;
    auto hello = raw_peer::client(w.ours());
    static_cast<void>(hello.handshake());
    byte_vector room(4096);
    const auto n = ::recv(w.theirs(), room.data(), room.size(), 0);
    REQUIRE(n > 100);
    room.resize(static_cast<std::size_t>(n));
    return room;
}

byte_vector large_message(char type, std::size_t size, std::uint32_t seed)
{
    return bytes_of({&type, 1}) + int32(static_cast<std::uint32_t>(size + 4)) + pattern(size, seed);
}

bool logs_in(client& c)
{
    c.send(startup());
    return c.receive(login_answer().size()) == login_answer();
}

bool is_answered(client& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

// Nothing is said to the client in clear text: there is an end, maybe behind an alert of TLS.
bool closes_without_an_error(client& c)
{
    const auto rest = c.receive_to_end();
    return (rest.empty() || rest.front() == std::byte{0x15}) && c.ended() != ending::none;
}

} // namespace

TEST_SUITE("session, TLS ended here: the way in")
{
    TEST_CASE("SSLRequest, S, TLS: the server sees the startup packet and nothing of TLS")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        REQUIRE(ask_for_tls(c));
        CHECK(c.peer_name() == "server");
        CHECK(logs_in(c));
        CHECK(is_answered(c));
        c.send(terminate());
        c.finish_sending();

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(run_until([&] { return proxy.ended("--") == 1; }));
        CHECK(server.received() == startup() + query("select 1") + terminate());
        CHECK(proxy.stats().handshake_rejects.empty());
    }

    TEST_CASE("TLS 1.2 will do, an older one will not")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client good(proxy.port());
        client old(proxy.port());

        CHECK(ask_for_tls(good, at_most(TLS1_2_VERSION)));
        CHECK(logs_in(good));
        CHECK_FALSE(ask_for_tls(old, at_most(TLS1_1_VERSION)));

        CHECK(run_until([&] { return proxy.ended("CR") == 1; }));
        CHECK(proxy.stats().handshake_rejects["tls_failed"] == 1);
        CHECK(is_answered(good));
    }

    TEST_CASE("ten megabytes each way at once, byte for byte")
    {
        const auto there = large_message('d', 10 * megabyte, 1);
        const auto back = large_message('d', 10 * megabyte, 2);
        fake_postgres server(
            [&](stream& s)
            {
                take_startup(s);
                s.send(login_answer());
                s.stop_recording();
                std::thread sender([&] { s.send(back); });
                const bool good = s.receive(there.size()) == there;
                sender.join();
                s.send(good ? bytes_of("+") : bytes_of("-"));
                s.receive_to_end();
            }
        );
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        tls_client c(proxy);

        std::thread sender([&] { c.send(there); });
        const bool good = c.receive(back.size()) == back;
        sender.join();

        CHECK(good);
        CHECK(c.receive(1) == bytes_of("+"));
        const auto counted = proxy.stats().members["a"];
        CHECK(counted.bytes_in == 8 + startup().size() + there.size());
        CHECK(counted.bytes_out == 1 + login_answer().size() + back.size() + 1);
    }

    TEST_CASE("GSSENCRequest is answered with N, and SSLRequest follows")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(gssenc_request());
        CHECK(c.receive(1) == bytes_of("N"));
        CHECK(server.accepted() == 0);
        REQUIRE(ask_for_tls(c));

        CHECK(logs_in(c));
        CHECK(server.received() == startup());
    }

    TEST_CASE("first packets may come in pieces of one byte, and a query right behind them")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client slow(proxy.port());
        client eager(proxy.port());

        for (const auto b : ssl_request())
            slow.send({b});
        REQUIRE(slow.receive(1) == bytes_of("S"));
        REQUIRE(slow.start_tls());
        for (const auto b : startup())
            slow.send({b});
        CHECK(slow.receive(login_answer().size()) == login_answer());

        REQUIRE(ask_for_tls(eager));
        eager.send(startup() + query("select 1"));
        const auto expected = login_answer() + query_answer('I');
        CHECK(eager.receive(expected.size()) == expected);
        CHECK(is_answered(slow));
    }

    TEST_CASE("P-154: a ClientHello that does not wait for the S is answered")
    {
        proxy_fixture proxy(tls_listener());
        client c(proxy.port());

        c.send(ssl_request() + client_hello());

        CHECK(c.receive(3) == bytes_of("S") + hex("16 03"));
        c.close();
        CHECK(run_until([&] { return proxy.ended() == 1; }));
    }

    TEST_CASE("direct TLS with ALPN is as good")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        REQUIRE(c.start_tls(with_alpn("postgresql")));

        CHECK(logs_in(c));
        CHECK(server.received() == startup());
    }

    TEST_CASE("P-155: direct TLS without PostgreSQL's name in ALPN is closed")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        client none(proxy.port());
        client other(proxy.port());

        REQUIRE(none.start_tls());
        none.send(startup());
        CHECK(closes_without_an_error(none));
        CHECK_FALSE(other.start_tls(with_alpn("h2")));

        CHECK(run_until([&] { return proxy.ended("CR") == 2; }));
        CHECK(proxy.stats().handshake_rejects["tls_failed"] == 2);
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("clear text is served, unless TLS is required")
    {
        fake_postgres server;
        {
            proxy_fixture proxy(tls_listener());
            proxy.believe({{"a", server.port()}});
            logged_in_client c(proxy);
            CHECK(is_answered(c));
        }
        auto settings = tls_listener();
        settings.tls.required = true;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        client clear(proxy.port());
        client gss(proxy.port());
        clear.send(startup());
        gss.send(gssenc_request());
        CHECK(gss.receive(1) == bytes_of("N"));
        gss.send(startup());

        for (auto* c : {&clear, &gss})
        {
            const auto told = c->receive_to_end();
            CHECK(error_field(told, 'C') == "28000");
            CHECK(error_field(told, 'M') == "this port accepts no connection without SSL");
            CHECK(c->ended() == ending::fin);
            c->finish_sending();
        }
        CHECK(run_until([&] { return proxy.ended("PR") == 2; }));
        CHECK(proxy.stats().handshake_rejects["tls_required"] == 2);
        tls_client c(proxy);
        CHECK(is_answered(c));
        CHECK(server.accepted() == 2);
    }

    TEST_CASE("what is asked for a second time, or inside TLS, never reaches a server")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        const struct
        {
            const char* name;
            bool inside;
            byte_vector packet;
        } rows[] = {
            {"SSLRequest inside TLS", true, ssl_request()},
            {"GSSENCRequest inside TLS", true, gssenc_request()},
            {"TLS inside TLS", true, client_hello()},
            {"TLS behind the N", false, client_hello()},
            {"GSSENCRequest behind the N", false, gssenc_request()},
        };

        for (const auto& row : rows)
        {
            CAPTURE(row.name);
            client c(proxy.port());
            if (row.inside)
                REQUIRE(ask_for_tls(c));
            else
            {
                c.send(gssenc_request());
                REQUIRE(c.receive(1) == bytes_of("N"));
            }
            c.send(row.packet);
            CHECK(c.receive_to_end().empty());
            CHECK(c.ended() != ending::none);
        }

        CHECK(run_until([&] { return proxy.ended("CR") == std::size(rows); }));
        CHECK(proxy.stats().handshake_rejects["startup_malformed"] == std::size(rows));
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("a client's certificate is demanded where there is a CA for it")
    {
        fake_postgres server;
        auto settings = tls_listener();
        settings.tls.ca = pki().ca();
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        const auto foreign = pki().issue("client", "", "other");

        {
            client good(proxy.port());
            REQUIRE(ask_for_tls(good, with_certificate(pki().client_cert(), pki().client_key())));
            CHECK(logs_in(good));
        }
        // To a client of TLS 1.3 the handshake is over when it has sent its certificate.
        for (const auto& prepare :
             {raw_peer::prepare([](SSL_CTX*) {}), with_certificate(foreign.cert, foreign.key)})
        {
            client c(proxy.port());
            static_cast<void>(ask_for_tls(c, prepare));
            c.send(startup());
            CHECK(c.receive_to_end().empty());
            CHECK(c.ended() == ending::reset); // the alert
        }

        CHECK(run_until([&] { return proxy.ended("CR") == 2; }));
        CHECK(proxy.stats().handshake_rejects["tls_failed"] == 2);
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("new certificates are for new sessions")
    {
        fake_postgres server;
        auto settings = tls_listener();
        proxy_fixture proxy(settings, 2);
        proxy.believe({{"a", server.port()}});
        tls_client old(proxy);
        const auto renewed = pki().issue("renewed", "IP:127.0.0.1");
        settings.tls.cert = renewed.cert;
        settings.tls.key = renewed.key;

        proxy.use_tls(proxy::make_tls_contexts(settings));
        static_cast<void>(proxy.sessions()); // all workers have it

        for (int i = 0; i < 2; ++i)
        {
            tls_client fresh(proxy);
            CHECK(fresh.peer_name() == "renewed");
            CHECK(is_answered(fresh));
        }
        CHECK(old.peer_name() == "server");
        CHECK(is_answered(old));
    }
}

TEST_SUITE("session, TLS ended here: attacks and failures")
{
    TEST_CASE("bytes behind an encryption request are not taken for a part of it")
    {
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});
        for (const auto& request : {ssl_request(), gssenc_request()})
        {
            client c(proxy.port());
            c.send(request + startup());
            CHECK(c.receive_to_end().empty());
            CHECK(c.ended() != ending::none);
        }

        CHECK(run_until([&] { return proxy.ended("CR") == 2; }));
        CHECK(proxy.stats().handshake_rejects["bytes_before_tls"] == 2);
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("what is no ClientHello is closed and counted")
    {
        const byte_vector rows[] = {
            startup(),
            bytes_of("GET / HTTP/1.0\r\n\r\n"),
            hex("16 0301 0010") + pattern(16, 3),
            hex("16 0301 ffff") + pattern(100, 4),
            hex("15 0303 0002 0228"),
        };
        fake_postgres server;
        proxy_fixture proxy(tls_listener());
        proxy.believe({{"a", server.port()}});

        for (const auto& row : rows)
        {
            client c(proxy.port());
            c.send(ssl_request());
            REQUIRE(c.receive(1) == bytes_of("S"));
            c.send(row);
            c.finish_sending();
            CHECK(closes_without_an_error(c));
        }
        client direct(proxy.port());
        direct.send(rows[2]);
        CHECK(closes_without_an_error(direct));

        CHECK(run_until([&] { return proxy.ended("CR") == std::size(rows) + 1; }));
        CHECK(proxy.stats().handshake_rejects["tls_failed"] == std::size(rows) + 1);
        CHECK(server.accepted() == 0);
    }

    TEST_CASE("a handshake that does not come, or not to its end, is ended in time")
    {
        fake_postgres server;
        auto settings = tls_listener();
        settings.timeouts.handshake = scaled(2s);
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        auto half = client_hello();
        half.resize(half.size() / 2);
        client nothing(proxy.port());
        client direct(proxy.port());
        direct.send(half);
        client asked(proxy.port());
        asked.send(ssl_request());
        REQUIRE(asked.receive(1) == bytes_of("S"));
        client stuck(proxy.port());
        stuck.send(ssl_request());
        REQUIRE(stuck.receive(1) == bytes_of("S"));
        stuck.send(half);
        client inside(proxy.port());
        REQUIRE(ask_for_tls(inside));

        tls_client served(proxy);
        for (auto* c : {&nothing, &direct, &asked, &stuck, &inside})
        {
            CHECK(c->receive_to_end().empty());
            CHECK(c->ended() != ending::none);
        }
        CHECK(is_answered(served));

        CHECK(run_until([&] { return proxy.ended("cR") == 5; }));
        // Who has sent nothing may be a probe, and is counted all the same: it was cut off.
        CHECK(proxy.stats().handshake_rejects["handshake_timeout"] == 5);
    }

    TEST_CASE("a client that goes away in the middle of the handshake leaves nothing")
    {
        proxy_fixture proxy(tls_listener());
        const auto hello = client_hello();
        for (int how = 0; how < 3; ++how)
        {
            client c(proxy.port());
            c.send(ssl_request());
            REQUIRE(c.receive(1) == bytes_of("S"));
            if (how > 0)
                c.send(hello);
            if (how > 1)
                c.reset();
        }

        CHECK(run_until([&] { return proxy.ended("CR") == 3; }));
    }
}

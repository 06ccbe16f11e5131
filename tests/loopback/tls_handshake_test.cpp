// SPDX-License-Identifier: PostgreSQL
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <vector>

using namespace rolegate;
using namespace rolegate::support;
using config::tls_version;

namespace
{

raw_peer::prepare at_most(int version)
{
    return [version](SSL_CTX* ctx) { SSL_CTX_set_max_proto_version(ctx, version); };
}

raw_peer::prepare with_alpn(const std::string& wire_format)
{
    return [wire_format](SSL_CTX* ctx)
    {
        const auto bytes = std::vector<unsigned char>(wire_format.begin(), wire_format.end());
        ::SSL_CTX_set_alpn_protos(ctx, bytes.data(), static_cast<unsigned>(bytes.size()));
    };
}

raw_peer::prepare with_certificate(const certificates::pair& own)
{
    return [own](SSL_CTX* ctx)
    {
        ::SSL_CTX_use_certificate_chain_file(ctx, own.cert.c_str());
        ::SSL_CTX_use_PrivateKey_file(ctx, own.key.c_str(), SSL_FILETYPE_PEM);
    };
}

// What a server of ours makes of these bytes.
struct first_bytes
{
    explicit first_bytes(const byte_vector& bytes, bool fin = false)
    {
        REQUIRE(::send(w.theirs(), bytes.data(), bytes.size(), 0) == std::ssize(bytes));
        if (fin)
            ::shutdown(w.theirs(), SHUT_WR);
        status = server.handshake().status;
    }

    wire w;
    tls_stream server = tls_stream::accept(terminating(), w.ours());
    io_status status{};
};

byte_vector client_hello()
{
    wire w;
    auto client = tls_stream::connect(to_servers(), w.ours(), "127.0.0.1");
    REQUIRE(client.handshake().status == io_status::want_read);
    byte_vector room(4096);
    const auto n = ::recv(w.theirs(), room.data(), room.size(), 0);
    REQUIRE(n > 100);
    room.resize(static_cast<std::size_t>(n));
    return room;
}

} // namespace

TEST_SUITE("tls_stream: handshake")
{
    TEST_CASE("between two of us: TLS 1.3, ALPN, both ways")
    {
        connection c;
        CHECK(c.server.version() == "TLSv1.3");
        CHECK(c.client.version() == "TLSv1.3");
        CHECK(c.server.cipher().starts_with("TLS_"));
        CHECK(c.server.cipher() == c.client.cipher());
        CHECK(c.server.alpn_agreed());
        CHECK(c.client.alpn_agreed());
        CHECK(c.server.error() == "");
        CHECK(talk(c.server, c.client));
    }

    TEST_CASE("through sockets that hold less than a flight")
    {
        connection c(true);
        CHECK(talk(c.server, c.client));
    }

    TEST_CASE("the oldest version spoken is 1.2, or what min_version says")
    {
        struct version_case
        {
            tls_version min;
            int offered;
            const char* spoken;
        };
        for (const auto& v : {
                 version_case{tls_version::tls_1_2, TLS1_1_VERSION, ""},
                 version_case{tls_version::tls_1_2, TLS1_2_VERSION, "TLSv1.2"},
                 version_case{tls_version::tls_1_2, TLS1_3_VERSION, "TLSv1.3"},
                 version_case{tls_version::tls_1_3, TLS1_2_VERSION, ""},
                 version_case{tls_version::tls_1_3, TLS1_3_VERSION, "TLSv1.3"},
             })
        {
            CAPTURE(v.offered);
            wire w;
            auto server = tls_stream::accept(terminating(v.min), w.ours());
            auto client = raw_peer::client(w.theirs(), at_most(v.offered));
            const auto r = shake_hands(server, client);
            const bool refused = std::string(v.spoken).empty();
            CHECK(r.good() == !refused);
            CHECK(server.error() == (refused ? "unsupported protocol" : ""));
            CHECK((refused || (server.version() == v.spoken && talk(server, client))));
        }
    }

    TEST_CASE("a server of TLS 1.1 is refused, one of 1.2 is not")
    {
        for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION})
        {
            wire w;
            auto client = tls_stream::connect(to_servers(), w.ours(), "127.0.0.1");
            auto server = raw_peer::server(w.theirs(), pki().for_server(), at_most(version));
            const bool good = version == TLS1_2_VERSION;
            CHECK(shake_hands(client, server).good() == good);
            CHECK((client.error() == "") == good);
            CHECK((!good || (!client.alpn_agreed() && talk(client, server))));
        }
    }

    TEST_CASE("ALPN is optional, but who offers it must offer PostgreSQL")
    {
        struct alpn_case
        {
            const char* offered;
            bool good;
            bool agreed;
        };
        for (const auto& a : {
                 alpn_case{"", true, false},
                 alpn_case{"\x0apostgresql", true, true},
                 alpn_case{"\x02h2\x0apostgresql", true, true},
                 alpn_case{"\x02h2", false, false},
                 alpn_case{"\x0bpostgresql2", false, false},
             })
        {
            CAPTURE(a.offered);
            wire w;
            auto server = tls_stream::accept(terminating(), w.ours());
            auto client = raw_peer::client(w.theirs(), with_alpn(a.offered));
            CHECK(shake_hands(server, client).good() == a.good);
            CHECK(server.alpn_agreed() == a.agreed);
            CHECK(server.error() == (a.good ? "" : "no application protocol"));
        }
    }

    TEST_CASE("a ca set: only clients with a certificate of its")
    {
        const certificates::pair ours{pki().client_cert(), pki().client_key()};
        const auto strange = pki().issue("strange", "", "other");
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
        {
            const auto error_with = [&](const raw_peer::prepare& p)
            {
                wire w;
                auto server = tls_stream::accept(terminating({}, pki().ca()), w.ours());
                auto client = raw_peer::client(
                    w.theirs(),
                    [&](SSL_CTX* ctx)
                    {
                        at_most(version)(ctx);
                        p(ctx);
                    }
                );
                const auto r = shake_hands(server, client);
                if (!r.good())
                    return server.error();
                const auto* names = ::SSL_get0_peer_CA_list(client.native());
                CHECK(sk_X509_NAME_num(names) == 1);
                return std::string(talk(server, client) ? "" : "does not talk");
            };
            CHECK(error_with(with_certificate(ours)) == "");
            CHECK(error_with([](SSL_CTX*) {}) == "peer did not return a certificate");
            CHECK(
                error_with(with_certificate(strange)) ==
                "certificate verify failed: unable to get local issuer certificate"
            );
        }
    }

    TEST_CASE("no session can be resumed, none renegotiated")
    {
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
        {
            wire w;
            auto server = tls_stream::accept(terminating(), w.ours());
            auto client = raw_peer::client(w.theirs(), at_most(version));
            REQUIRE(shake_hands(server, client).good());
            REQUIRE(talk(server, client));
            CHECK(::SSL_SESSION_is_resumable(::SSL_get_session(client.native())) == 0);
            if (version == TLS1_3_VERSION)
                continue;
            REQUIRE(::SSL_renegotiate(client.native()) == 1);
            CHECK(client.handshake().status == io_status::want_read);
            CHECK(status_of_read(server) == io_status::want_read);
            CHECK(client.handshake().status == io_status::broken);
            CHECK(client.error() == "no renegotiation");
        }
    }

    TEST_CASE("what is no ClientHello breaks it, and the error says what it is")
    {
        CHECK(first_bytes(bytes_of("GET / HTTP/1.1\r\n\r\n")).server.error() == "http request");
        CHECK(first_bytes(hex("00000008 04d2162f")).status == io_status::broken);
        CHECK(first_bytes(byte_vector(1000, std::byte{0x17})).status == io_status::broken);
        CHECK(first_bytes(hex("1603010005 0100000200")).status == io_status::want_read);
        auto mangled = client_hello();
        mangled[50] ^= std::byte{0xff};
        mangled.resize(mangled.size() / 2);
        mangled.resize(2 * mangled.size(), std::byte{0xff});
        first_bytes f(mangled);
        CHECK(f.status == io_status::broken);
        CHECK(f.server.error() != "");
        CHECK(status_of_read(f.server) == io_status::broken);
        CHECK(f.server.write(bytes_of("x")).status == io_status::broken);
        CHECK(f.server.shut_down().status == io_status::broken);
    }

    TEST_CASE("a handshake that is cut off anywhere has ended, or waits for more")
    {
        const auto hello = client_hello();
        for (std::size_t size = 0; size < hello.size(); size += 13)
        {
            const byte_vector part(
                hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(size)
            );
            CHECK(first_bytes(part).status == io_status::want_read);
            first_bytes cut(part, true);
            CHECK(cut.status == io_status::ended);
            CHECK(cut.server.shut_down().status == io_status::done);
            CHECK(cut.server.version() != "");
            CHECK(cut.server.cipher() == "(NONE)");
        }
        CHECK(first_bytes(hello, true).status == io_status::ended);
    }
}

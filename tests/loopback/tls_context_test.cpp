// SPDX-License-Identifier: PostgreSQL
#include "proxy/tls_context.hpp"

#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <vector>

using namespace rolegate;
using namespace rolegate::support;
using config::sslmode;
using proxy::make_client_facing;
using proxy::make_server_facing;

namespace
{

config::listener_tls terminating(const certificates::pair& with)
{
    config::listener_tls s;
    s.mode = config::tls_mode::terminate;
    s.cert = with.cert;
    s.key = with.key;
    return s;
}

config::server_tls_settings to_server(sslmode mode, const std::string& ca = {})
{
    config::server_tls_settings s;
    s.sslmode = mode;
    s.ca = ca;
    return s;
}

// "" when TLS to a server with this certificate comes about and works.
std::string error_towards(
    const certificates::pair& server, const config::server_tls_settings& s, const std::string& host
)
{
    wire w;
    auto ours = tls_stream::connect(make_server_facing(s), w.ours(), host);
    auto theirs = tls_stream::accept(make_client_facing(terminating(server)), w.theirs());
    const auto r = shake_hands(ours, theirs);
    if (r.good())
        return talk(ours, theirs) ? "" : "does not talk";
    CHECK(r.ours == io_status::broken);
    CHECK(r.theirs == io_status::broken);
    return ours.error();
}

std::string error_of(const std::function<void()>& f)
{
    try
    {
        f();
    }
    catch (const std::runtime_error& e)
    {
        return e.what();
    }
    return "";
}

std::string client_error(const std::string& cert, const std::string& key, const std::string& ca)
{
    auto s = terminating({cert, key});
    s.ca = ca;
    return error_of([&] { static_cast<void>(make_client_facing(s)); });
}

std::string server_error(const config::server_tls_settings& s)
{
    return error_of([&] { static_cast<void>(make_server_facing(s)); });
}

std::string file_of(const std::string& name, const std::string& text)
{
    const auto path = pki().path(name);
    std::ofstream(path) << text;
    return path;
}

// Names and addresses as they are certified.
struct host_case
{
    const char* cn;
    const char* alt_names;
    const char* host;
    bool good;
};

} // namespace

TEST_SUITE("tls_context")
{
    TEST_CASE("disable is no TLS at all")
    {
        CHECK(make_server_facing(to_server(sslmode::disable)) == nullptr);
    }

    TEST_CASE("every sslmode checks the chain that libpq checks in it")
    {
        const auto server = pki().issue("x", "DNS:db.example.org");
        struct chain_case
        {
            sslmode mode;
            std::string no_ca;
            std::string right_ca;
            std::string wrong_ca;
        };
        const std::string unknown = "certificate verify failed: unable to get local issuer "
                                    "certificate";
        const std::vector<chain_case> cases{
            {sslmode::allow, "", "", unknown},
            {sslmode::prefer, "", "", unknown},
            {sslmode::require, "", "", unknown},
            {sslmode::verify_full, unknown, "", unknown},
        };
        for (const auto& c : cases)
        {
            CAPTURE(static_cast<int>(c.mode));
            const auto towards = [&](const std::string& ca)
            { return error_towards(server, to_server(c.mode, ca), "db.example.org"); };
            CHECK(towards("") == c.no_ca);
            CHECK(towards(pki().ca()) == c.right_ca);
            CHECK(towards(pki().other_ca()) == c.wrong_ca);
        }
        const auto verify_ca = [&](const std::string& ca)
        { return error_towards(server, to_server(sslmode::verify_ca, ca), "db.example.org"); };
        CHECK(verify_ca(pki().ca()) == "");
        CHECK(verify_ca(pki().other_ca()) == unknown);
    }

    TEST_CASE("only verify-full looks at the name")
    {
        const auto server = pki().issue("x", "DNS:db.example.org");
        for (const auto mode :
             {sslmode::allow, sslmode::prefer, sslmode::require, sslmode::verify_ca})
            CHECK(error_towards(server, to_server(mode, pki().ca()), "other.example.org") == "");

        const auto full = to_server(sslmode::verify_full, pki().ca());
        CHECK(
            error_towards(server, full, "other.example.org") ==
            "certificate verify failed: hostname mismatch"
        );
        CHECK(
            error_towards(server, full, "10.0.0.1") ==
            "certificate verify failed: IP address mismatch"
        );
    }

    TEST_CASE("the name of another CA's certificate is no matter")
    {
        const auto server = pki().issue("x", "DNS:db.example.org", "other");
        const auto full = to_server(sslmode::verify_full, pki().ca());
        CHECK(error_towards(server, full, "db.example.org").starts_with("certificate verify"));
    }

    TEST_CASE("verify-full compares names and addresses as libpq does")
    {
        const std::vector<host_case> cases{
            {"x", "DNS:db.example.org", "db.example.org", true},
            {"x", "DNS:db.example.org", "DB.Example.ORG", true},
            {"x", "DNS:a.example.org,DNS:b.example.org", "b.example.org", true},
            {"x", "DNS:db.example.org", "example.org", false},
            {"x", "DNS:db.example.org", ".example.org", false},
            {"x", "DNS:db.example.org", "", false},
            // the CN
            {"db.example.org", "", "db.example.org", true},
            {"db.example.org", "", "x.example.org", false},
            {"db.example.org", "DNS:x.example.org", "db.example.org", false},
            {"db.example.org", "IP:10.0.0.1", "db.example.org", true},
            // wildcards
            {"x", "DNS:*.example.org", "db.example.org", true},
            {"x", "DNS:*.example.org", "example.org", false},
            {"x", "DNS:*.example.org", "a.db.example.org", false},
            {"x", "DNS:d*.example.org", "db.example.org", false},
            {"x", "DNS:db.*.org", "db.example.org", false},
            {"*.example.org", "", "db.example.org", true},
            // addresses
            {"x", "IP:10.0.0.1", "10.0.0.1", true},
            {"x", "IP:10.0.0.1", "10.0.0.2", false},
            {"x", "IP:fd00::1", "fd00:0::1", true},
            {"x", "IP:fd00::1", "fd00::2", false},
            {"10.0.0.1", "", "10.0.0.1", true},
            {"10.0.0.1", "DNS:db.example.org", "10.0.0.1", true},
            {"10.0.0.1", "IP:10.0.0.2", "10.0.0.1", false},
            {"x", "DNS:10.0.0.1", "10.0.0.1", true},
            {"x", "DNS:*.0.0.1", "10.0.0.1", false},
        };
        const auto full = to_server(sslmode::verify_full, pki().ca());
        for (const auto& c : cases)
        {
            CAPTURE(c.cn);
            CAPTURE(c.alt_names);
            CAPTURE(c.host);
            const auto error = error_towards(pki().issue(c.cn, c.alt_names), full, c.host);
            CHECK(error.empty() == c.good);
            CHECK((c.good || error.ends_with(" mismatch")));
        }
    }

    TEST_CASE("verify-full without a ca trusts what the system trusts")
    {
        const auto server = pki().issue("x", "DNS:db.example.org");
        ::setenv("SSL_CERT_FILE", pki().ca().c_str(), 1);
        const auto error = error_towards(server, to_server(sslmode::verify_full), "db.example.org");
        ::unsetenv("SSL_CERT_FILE");
        CHECK(error == "");
    }

    TEST_CASE("verify-ca without a ca is refused, as libpq refuses the system's store")
    {
        CHECK(server_error(to_server(sslmode::verify_ca)).find("needs a ca") != std::string::npos);
    }

    TEST_CASE("names are sent as SNI, addresses are not")
    {
        for (const auto& [host, sent] :
             {std::pair{"db.example.org", true},
              {"10.0.0.1", false},
              {"fd00::1", false},
              {"fe80::1%eth0", false},
              {"", false}})
        {
            CAPTURE(host);
            wire w;
            const auto context = make_server_facing(to_server(sslmode::require));
            auto ours = tls_stream::connect(context, w.ours(), host);
            auto theirs = raw_peer::server(w.theirs(), pki().for_server());
            REQUIRE(shake_hands(ours, theirs).good());
            const char* name = ::SSL_get_servername(theirs.native(), TLSEXT_NAMETYPE_host_name);
            CHECK((name != nullptr) == sent);
            CHECK((!name || std::string(name) == host));
        }
    }

    TEST_CASE("our certificate is shown to a server that asks for one")
    {
        for (const bool with : {false, true})
        {
            auto settings = to_server(sslmode::require);
            if (with)
            {
                settings.cert = pki().client_cert();
                settings.key = pki().client_key();
            }
            auto server = terminating({pki().for_server().cert, pki().for_server().key});
            server.ca = pki().ca();
            wire w;
            auto ours = tls_stream::connect(make_server_facing(settings), w.ours(), "a");
            auto theirs = tls_stream::accept(make_client_facing(server), w.theirs());
            const auto r = shake_hands(ours, theirs);
            CHECK(r.ours == io_status::done); // TLS 1.3: the refusal comes behind it
            CHECK(r.theirs == (with ? io_status::done : io_status::broken));
            CHECK(status_of_read(ours) == (with ? io_status::want_read : io_status::broken));
            CHECK(ours.error() == (with ? "" : "tlsv13 alert certificate required"));
        }
    }

    TEST_CASE("files that cannot be used are named, with the reason")
    {
        const auto good = pki().for_server();
        const auto missing = pki().path("missing.pem");
        const auto junk = file_of("junk.pem", "no certificate\n");
        const auto other_kind = pki().path("ed25519.key");
        certificates::openssl("genpkey -algorithm ed25519 -out " + other_kind);
        const auto locked = pki().path("locked.key");
        certificates::openssl(
            "pkey -in " + good.key + " -aes256 -passout pass:secret -out " + locked
        );
        const auto text = [](const char* key, const std::string& path, const char* reason)
        { return std::string(key) + ": cannot use '" + path + "': " + reason; };
        const char* const none = "No such file or directory";

        CHECK(client_error(good.cert, good.key, "") == "");
        CHECK(client_error(missing, good.key, "") == text("tls.cert", missing, none));
        CHECK(client_error(good.cert, missing, "") == text("tls.key", missing, none));
        CHECK(client_error(good.cert, good.key, missing) == text("tls.ca", missing, none));
        CHECK(client_error(junk, good.key, "") == text("tls.cert", junk, "no start line"));
        CHECK(client_error(good.cert, junk, "") == text("tls.key", junk, "unsupported"));
        CHECK(
            client_error(good.cert, good.key, junk) ==
            text("tls.ca", junk, "no certificate or crl found")
        );
        CHECK(
            client_error(good.cert, pki().client_key(), "") ==
            text("tls.key", pki().client_key(), "key values mismatch")
        );
        CHECK(
            client_error(good.cert, other_kind, "") ==
            text("tls.key", other_kind, "no certificate assigned")
        );
        CHECK(
            client_error(good.cert, locked, "") == text("tls.key", locked, "it has a passphrase")
        );
        CHECK(client_error("", "", "") == text("tls.cert", "", none));

        auto settings = to_server(sslmode::require, missing);
        CHECK(server_error(settings) == text("server_tls.ca", missing, none));
        settings = to_server(sslmode::require, pki().ca());
        settings.cert = pki().client_cert();
        settings.key = good.key;
        CHECK(server_error(settings) == text("server_tls.key", good.key, "key values mismatch"));
        settings.cert = missing;
        CHECK(server_error(settings) == text("server_tls.cert", missing, none));
    }
}

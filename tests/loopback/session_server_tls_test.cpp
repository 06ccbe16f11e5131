// SPDX-License-Identifier: PostgreSQL
//
// TLS to servers, with libpq's meaning of sslmode.
#include "proxy/session.hpp"

#include "tests/support/captured_output.hpp"
#include "tests/support/proxy_fixture.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using config::sslmode;

// A client that has to be turned away is turned away soon.
config::listener_settings
to_server(sslmode mode, const std::string& ca = {}, std::chrono::milliseconds hold = patience)
{
    auto s = quick_listener();
    s.server_tls.sslmode = mode;
    s.server_tls.ca = ca;
    s.queue.timeout = scaled(hold);
    return s;
}

const server_tls& good()
{
    static const auto made = pki().for_server();
    return made;
}

server_tls issued(const std::string& alt_names, const std::string& by)
{
    const auto made = pki().issue("server", alt_names, by);
    return {made.cert, made.key, {}};
}

// Signed by a CA that nobody trusts.
const server_tls& untrusted()
{
    static const auto made = issued("IP:127.0.0.1", "other");
    return made;
}

const server_tls& misnamed()
{
    static const auto made = issued("DNS:elsewhere.example.org", "ca");
    return made;
}

const server_tls& named()
{
    static const auto made = issued("DNS:pg-1.example.org", "ca");
    return made;
}

// What the server says to SSLRequest; clear text is served as well.
script answering(const byte_vector& answer)
{
    return [answer](stream& s)
    {
        if (s.peek(8) != ssl_request())
            return serving()(s);
        s.receive(8);
        if (answer.empty())
            return;
        s.send(answer);
        if (answer == bytes_of("N"))
            serving()(s);
        else
            s.receive_to_end();
    };
}

const auto refused = fatal("28000", "no pg_hba.conf entry");

// How the client got to its server.
enum class way
{
    clear,
    tls,
    none,
};

struct row
{
    const char* name;
    sslmode mode;
    bool with_ca;
    script server;
    way expected;
    std::size_t connections; // 0: any number
    std::string host = "127.0.0.1";
};

void check(const row& r)
{
    CAPTURE(std::string(r.name));
    const bool fails = r.expected == way::none;
    fake_postgres server(r.server);
    proxy_fixture proxy(to_server(r.mode, r.with_ca ? pki().ca() : "", fails ? 50ms : patience));
    proxy.believe({{"a", server.port(), admission::open, r.host}});
    client c(proxy.port());
    c.send(startup());

    if (fails)
    {
        const auto told = c.receive_to_end();
        CHECK(error_field(told, 'C') == "57P03");
        CHECK(
            error_field(told, 'M') == "cannot connect now: no trusted SSL connection to the server"
        );
        CHECK(proxy.ended("SQ") + proxy.ended("SC") == 1);
        const auto said = server.received(); // not a word in clear text
        CHECK(std::ranges::search(said, startup()).empty());
    }
    else
    {
        CHECK(c.receive(login_answer().size()) == login_answer());
        c.send(query("select 1"));
        CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
        const auto said = server.received(server.accepted() - 1);
        const bool asked =
            said.size() > 8 && byte_vector(said.begin(), said.begin() + 8) == ssl_request();
        CHECK(said == (asked ? ssl_request() : byte_vector()) + startup() + query("select 1"));
        CHECK(server.encrypted(server.accepted() - 1) == (r.expected == way::tls));
    }
    if (r.connections > 0)
        CHECK(server.accepted() == r.connections);
}

} // namespace

TEST_SUITE("session, TLS to servers: the modes")
{
    TEST_CASE("disable: clear text, and no question")
    {
        check({"serves both", sslmode::disable, false, answering(bytes_of("S")), way::clear, 1});
    }

    TEST_CASE("allow: clear text, and TLS where that is refused")
    {
        const auto last = [](stream& s) { refusing_startup(refused)(s); };
        const row rows[] = {
            {"serves both",
             sslmode::allow,
             false,
             with_tls(good(), serving(), serving()),
             way::clear,
             1},
            {"wants TLS", sslmode::allow, false, only_tls(good()), way::tls, 2},
            {"wants TLS, any certificate",
             sslmode::allow,
             false,
             only_tls(untrusted()),
             way::tls,
             2},
            {"wants TLS, the right certificate",
             sslmode::allow,
             true,
             only_tls(good()),
             way::tls,
             2},
        };
        for (const auto& r : rows)
            check(r);

        // It refuses clear text and has no TLS: its own words reach the client.
        fake_postgres server(last);
        proxy_fixture proxy(to_server(sslmode::allow));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        CHECK(c.receive_to_end() == refused);
        CHECK(server.accepted() == 2);
        CHECK(server.received(1) == ssl_request() + startup());
    }

    TEST_CASE("prefer: TLS, and clear text where that is refused")
    {
        const row rows[] = {
            {"serves both",
             sslmode::prefer,
             false,
             with_tls(good(), serving(), serving()),
             way::tls,
             1},
            {"N", sslmode::prefer, false, answering(bytes_of("N")), way::clear, 1},
            {"any certificate", sslmode::prefer, false, only_tls(untrusted()), way::tls, 1},
            {"an untrusted certificate",
             sslmode::prefer,
             true,
             with_tls(untrusted(), serving(), serving()),
             way::clear,
             0},
            {"the handshake fails",
             sslmode::prefer,
             false,
             answering(bytes_of("S") + hex("15 0303 0002 0228")),
             way::clear,
             0},
            {"TLS is refused with FATAL",
             sslmode::prefer,
             false,
             with_tls(good(), refusing_startup(refused), serving()),
             way::clear,
             2},
            {"an ancient server's E",
             sslmode::prefer,
             false,
             answering(bytes_of("E")),
             way::clear,
             0},
        };
        for (const auto& r : rows)
            check(r);

        fake_postgres server(with_tls(good(), refusing_startup(refused), refusing_startup(refused))
        );
        proxy_fixture proxy(to_server(sslmode::prefer));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        CHECK(c.receive_to_end() == refused);
        CHECK(server.accepted() == 2);
    }

    TEST_CASE("require: TLS with any certificate, or none but the CA's where there is one")
    {
        const row rows[] = {
            {"serves both",
             sslmode::require,
             false,
             with_tls(good(), serving(), serving()),
             way::tls,
             1},
            {"any certificate", sslmode::require, false, only_tls(untrusted()), way::tls, 1},
            {"the right CA", sslmode::require, true, only_tls(misnamed()), way::tls, 1},
            {"another CA", sslmode::require, true, only_tls(untrusted()), way::none, 0},
            {"N", sslmode::require, false, answering(bytes_of("N")), way::none, 0},
            {"E", sslmode::require, false, answering(bytes_of("E")), way::none, 0},
            {"it closes", sslmode::require, false, answering({}), way::none, 0},
            {"the handshake fails",
             sslmode::require,
             false,
             answering(bytes_of("S") + hex("15 0303 0002 0228")),
             way::none,
             0},
        };
        for (const auto& r : rows)
            check(r);
    }

    TEST_CASE("verify-ca: the chain, not the name")
    {
        const row rows[] = {
            {"good", sslmode::verify_ca, true, only_tls(good()), way::tls, 1},
            {"another name", sslmode::verify_ca, true, only_tls(misnamed()), way::tls, 1},
            {"another CA", sslmode::verify_ca, true, only_tls(untrusted()), way::none, 0},
            {"N", sslmode::verify_ca, true, answering(bytes_of("N")), way::none, 0},
        };
        for (const auto& r : rows)
            check(r);
    }

    TEST_CASE("verify-full: the chain, and the member's name as it is configured")
    {
        const std::string name = "pg-1.example.org";
        const row rows[] = {
            {"the address", sslmode::verify_full, true, only_tls(good()), way::tls, 1},
            {"the name", sslmode::verify_full, true, only_tls(named()), way::tls, 1, name},
            {"another name", sslmode::verify_full, true, only_tls(misnamed()), way::none, 0},
            {"the address for a name",
             sslmode::verify_full,
             true,
             only_tls(good()),
             way::none,
             0,
             name},
            {"another CA", sslmode::verify_full, true, only_tls(untrusted()), way::none, 0},
            {"the system's CAs", sslmode::verify_full, false, only_tls(good()), way::none, 0},
            {"N", sslmode::verify_full, true, answering(bytes_of("N")), way::none, 0},
        };
        for (const auto& r : rows)
            check(r);
    }

    TEST_CASE("our own certificate is shown to servers that ask for one")
    {
        fake_postgres server(
            [](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("S"));
                if (s.accept_tls(pki().for_server(true)))
                    serving()(s);
            }
        );
        auto settings = to_server(sslmode::verify_full, pki().ca());
        settings.server_tls.cert = pki().client_cert();
        settings.server_tls.key = pki().client_key();
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});

        logged_in_client c(proxy);

        CHECK(server.peer_name(0) == "client");
    }
}

TEST_SUITE("session, TLS to servers: another try")
{
    TEST_CASE("no TLS is told once in the log, and as 57P03 when the hold is over")
    {
        fake_postgres server(answering(bytes_of("N")));
        const captured_output log;
        proxy_fixture proxy(to_server(sslmode::require, {}, 150ms));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        CHECK(error_field(c.receive_to_end(), 'C') == "57P03");
        c.finish_sending();

        const std::string event = "event=server_tls_failed listener=write member=a "
                                  "error=\"the server does not speak SSL\"";
        CHECK(log.has(event));
        CHECK(log.has("why=server_tls_failed"));
        CHECK(server.accepted() > 1);
        CHECK(log.text().find(event) == log.text().rfind(event));
    }

    TEST_CASE("a member that cannot be trusted is left for one that can")
    {
        fake_postgres bad(only_tls(untrusted()));
        fake_postgres well(only_tls(good()));
        auto settings = to_server(sslmode::verify_full, pki().ca());
        settings.role = config::listener_role::replica;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", bad.port()}, {"b", well.port()}});

        for (int i = 0; i < 4; ++i)
            logged_in_client c(proxy);

        CHECK(well.accepted() == 4);
    }

    TEST_CASE("a member that gets its certificate during the hold is reached")
    {
        fake_postgres server(only_tls(untrusted()));
        proxy_fixture proxy(to_server(sslmode::verify_full, pki().ca()));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return server.accepted() > 1; }));

        server.play(only_tls(good()));

        CHECK(c.receive(login_answer().size()) == login_answer());
    }

    TEST_CASE("57P03 inside TLS is no refusal of TLS: another try the same way")
    {
        fake_postgres server(one_after_another(
            {only_tls(good(), refusing_startup(fatal("57P03", "starting up"))), only_tls(good())}
        ));
        proxy_fixture proxy(to_server(sslmode::require));
        proxy.believe({{"a", server.port()}});

        logged_in_client c(proxy);

        CHECK(server.accepted() == 2);
        CHECK(server.encrypted(1));
    }

    TEST_CASE("a server that does not answer SSLRequest, or not the hello, is given up in time")
    {
        fake_postgres mute(silent());
        fake_postgres deaf(answering(bytes_of("S")));
        fake_postgres well(only_tls(good()));
        auto settings = to_server(sslmode::require);
        settings.timeouts.connect = scaled(100ms);
        settings.role = config::listener_role::replica;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", mute.port()}, {"b", deaf.port()}, {"c", well.port()}});

        logged_in_client first(proxy);
        logged_in_client second(proxy);
        logged_in_client third(proxy);

        CHECK(well.accepted() >= 3);
        CHECK(mute.accepted() + deaf.accepted() >= 2);
    }

    TEST_CASE("a role that is lost during the handshake leads to the new member")
    {
        fake_postgres deaf(answering(bytes_of("S")));
        fake_postgres well(only_tls(good()));
        proxy_fixture proxy(to_server(sslmode::require));
        proxy.believe({{"a", deaf.port()}, {"b", well.port(), admission::closed}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return deaf.received_size() > 8; }));

        proxy.believe({{"a", deaf.port(), admission::closed}, {"b", well.port()}});

        CHECK(c.receive(login_answer().size()) == login_answer());
    }
}

TEST_SUITE("session, TLS to servers: both legs")
{
    TEST_CASE("TLS ended here and begun anew: megabytes both ways, and 57P01 inside it")
    {
        const auto there = message('d', std::string(4 << 20, 'x'));
        const auto back = message('d', std::string(4 << 20, 'y'));
        fake_postgres server(only_tls(
            good(),
            [&](stream& s)
            {
                take_startup(s);
                s.send(login_answer());
                std::thread sender([&] { s.send(back); });
                const bool same = s.receive(there.size()) == there;
                sender.join();
                s.send(same ? ready('I') : ready('E'));
                s.receive_to_end();
            }
        ));
        auto settings = tls_listener();
        settings.server_tls.sslmode = sslmode::verify_full;
        settings.server_tls.ca = pki().ca();
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        tls_client c(proxy);

        std::thread sender([&] { c.send(there); });
        const bool same = c.receive(back.size()) == back;
        sender.join();
        CHECK(same);
        CHECK(c.receive(6) == ready('I'));
        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(error_field(c.receive_to_end(), 'C') == "57P01");
        CHECK(c.ended() == ending::fin);
        CHECK(run_until([&] { return server.open() == 0; }));
    }

    TEST_CASE("the ends of both sides pass through both legs")
    {
        fake_postgres server(only_tls(good()));
        auto settings = tls_listener();
        settings.server_tls.sslmode = sslmode::require;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", server.port()}});
        tls_client first(proxy);
        tls_client second(proxy);

        first.finish_sending();
        CHECK(first.receive_to_end().empty());
        CHECK(run_until([&] { return server.ended(0) == ending::fin; }));
        server.interrupt_all();
        CHECK(second.receive_to_end().empty());
        CHECK(second.ended() == ending::fin);
        second.finish_sending();

        CHECK(run_until([&] { return proxy.ended("--") == 1 && proxy.ended("SD") == 1; }));
    }

    TEST_CASE("a client that has TLS with the server itself is none of our business")
    {
        fake_postgres server(only_tls(untrusted()));
        proxy_fixture proxy(to_server(sslmode::verify_full, pki().ca()));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        REQUIRE(ask_for_tls(c));
        c.send(startup());

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.accepted() == 1);
        CHECK(server.received() == ssl_request() + startup());
    }

    TEST_CASE("a client that goes on in clear text after the server's N gets no server without TLS")
    {
        fake_postgres server(one_after_another({answering(bytes_of("N")), only_tls(good())}));
        proxy_fixture proxy(to_server(sslmode::verify_full, pki().ca()));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        c.send(startup());

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.received(0) == ssl_request());
        CHECK(server.encrypted(1));
    }

    TEST_CASE("the same with prefer stays where it is")
    {
        fake_postgres server(answering(bytes_of("N")));
        proxy_fixture proxy(to_server(sslmode::prefer));
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        c.send(startup());

        CHECK(c.receive(login_answer().size()) == login_answer());
        CHECK(server.accepted() == 1);
    }
}

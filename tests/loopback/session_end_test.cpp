// SPDX-License-Identifier: PostgreSQL
//
// What ends a session: its member's role, the process, a cancel request that has been passed on.
#include "proxy/session.hpp"

#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using config::listener_role;

bool gets_login_answer(client& c)
{
    return c.receive(login_answer().size()) == login_answer();
}

bool is_answered(client& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

void check_told(client& c, const char* sqlstate, const std::string& in_message)
{
    const auto told = c.receive_to_end();
    CHECK(error_field(told, 'S') == "FATAL");
    CHECK(error_field(told, 'C') == sqlstate);
    const auto text = error_field(told, 'M');
    CAPTURE(text);
    CHECK(text.find(in_message) != text.npos);
    CHECK(c.ended() == ending::fin);
}

} // namespace

TEST_SUITE("session: the member loses its role")
{
    TEST_CASE("an idle session is told 57P01 and closed, and so is its server")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        proxy.believe({{"a", server.port(), admission::closed}});

        check_told(c, "57P01", "no longer the primary");
        CHECK(run_until([&] { return server.ended() == ending::fin; }));
        CHECK(proxy.ended("D-") == 1);
        CHECK(proxy.stats().members["a"].shut_down["role_lost"] == 1);
        CHECK(proxy.relaying() == 0);
    }

    TEST_CASE("a reader is told that its member is no longer a replica")
    {
        fake_postgres server;
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        proxy.believe({{"a", server.port(), admission::closed}});

        check_told(c, "57P01", "no longer a replica");
    }

    TEST_CASE("only the sessions of that member are ended, on all workers")
    {
        fake_postgres a;
        fake_postgres b;
        proxy_fixture proxy(quick_listener(listener_role::replica), 2);
        proxy.believe({{"a", a.port()}, {"b", b.port()}});
        std::vector<std::unique_ptr<logged_in_client>> clients;
        for (int i = 0; i < 8; ++i)
            clients.push_back(std::make_unique<logged_in_client>(proxy));
        REQUIRE(a.accepted() == 4);

        proxy.believe({{"a", a.port(), admission::closed}, {"b", b.port()}});

        REQUIRE(run_until([&] { return a.open() == 0; }));
        const auto quiet = [](const auto& c) { return c->quiet(); };
        REQUIRE(run_until([&] { return std::ranges::count_if(clients, quiet) == 4; }));
        CHECK(proxy.relaying() == 4);
        std::size_t lives = 0;
        for (auto& c : clients)
            if (c->quiet())
            {
                CHECK(is_answered(*c));
                ++lives;
            }
            else
                check_told(*c, "57P01", "member a");
        CHECK(lives == 4);
        CHECK(b.open() == 4);
    }

    TEST_CASE("a member that only takes no new sessions keeps those it has")
    {
        fake_postgres a;
        fake_postgres b;
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe({{"a", a.port()}});
        logged_in_client old(proxy);

        proxy.believe({{"a", a.port(), admission::keep}, {"b", b.port()}});
        logged_in_client fresh(proxy);

        CHECK(is_answered(old));
        CHECK(is_answered(fresh));
        CHECK(a.accepted() == 1);
        CHECK(b.accepted() == 1);
    }

    TEST_CASE("a writer leaves a member that is no longer known, a reader stays")
    {
        fake_postgres server;
        {
            proxy_fixture write;
            write.believe({{"a", server.port()}});
            logged_in_client c(write);
            write.believe({});
            check_told(c, "57P01", "no longer the primary");
        }
        {
            proxy_fixture read(quick_listener(listener_role::replica));
            read.believe({{"a", server.port()}});
            logged_in_client c(read);
            read.believe({});
            CHECK(is_answered(c));
        }
    }

    TEST_CASE("a query under way is ended at the message boundary")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("wait"));
        REQUIRE(run_until([&] { return server.received() == startup() + query("wait"); }));

        proxy.believe({{"a", server.port(), admission::closed}});

        check_told(c, "57P01", "no longer the primary");
    }

    TEST_CASE("in the middle of a message there is only the FIN")
    {
        const auto half = hex("44 000003e8 0001") + pattern(100, 1);
        fake_postgres server(
            [&](stream& s)
            {
                s.receive_packet();
                s.send(login_answer());
                s.receive_message();
                s.send(half);
                s.receive_to_end();
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("select 1"));
        REQUIRE(c.receive(half.size()) == half);

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("an encrypted session gets only the FIN")
    {
        fake_postgres server(
            [](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("S"));
                s.receive_to_end();
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("S"));
        c.send(hex("16 0301 0001 01"));
        REQUIRE(run_until([&] { return server.received_size() == 14; }));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
    }

    TEST_CASE("what the server has said before reaches the client first")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.send(query("select 1"));
        REQUIRE(run_until(
            [&] {
                return proxy.stats().members["a"].bytes_out ==
                       login_answer().size() + query_answer('I').size();
            }
        ));

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(c.receive(query_answer('I').size()) == query_answer('I'));
        check_told(c, "57P01", "no longer the primary");
    }

    TEST_CASE("a client that goes on sending still reads the last words")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);

        proxy.believe({{"a", server.port(), admission::closed}});
        REQUIRE(run_until([&] { return proxy.ended("D-") == 1; }));
        CHECK(c.send(query(std::string(100'000, 'x'))));

        check_told(c, "57P01", "no longer the primary");
    }

    TEST_CASE("a session whose client reads nothing is ended too")
    {
        fake_postgres server(
            [](stream& s)
            {
                s.receive_packet();
                s.send(login_answer());
                s.receive_message();
                while (s.send(message('D', std::string(8192, 'x'))))
                    ;
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port(), 4096);
        c.send(startup());
        REQUIRE(gets_login_answer(c));
        c.send(query("select"));
        REQUIRE(run_until([&] { return proxy.parked() == 1; }));
        bool client_first = false;

        proxy.believe({{"a", server.port(), admission::closed}});

        CHECK(run_until(
            [&]
            {
                const bool client_ended = proxy.sessions() == 0; // looked at first
                if (server.open() == 0)
                    return true;
                client_first |= client_ended;
                return false;
            }
        ));
        CHECK(!client_first); // the old primary must not work on for it
        CHECK(run_until([&] { return proxy.sessions() == 0; }));
        CHECK(proxy.parked() == 0);
    }

    TEST_CASE("a half-closed session is ended too")
    {
        fake_postgres server(
            [](stream& s)
            {
                take_startup(s);
                s.send(login_answer());
                s.receive_to_end();
                while (s.send(ready('I')))
                    static_cast<void>(run_until([] { return false; }, 10ms));
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        c.finish_sending();
        REQUIRE(c.receive(6) == ready('I'));

        proxy.believe({{"a", server.port(), admission::closed}});

        auto told = c.receive_to_end();
        CHECK(c.ended() == ending::fin);
        while (told.size() > 6 && byte_vector(told.begin(), told.begin() + 6) == ready('I'))
            told.erase(told.begin(), told.begin() + 6);
        CHECK(error_field(told, 'C') == "57P01");
        CHECK(run_until([&] { return server.open() == 0; }));
    }

    TEST_CASE("while connecting: the client goes to the new member, unseen")
    {
        fake_postgres dead;
        fake_postgres good;
        dead.ignore();
        proxy_fixture proxy;
        proxy.believe({{"a", dead.port()}, {"b", good.port(), admission::closed}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.sessions() == 1; }));

        proxy.believe({{"a", dead.port(), admission::closed}, {"b", good.port()}});

        CHECK(gets_login_answer(c));
        CHECK(good.received() == startup());
    }

    TEST_CASE("after the startup packet, before any answer: the client goes to the new member")
    {
        fake_postgres hung(silent());
        fake_postgres good;
        proxy_fixture proxy;
        proxy.believe({{"a", hung.port()}, {"b", good.port(), admission::closed}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return hung.received() == startup(); }));

        proxy.believe({{"a", hung.port(), admission::closed}, {"b", good.port()}});

        CHECK(gets_login_answer(c));
        CHECK(c.received() == login_answer());
        CHECK(run_until([&] { return hung.open() == 0; }));
    }

    TEST_CASE("between N and the startup packet: the client goes to the new member")
    {
        fake_postgres old;
        fake_postgres good;
        proxy_fixture proxy;
        proxy.believe({{"a", old.port()}, {"b", good.port(), admission::closed}});
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));

        proxy.believe({{"a", old.port(), admission::closed}, {"b", good.port()}});
        REQUIRE(run_until([&] { return old.open() == 0; }));
        c.send(startup());

        CHECK(gets_login_answer(c));
        CHECK(old.received() == ssl_request());
        CHECK(good.received() == startup());
    }

    TEST_CASE("an answer that is cut off by the loss is not shown: the new member's is")
    {
        fake_postgres cut(
            [](stream& s)
            {
                s.receive_packet();
                s.send(hex("45 00000fff"));
                s.receive_to_end();
            }
        );
        fake_postgres good;
        proxy_fixture proxy;
        proxy.believe({{"a", cut.port()}, {"b", good.port(), admission::closed}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return cut.received() == startup(); }));

        proxy.believe({{"a", cut.port(), admission::closed}, {"b", good.port()}});

        CHECK(gets_login_answer(c));
        CHECK(c.received() == login_answer());
    }
}

TEST_SUITE("session: the process ends")
{
    TEST_CASE("idle sessions are told 57P01 at once, busy ones when they are idle")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client idle(proxy);
        logged_in_client busy(proxy);
        logged_in_client in_transaction(proxy);
        busy.send(query("wait"));
        in_transaction.send(query("begin"));
        REQUIRE(in_transaction.receive(query_answer('T').size()) == query_answer('T'));
        const auto asked = startup() + query("wait");
        REQUIRE(run_until([&] { return server.received(1) == asked; }));

        proxy.begin_shutdown();

        check_told(idle, "57P01", "shutting down");
        CHECK(run_until([&] { return proxy.relaying() == 2; }));
        CHECK(busy.quiet());
        CHECK(in_transaction.quiet());

        busy.send(hex("48 00000004")); // the answer may come
        CHECK(busy.receive(query_answer('I').size()) == query_answer('I'));
        check_told(busy, "57P01", "shutting down");
        in_transaction.send(query("commit"));
        CHECK(in_transaction.receive(query_answer('I').size()) == query_answer('I'));
        check_told(in_transaction, "57P01", "shutting down");
        CHECK(proxy.stats().members["a"].shut_down["shutting_down"] == 3);
    }

    TEST_CASE("sessions that do not end are cut: 57P01 in clear text, FIN when encrypted")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client busy(proxy);
        busy.send(query("wait"));
        server.play(
            [](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("S"));
                s.receive(1);
                s.send(bytes_of("!"));
                s.receive_to_end();
            }
        );
        client tls(proxy.port());
        tls.send(ssl_request());
        REQUIRE(tls.receive(1) == bytes_of("S"));
        tls.send(bytes_of("?")); // the session is past its opening when this is answered
        REQUIRE(tls.receive(1) == bytes_of("!"));
        REQUIRE(run_until([&] { return server.received() == startup() + query("wait"); }));
        proxy.begin_shutdown();
        REQUIRE(run_until([&] { return proxy.relaying() == 2; }));

        proxy.cut_all();

        check_told(busy, "57P01", "shutting down");
        CHECK(tls.receive_to_end().empty());
        CHECK(tls.ended() == ending::fin);
    }

    TEST_CASE("held clients are told 57P03, so that libpq goes on to its next host")
    {
        proxy_fixture proxy;
        proxy.believe({});
        client clear(proxy.port());
        clear.send(startup());
        client tls(proxy.port());
        tls.send(ssl_request());
        client nothing(proxy.port());
        REQUIRE(run_until([&] { return proxy.held() == 2 && proxy.sessions() == 3; }));

        proxy.begin_shutdown();

        check_told(clear, "57P03", "shutting down");
        CHECK(tls.receive_to_end().empty());
        CHECK(tls.ended() == ending::fin);
        CHECK(nothing.receive_to_end().empty());
        CHECK(nothing.ended() == ending::fin);
    }

    TEST_CASE("a role lost meanwhile still ends the sessions that are left")
    {
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client busy(proxy);
        busy.send(query("wait"));
        REQUIRE(run_until([&] { return server.received_size() > startup().size(); }));
        proxy.begin_shutdown();

        proxy.believe({{"a", server.port(), admission::closed}});

        check_told(busy, "57P01", "no longer the primary");
    }

    TEST_CASE("workers that are stopped drop their sessions in every phase")
    {
        fake_postgres server;
        fake_postgres hung(silent());
        proxy_fixture proxy(quick_listener(), 2);
        proxy.believe({{"a", hung.port()}});
        client waiting(proxy.port());
        waiting.send(startup());
        REQUIRE(run_until([&] { return hung.received() == startup(); }));
        proxy.believe({{"a", server.port()}});
        logged_in_client relaying(proxy);
        proxy.believe({{"a", server.port(), admission::keep}});
        client held(proxy.port());
        held.send(startup());
        client nothing(proxy.port());
        REQUIRE(run_until([&] { return proxy.held() == 1 && proxy.sessions() == 4; }));

        proxy.stop_workers();

        for (auto* c : {&waiting, static_cast<client*>(&relaying), &held, &nothing})
        {
            c->receive_to_end();
            CHECK(c->ended() != ending::none);
        }
        CHECK(run_until([&] { return server.open() + hung.open() == 0; }));
    }
}

TEST_SUITE("session: CancelRequest")
{
    TEST_CASE("P-174: it is offered to every member that may have the session")
    {
        fake_postgres a;
        fake_postgres b;
        fake_postgres kept;
        fake_postgres lost;
        proxy_fixture proxy(quick_listener(listener_role::replica), 2);
        proxy.believe(
            {{"a", a.port()},
             {"b", b.port()},
             {"c", kept.port(), admission::keep},
             {"d", lost.port(), admission::closed}}
        );
        client c(proxy.port());

        c.send(cancel_request());

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        for (const auto* server : {&a, &b, &kept})
            CHECK(server->cancel_requests() == 1);
        CHECK(lost.accepted() == 0);
        CHECK(proxy.stats().cancel_requests["offered"] == 1);
    }

    TEST_CASE("keys of 32 bytes pass whole, after an N too")
    {
        const auto packet = hex("0000002c 04d2162e 00001234") + pattern(32, 9);
        fake_postgres server;
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());

        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        c.send(packet);

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(run_until([&] { return server.received(1) == packet; }));
    }

    TEST_CASE("with no member at all the client is closed at once")
    {
        proxy_fixture proxy;
        proxy.believe({});
        client c(proxy.port());

        c.send(cancel_request());

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(proxy.stats().cancel_requests["no_member"] == 1);
        CHECK(proxy.held() == 0);
    }

    TEST_CASE("members that refuse, hang or reset do not keep it from the others for long")
    {
        fake_postgres refusing;
        fake_postgres hung(silent());
        fake_postgres rude(resetting());
        fake_postgres good;
        refusing.refuse();
        proxy_fixture proxy(quick_listener(listener_role::replica));
        proxy.believe(
            {{"a", refusing.port()}, {"b", hung.port()}, {"c", rude.port()}, {"d", good.port()}}
        );
        client c(proxy.port());

        c.send(cancel_request());

        CHECK(run_until([&] { return good.cancel_requests() == 1; }));
        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(hung.cancel_requests() == 1);
    }
}

// SPDX-License-Identifier: PostgreSQL
//
// One port for several listeners: each client comes to the first that fits what it says.
#include "tests/support/front_fixture.hpp"
#include "tests/support/socket_file.hpp"
#include "tests/support/startup_packet.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using match = std::vector<config::startup_condition>;

config::listener_settings listener_for(
    const std::string& name,
    const std::string& cluster,
    match m,
    config::listener_settings of = quick_listener()
)
{
    of.name = name;
    of.cluster = cluster;
    of.match = std::move(m);
    return of;
}

// "orders" of cluster "left" for database orders, "rest" of cluster "right" for all others.
std::vector<config::listener_settings>
two_listeners(const config::listener_settings& of = quick_listener())
{
    return {
        listener_for("orders", "left", {{"database", {"orders"}}}, of),
        listener_for("rest", "right", {}, of)};
}

// The same without the one that takes everybody.
std::vector<config::listener_settings>
two_matches(const config::listener_settings& of = quick_listener())
{
    auto both = two_listeners(of);
    both[1].match = {{"user", {"reader*"}}};
    return both;
}

bool logs_in(client& c, const std::string& parameters)
{
    c.send(startup_with(parameters));
    return c.receive(login_answer().size()) == login_answer();
}

void check_turned_away(client& c)
{
    const auto told = c.receive_to_end();
    CHECK(error_field(told, 'C') == "28000");
    CHECK(error_field(told, 'M').find("no listener of this port") != std::string::npos);
    CHECK(c.ended() == ending::fin);
}

struct two_clusters
{
    void believe(front_fixture& proxy) const
    {
        proxy.believe("left", {{"a", left.port()}});
        proxy.believe("right", {{"b", right.port()}});
    }

    fake_postgres left;
    fake_postgres right;
};

std::size_t rejects(front_fixture& proxy, std::size_t listener)
{
    return proxy.stats(listener).handshake_rejects["no_match"];
}

} // namespace

TEST_SUITE("session: match")
{
    TEST_CASE("the first listener that fits takes the client, from any worker")
    {
        const two_clusters clusters;
        front_fixture proxy(two_listeners());
        CHECK(proxy.port(0) == proxy.port(1));
        clusters.believe(proxy);

        std::vector<std::unique_ptr<client>> clients;
        for (const auto* parameters :
             {"user=u,database=orders",
              "user=orders",
              "user=u,database=other",
              "user=u",
              "user=u,database=orders"})
        {
            CAPTURE(parameters);
            clients.push_back(std::make_unique<client>(proxy.port()));
            CHECK(logs_in(*clients.back(), parameters));
        }

        CHECK(clusters.left.accepted() == 3);
        CHECK(clusters.right.accepted() == 2);
        CHECK(clusters.left.received(0) == startup_with("user=u,database=orders"));
        // Each is counted as the chosen one's, while it lasts and at its end.
        CHECK(run_until([&] { return proxy.relaying(0) == 3 && proxy.relaying(1) == 2; }));
        clients.clear();
        CHECK(run_until([&] { return proxy.stats(0).members["a"].ended["--"] == 3; }));
        CHECK(run_until([&] { return proxy.stats(1).members["b"].ended["--"] == 2; }));
        CHECK(proxy.stats(0).members.size() == 1);
    }

    TEST_CASE("limits and pauses are the chosen listener's")
    {
        const two_clusters clusters;
        auto both = two_listeners();
        both[0].maxconn = 1;
        both[0].queue.timeout = scaled(50ms);
        front_fixture proxy(both);
        clusters.believe(proxy);
        client first(proxy.port());
        CHECK(logs_in(first, "user=orders"));

        client second(proxy.port());
        second.send(startup_with("user=orders"));
        CHECK(error_field(second.receive_to_end(), 'C') == "53300");
        client other(proxy.port());
        CHECK(logs_in(other, "user=u"));

        REQUIRE(proxy.front().pause("rest", true));
        client held(proxy.port());
        held.send(startup_with("user=u"));
        CHECK(run_until([&] { return proxy.stats(1).held == 1; }));
        CHECK(proxy.stats(0).held == 0);
        REQUIRE(proxy.front().pause("rest", false));
        CHECK(held.receive(login_answer().size()) == login_answer());
    }

    TEST_CASE("whom nobody takes is told so")
    {
        const two_clusters clusters;
        front_fixture proxy(two_matches());
        clusters.believe(proxy);

        client nobody(proxy.port());
        nobody.send(startup_with("user=u,database=other"));
        check_turned_away(nobody);
        nobody.close();
        CHECK(run_until([&] { return rejects(proxy, 0) == 1; }));

        client reader(proxy.port());
        CHECK(logs_in(reader, "user=reader_7"));
        CHECK(clusters.right.accepted() == 1);
        CHECK(clusters.left.accepted() == 0);
    }

    TEST_CASE("without one that takes everybody encryption is answered with N, and no server asked")
    {
        const two_clusters clusters;
        front_fixture proxy(two_matches());
        clusters.believe(proxy);
        client c(proxy.port());

        c.send(gssenc_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        CHECK(clusters.left.accepted() + clusters.right.accepted() == 0);

        CHECK(logs_in(c, "user=u,database=orders"));
        CHECK(clusters.left.received() == startup_with("user=u,database=orders"));
        CHECK(clusters.right.accepted() == 0);
    }

    TEST_CASE("... and TLS from the first byte ends with FIN")
    {
        const two_clusters clusters;
        front_fixture proxy(two_matches());
        clusters.believe(proxy);
        client c(proxy.port());
        c.send(hex("1603010005 0100000100"));

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        c.close();
        CHECK(run_until([&] { return rejects(proxy, 0) == 1; }));
        CHECK(clusters.left.accepted() + clusters.right.accepted() == 0);
    }

    TEST_CASE("who cannot be read goes to the one that takes everybody")
    {
        const fake_postgres left;
        const fake_postgres right(with_tls(pki().for_server(), serving(), serving()));
        front_fixture proxy(two_listeners());
        proxy.believe("left", {{"a", left.port()}});
        proxy.believe("right", {{"b", right.port()}});
        client c(proxy.port());

        REQUIRE(ask_for_tls(c));
        CHECK(logs_in(c, "user=u,database=orders"));

        CHECK(left.accepted() == 0);
        CHECK(right.encrypted());
        CHECK(run_until([&] { return proxy.relaying(1) == 1; }));
    }

    TEST_CASE("after a server's N the client is read, and may be another listener's")
    {
        const two_clusters clusters;
        front_fixture proxy(two_listeners());
        clusters.believe(proxy);
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("N"));
        CHECK(clusters.right.accepted() == 1);

        CHECK(logs_in(c, "user=u,database=orders"));

        CHECK(clusters.left.received() == startup_with("user=u,database=orders"));
        CHECK(run_until([&] { return clusters.right.open() == 0; }));
        CHECK(run_until([&] { return proxy.relaying(0) == 1; }));
        CHECK(proxy.relaying(1) == 0);

        // One that stays keeps the server that was asked.
        client other(proxy.port());
        other.send(ssl_request());
        REQUIRE(other.receive(1) == bytes_of("N"));
        CHECK(logs_in(other, "user=u"));
        CHECK(clusters.right.accepted() == 2);
    }

    TEST_CASE("where TLS ends here everybody is read")
    {
        const two_clusters clusters;
        front_fixture proxy(two_matches(tls_listener()));
        clusters.believe(proxy);
        client inside(proxy.port());
        REQUIRE(ask_for_tls(inside));
        CHECK(logs_in(inside, "user=u,database=orders"));
        client clear(proxy.port());
        CHECK(logs_in(clear, "user=reader"));
        CHECK(clusters.left.accepted() == 1);
        CHECK(clusters.right.accepted() == 1);

        client nobody(proxy.port());
        REQUIRE(ask_for_tls(nobody));
        nobody.send(startup_with("user=u"));
        check_turned_away(nobody);
    }

    TEST_CASE("a cancel request with an unknown key is offered to the members of all")
    {
        const two_clusters clusters;
        front_fixture proxy(two_listeners());
        clusters.believe(proxy);

        client c(proxy.port());
        c.send(cancel_request());
        CHECK(c.receive_to_end().empty());

        CHECK(clusters.left.cancel_requests() == 1);
        CHECK(clusters.right.cancel_requests() == 1);
        CHECK(proxy.stats(0).cancel_requests["offered"] == 1);
    }

    TEST_CASE("a member of several listeners is offered a cancel request once")
    {
        const fake_postgres server;
        auto both = two_listeners();
        both[1].cluster = "left";
        front_fixture proxy(both);
        proxy.believe("left", {{"a", server.port()}});

        client c(proxy.port());
        c.send(cancel_request());
        CHECK(c.receive_to_end().empty());

        CHECK(server.cancel_requests() == 1);
        CHECK(server.accepted() == 1);
    }

    TEST_CASE("the port is withdrawn only when nobody of any listener is open")
    {
        const two_clusters clusters;
        auto both = two_listeners();
        const auto port = free_port();
        for (auto& l : both)
        {
            l.bind = {{"127.0.0.1", port}};
            l.withdraw_after = scaled(20ms);
        }
        front_fixture proxy(both);
        const auto refuses = [port]
        {
            try
            {
                const client c(port);
                return false;
            }
            catch (const std::system_error& e)
            {
                return e.code().value() == ECONNREFUSED;
            }
        };
        CHECK(run_until(refuses));

        proxy.believe("right", {{"b", clusters.right.port()}});
        REQUIRE(run_until([&] { return !refuses(); }));
        client c(port);
        CHECK(logs_in(c, "user=u"));
        proxy.believe("left", {{"a", clusters.left.port()}});
        proxy.believe("right", {});
        client d(port);
        CHECK(logs_in(d, "user=orders"));
    }
}

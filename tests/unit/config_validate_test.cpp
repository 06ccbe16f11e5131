// SPDX-License-Identifier: PostgreSQL
#include "config/validate.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;
using namespace std::chrono_literals;

namespace
{

// Nothing wrong with it: one cluster "main", listeners "write" and "read".
settings sound_settings()
{
    settings s;
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = {{"10.0.0.1", 8008}, {"10.0.0.2", 8008}};
    s.clusters.push_back(cluster);

    listener_settings listener;
    listener.cluster = "main";
    listener.name = "write";
    listener.bind = {{"*", 5432}};
    s.listeners.push_back(listener);
    listener.name = "read";
    listener.bind = {{"*", 5433}};
    s.listeners.push_back(listener);
    return s;
}

std::vector<std::string> texts(const settings& s)
{
    std::vector<std::string> out;
    for (const finding& f : validate(s))
        out.push_back(f.text);
    return out;
}

using lines = std::vector<std::string>;

} // namespace

TEST_SUITE_BEGIN("config/validate");

TEST_CASE("sound settings have no findings")
{
    CHECK(validate(sound_settings()).empty());
}

TEST_CASE("without clusters and listeners both are missed, once")
{
    CHECK(
        texts(settings{}) ==
        lines{"at least one cluster is needed", "at least one listener is needed"}
    );

    settings no_clusters = sound_settings();
    no_clusters.clusters.clear();
    CHECK(texts(no_clusters) == lines{"at least one cluster is needed"});
}

TEST_CASE("a cluster needs members, each once")
{
    settings s = sound_settings();
    s.clusters[0].patroni.members.clear();
    CHECK(texts(s) == lines{"at least one member is needed"});

    s.clusters[0].patroni.members = {{"::1", 8008}, {"batman", 8008}, {"::1", 8009}, {"::1", 8008}};
    const auto found = validate(s);
    REQUIRE(found.size() == 1);
    CHECK(
        found[0] == finding{{"clusters/main/patroni/members/3"}, "duplicate member '[::1]:8008'"}
    );
}

TEST_CASE("unreadable addresses are not judged a second time")
{
    settings s = sound_settings();
    s.clusters[0].patroni.members = {{}, {}, {"batman", 8008}};
    s.listeners[0].bind = {{}, {}};

    CHECK(validate(s).empty());
}

TEST_CASE("the intervals of polling and staleness are ordered")
{
    settings s = sound_settings();
    s.clusters[0].patroni.interval = 200ms;

    s.clusters[0].patroni.fast_interval = 200ms;
    CHECK(validate(s).empty());
    s.clusters[0].patroni.fast_interval = 201ms;
    CHECK(texts(s) == lines{"'fast_interval' (201ms) is longer than 'interval' (200ms)"});

    s.clusters[0].patroni.fast_interval = 50ms;
    s.clusters[0].stale_after = 201ms;
    CHECK(validate(s).empty());
    s.clusters[0].stale_after = 200ms;
    CHECK(texts(s) == lines{"'stale_after' (200ms) must be longer than 'interval' (200ms)"});

    s.clusters[0].dcs.emplace().scope = "demo";
    s.clusters[0].stale_after = 3s;
    CHECK(texts(s) == lines{"'stale_after' (3s) must be at least 4s beside 'dcs'"});
    s.clusters[0].stale_after = 4s;
    CHECK(texts(s).empty());
}

TEST_CASE("a pooler is known from the DCS only, and not the one that SQL is asked of")
{
    settings s = sound_settings();
    s.clusters[0].patroni.proxy_url = true;
    CHECK(
        texts(s) ==
        lines{"'proxy_url' needs 'dcs' beside 'patroni': only a member's key there names it"}
    );
    s.clusters[0].dcs.emplace().scope = "demo";
    CHECK(texts(s).empty());
    s.clusters[0].sql.emplace().user = "rolegate";
    CHECK(
        texts(s) ==
        lines{"'sql' asks PostgreSQL itself, where 'proxy_url' leads to a pooler: use one of them"}
    );
}

TEST_CASE("certificate and key come together")
{
    settings s = sound_settings();
    s.clusters[0].patroni.tls = client_tls{};
    CHECK(validate(s).empty());

    s.clusters[0].patroni.tls->cert = "client.crt";
    CHECK(texts(s) == lines{"'cert' needs 'key' beside it"});
    s.clusters[0].patroni.tls->key = "client.key";
    CHECK(validate(s).empty());
    s.clusters[0].patroni.tls->cert.clear();
    CHECK(texts(s) == lines{"'key' needs 'cert' beside it"});
}

TEST_CASE("TLS that ends here needs certificate and key")
{
    settings s = sound_settings();
    s.listeners[0].tls.mode = tls_mode::terminate;
    CHECK(texts(s) == lines{"'mode: terminate' needs 'cert'", "'mode: terminate' needs 'key'"});
    s.listeners[0].tls.cert = "server.crt";
    CHECK(
        validate(s) ==
        std::vector<finding>{
            {{"listeners/write/tls/key", "listeners/write/tls/mode"},
             "'mode: terminate' needs 'key'"}}
    );
    s.listeners[0].tls.key = "server.key";
    CHECK(validate(s).empty());

    s.listeners[0].server_tls = {sslmode::require, "", "client.crt", ""};
    CHECK(texts(s) == lines{"'cert' needs 'key' beside it"});
    s.listeners[0].server_tls = {sslmode::require, "", "", "client.key"};
    CHECK(texts(s) == lines{"'key' needs 'cert' beside it"});
    for (const auto mode : {sslmode::verify_ca, sslmode::verify_full})
    {
        s.listeners[0].server_tls = {mode, "ca.crt", "client.crt", "client.key"};
        CHECK(validate(s).empty());
    }
    s.listeners[0].server_tls = {sslmode::verify_full, "", "", ""};
    CHECK(validate(s).empty());
    s.listeners[0].server_tls = {sslmode::verify_ca, "", "", ""};
    CHECK(
        texts(s) ==
        lines{"'verify-ca' needs 'ca'; the system's store is good for 'verify-full' only"}
    );
}

TEST_CASE("a listener names a cluster that exists")
{
    settings s = sound_settings();
    s.listeners[0].cluster = "mian";
    s.listeners[1].cluster = "reporting";

    CHECK(
        texts(s) ==
        lines{"unknown cluster 'mian', did you mean 'main'?", "unknown cluster 'reporting'"}
    );
}

TEST_CASE("two binds collide when some address and port would belong to both")
{
    struct row
    {
        host_port first;
        host_port second;
        bool collide;
    };
    const row rows[] = {
        {{"*", 5432}, {"*", 5432}, true},
        {{"*", 5432}, {"0.0.0.0", 5432}, true},
        {{"*", 5432}, {"127.0.0.1", 5432}, true},
        {{"127.0.0.1", 5432}, {"*", 5432}, true},
        {{"127.0.0.1", 5432}, {"127.0.0.1", 5432}, true},
        {{"::", 5432}, {"::1", 5432}, true},
        {{"::1", 5432}, {"::", 5432}, true},
        {{"*", 5432}, {"*", 5434}, false},
        {{"127.0.0.1", 5432}, {"127.0.0.2", 5432}, false},
        // Listeners set IPV6_V6ONLY.
        {{"*", 5432}, {"::", 5432}, false},
        {{"127.0.0.1", 5432}, {"::1", 5432}, false},
        {{"*", 0}, {"*", 0}, false},
        {{"127.0.0.1", 0}, {"127.0.0.1", 0}, false},
        {{"/run/a", 0}, {"/run/a", 0}, true},
        {{"/run/a", 0}, {"/run/b", 0}, false},
        {{"/run/a", 0}, {"*", 0}, false},
        {{"/.s.PGSQL.5432", 0}, {"*", 5432}, false},
    };

    for (const row& r : rows)
    {
        CAPTURE(r.first.host);
        CAPTURE(r.second.host);
        CAPTURE(r.second.port);
        settings two_listeners = sound_settings();
        two_listeners.listeners[0].bind = {r.first};
        two_listeners.listeners[1].bind = {r.second};
        CHECK(validate(two_listeners).empty() == !r.collide);

        settings one_listener = sound_settings();
        one_listener.listeners[0].bind = {r.first, r.second};
        CHECK(validate(one_listener).empty() == !r.collide);

        settings with_admin = sound_settings();
        with_admin.listeners[0].bind = {r.first};
        with_admin.admin.bind = r.second;
        CHECK(validate(with_admin).empty() == !r.collide);
    }
}

TEST_CASE("a collision names both sides and blames the later one")
{
    settings s = sound_settings();
    s.listeners[1].bind = {{"*", 5433}, {"127.0.0.1", 5432}};
    s.admin.bind = {"0.0.0.0", 5433};

    const auto found = validate(s);

    REQUIRE(found.size() == 2);
    CHECK(
        found[0] ==
        finding{
            {"listeners/read/bind/1", "listeners/write/bind/0"},
            "listener 'read' cannot bind '127.0.0.1:5432': listener 'write' binds '*:5432'"}
    );
    CHECK(
        found[1] ==
        finding{
            {"admin/bind", "listeners/read/bind/0"},
            "admin cannot bind '0.0.0.0:5433': listener 'read' binds '*:5433'"}
    );
}

TEST_CASE("a listener needs a bind")
{
    settings s = sound_settings();
    s.listeners[1].bind.clear();

    CHECK(texts(s) == lines{"at least one bind is needed"});
}

TEST_SUITE_END();

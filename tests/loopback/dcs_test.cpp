// SPDX-License-Identifier: PostgreSQL
//
// The monitor behind a scripted etcd: what the watch tells, what the re-reads find, and what is
// done about an etcd that cannot be believed.
#include "tests/support/fake_etcd.hpp"
#include "tests/support/monitor_fixture.hpp"

#include <doctest/doctest.h>
#include <utility>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::admission;

namespace
{

// Patroni members whose keys are in an etcd; a leads.
struct watched_cluster
{
    explicit watched_cluster(std::size_t endpoints = 1, std::size_t size = 2)
        : etcd(endpoints), patroni(size)
    {
        lease = etcd.grant(300);
        for (std::size_t i = 0; i < size; ++i)
            join(std::string(1, static_cast<char>('a' + i)));
        etcd.put("config", R"({"ttl":30})");
        etcd.put("leader", "a", lease);
    }

    void join(const std::string& name, int timeline = 1)
    {
        etcd.put(
            "members/" + name,
            R"({"conn_url":"postgres://127.0.0.1:5432/postgres","api_url":")" +
                patroni[name].url() + R"(","state":"running","role":"replica","timeline":)" +
                std::to_string(timeline) + "}"
        );
    }

    void lead(const std::string& name)
    {
        patroni.lead(name);
        etcd.put("leader", name, lease);
    }

    std::size_t requests(const std::string& path)
    {
        return patroni["a"].requests(path) + patroni["b"].requests(path);
    }

    // Nobody is a REST seed: the members are known from the keys alone.
    [[nodiscard]] config::cluster_settings settings() const
    {
        auto s = following({});
        s.patroni.timeout = scaled(2s);
        s.dcs.emplace();
        s.dcs->scope = "demo";
        for (std::size_t i = 0; i < etcd.size(); ++i)
            s.dcs->hosts.push_back({"127.0.0.1", etcd.port(i)});
        return s;
    }

    fake_etcd etcd;
    fake_cluster patroni;
    std::int64_t lease = 0;
};

bool connected(const running_monitor& monitor)
{
    const auto t = monitor.seen().latest();
    return t && t->dcs.connected;
}

std::string error_of(const running_monitor& monitor)
{
    const auto t = monitor.seen().latest();
    return t ? t->dcs.error : "";
}

std::string source_of(const running_monitor& monitor)
{
    const auto t = monitor.seen().latest();
    return t ? t->lock.source : "";
}

// The whole picture: the watch stands, and every member has said its word.
bool settled(const running_monitor& monitor)
{
    return connected(monitor) && monitor.leads("a") &&
           std::string(monitor.member("a").write.rule) == "lock-and-word" &&
           monitor.member("b").read.verdict == admission::open;
}

bool settles(const running_monitor& monitor)
{
    return run_until([&] { return settled(monitor); });
}

bool fails(const running_monitor& monitor, const std::string& endpoint, const char* words)
{
    return run_until([&] { return monitor.failed(endpoint, words); });
}

// Which endpoint the watch is at. The re-reads begin at the next one.
std::size_t watched_endpoint(const running_monitor& monitor, const fake_etcd& etcd)
{
    std::size_t i = 0;
    while (i < etcd.size() && etcd.address(i) != monitor.seen().latest()->dcs.endpoint)
        ++i;
    REQUIRE(i < etcd.size());
    return i;
}

} // namespace

TEST_SUITE("dcs: what etcd's watch tells")
{
    TEST_CASE("the keys alone make the members, the leader and the readers known")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());

        REQUIRE(settles(monitor));
        const auto t = monitor.seen().latest();
        CHECK(t->lock.holder == "a");
        CHECK(std::string(t->lock.source) == "etcd3");
        CHECK(t->lock.reporter == cluster.etcd.address());
        CHECK(t->stale_after == 30s); // the cluster's ttl
        CHECK(t->dcs.error.empty());
        CHECK(monitor.member("a").port == 5432);
    }

    TEST_CASE("another leader is seen while nobody answers with a listing")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));

        cluster.patroni.lead("b");
        for (const auto* name : {"a", "b"})
            cluster.patroni[name].answer("/cluster", reply::silence());
        cluster.etcd.put("leader", "b", cluster.lease);

        CHECK(run_until([&] { return monitor.leads("b"); }));
        CHECK(source_of(monitor) == "etcd3");
        CHECK(monitor.member("a").write.verdict == admission::closed);
        CHECK(monitor.seen().most_writers() == 1);
    }

    TEST_CASE("the holder is closed when its key is deleted, or its lease ends")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));

        SUBCASE("deleted")
        {
            cluster.etcd.erase("leader");
        }
        SUBCASE("expired, together with its member key")
        {
            const auto ending = cluster.etcd.grant(1);
            cluster.etcd.put("leader", "a", ending);
            cluster.etcd.put("members/a", R"({"state":"running"})", ending);
            cluster.etcd.expire(ending);
        }

        CHECK(run_until([&] { return monitor.member("a").write.verdict == admission::closed; }));
        CHECK(std::string(monitor.member("a").write.rule) == "no-lock");
        CHECK(connected(monitor));
    }

    TEST_CASE("a new lease for the same holder is no change, but the lock's end moves")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));
        const auto end_within = [&](health::clock::duration least, health::clock::duration most)
        {
            const auto ends = monitor.seen().latest()->lock.ends;
            const auto now = health::clock::now();
            return ends && *ends - now > least && *ends - now <= most;
        };
        CHECK(run_until([&] { return end_within(200s, 300s); }));
        const auto generation = monitor.seen().latest()->generation;

        cluster.etcd.put("leader", "a", cluster.etcd.grant(900));

        CHECK(run_until([&] { return end_within(800s, 900s); }));
        CHECK(monitor.seen().latest()->generation == generation);
    }

    TEST_CASE("several objects in one chunk, and one object over many")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));

        cluster.etcd.begin_chunk();
        cluster.etcd.erase("leader");
        cluster.etcd.put("status", R"({"optime":67108864})");
        cluster.lead("b");
        cluster.etcd.end_chunk();
        CHECK(run_until([&] { return monitor.leads("b"); }));

        cluster.etcd.dribble();
        cluster.lead("a");
        CHECK(run_until([&] { return monitor.leads("a"); }));
        CHECK(cluster.etcd.requests("/watch") == 1);
    }

    TEST_CASE("the keys rule for longer than REST's interval and timeout together")
    {
        watched_cluster cluster;
        auto settings = cluster.settings();
        settings.patroni.interval = 20ms;
        settings.patroni.timeout = scaled(1s);
        running_monitor monitor(settings);
        REQUIRE(settles(monitor));

        CHECK_FALSE(run_until([&] { return source_of(monitor) != "etcd3"; }, 1200ms));
    }

    TEST_CASE("a stopped monitor leaves nothing under way")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));
        SUBCASE("with a watch that stands") {}
        SUBCASE("with an etcd that hangs")
        {
            cluster.etcd.hang(0);
        }

        monitor.stop();

        CHECK(run_until([&] { return monitor.ended(); }));
    }
}

TEST_SUITE("dcs: re-reads and fail-over")
{
    TEST_CASE("a watch that hangs is overtaken by a re-read, and replaced")
    {
        watched_cluster cluster;
        cluster.etcd.hold("leader"); // so that nobody has to wait for the next one
        running_monitor monitor(cluster.settings());
        REQUIRE(run_until([&] { return monitor.leads("a") && cluster.etcd.holds(); }));
        cluster.etcd.mute_watches();

        cluster.lead("b");
        cluster.etcd.release();

        CHECK(run_until([&] { return monitor.leads("b"); }));
        CHECK(run_until([&] { return cluster.etcd.watches() == 1 && connected(monitor); }));
    }

    TEST_CASE("the watch leaves an endpoint that hangs, or dies")
    {
        watched_cluster cluster(3);
        cluster.etcd.hold("leader");
        running_monitor monitor(cluster.settings());
        REQUIRE(run_until([&] { return monitor.leads("a") && cluster.etcd.holds(); }));
        const auto first = watched_endpoint(monitor, cluster.etcd);

        SUBCASE("hangs")
        {
            cluster.etcd.hang(first);
        }
        SUBCASE("dies")
        {
            cluster.etcd.stop(first);
        }
        cluster.lead("b");
        cluster.etcd.release();

        CHECK(run_until([&] { return monitor.leads("b") && connected(monitor); }));
        CHECK(watched_endpoint(monitor, cluster.etcd) != first);
        cluster.lead("a");
        CHECK(run_until([&] { return monitor.leads("a"); }));
        CHECK(monitor.seen().most_writers() == 1);
    }

    TEST_CASE("an endpoint of another cluster, or one that lives in the past, is passed over")
    {
        watched_cluster cluster(3);
        for (std::size_t i = 0; i < 3; ++i)
            cluster.etcd.set_term(i, 5);
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));
        const auto first = watched_endpoint(monitor, cluster.etcd);
        const auto next = (first + 1) % 3;
        const char* why = "";

        SUBCASE("another cluster")
        {
            cluster.etcd.belong_to(next, 99);
            why = "answers as DCS cluster 99";
        }
        SUBCASE("the past")
        {
            cluster.etcd.set_term(next, 4);
            why = "lives in the past: raft term 4, so far 5";
        }
        cluster.etcd.stop(first);

        CHECK(fails(monitor, cluster.etcd.address(next), why));
        CHECK(run_until([&] { return connected(monitor); }));
        CHECK(watched_endpoint(monitor, cluster.etcd) == (first + 2) % 3);
        CHECK(monitor.leads("a"));
    }

    TEST_CASE("a raft term that went back everywhere is accepted")
    {
        watched_cluster cluster;
        cluster.etcd.set_term(0, 5);
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));

        cluster.etcd.set_term(0, 3);
        cluster.lead("b");

        CHECK(fails(monitor, cluster.etcd.address(), "lives in the past"));
        CHECK(run_until([&] { return monitor.leads("b") && connected(monitor); }));
    }

    TEST_CASE("an etcd that was built anew is empty first, then it is believed")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));

        cluster.etcd.rebuild();

        CHECK(fails(monitor, cluster.etcd.address(), "answers as DCS cluster"));
        CHECK(fails(monitor, cluster.etcd.address(), "no keys below /service/demo/: is that"));
        CHECK(run_until([&] { return monitor.leads("a") && source_of(monitor) == "rest"; }));

        cluster.join("a");
        cluster.join("b");
        cluster.lead("b");
        CHECK(run_until([&] { return monitor.leads("b") && source_of(monitor) == "etcd3"; }));
    }

    TEST_CASE("without etcd the REST APIs are asked, and with it they are left alone")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));
        std::size_t last = 0;
        auto since = health::clock::now();
        const auto calm = [&]
        {
            const auto now = cluster.patroni["a"].requests() + cluster.patroni["b"].requests();
            if (now != std::exchange(last, now))
                since = health::clock::now();
            return health::clock::now() - since > 400ms; // REST alone: every 60 ms
        };
        REQUIRE(run_until(calm));
        const auto listings = [&]
        { return cluster.requests("/cluster") + cluster.requests("/config"); };

        // A member that has changed is asked at once, and nobody else: unless it is just then
        // everybody's turn.
        int timeline = 1;
        const auto only_b_is_asked = [&]
        {
            const auto others = cluster.patroni["a"].requests() + listings();
            const auto words_of_b = cluster.patroni["b"].requests("/patroni");
            cluster.join("b", ++timeline);
            return run_until([&] { return cluster.patroni["b"].requests("/patroni") > words_of_b; }
                   ) &&
                   cluster.patroni["a"].requests() + listings() == others;
        };
        CHECK(run_until(only_b_is_asked));
        const auto before = listings();

        cluster.etcd.stop(0);
        CHECK(run_until([&] { return listings() > before + 2; }));
        CHECK(run_until([&] { return !connected(monitor) && source_of(monitor) == "rest"; }));
        CHECK(error_of(monitor).find("connect: Connection refused") != std::string::npos);
        cluster.patroni.lead("b");
        CHECK(run_until([&] { return monitor.leads("b"); }));
    }
}

TEST_SUITE("dcs: what etcd refuses")
{
    TEST_CASE("a token that has run out is replaced by the next re-read")
    {
        watched_cluster cluster;
        cluster.etcd.require_login("u", "p");
        auto settings = cluster.settings();
        settings.dcs->username = "u";
        settings.dcs->password = "p";
        running_monitor monitor(settings);
        REQUIRE(settles(monitor));
        const auto logins = cluster.etcd.requests("/auth/authenticate");

        cluster.etcd.expire_tokens();
        cluster.etcd.put("leader", "a", cluster.lease); // re-reads follow

        CHECK(run_until([&] { return cluster.etcd.requests("/auth/authenticate") > logins; }));
        cluster.lead("b");
        CHECK(run_until([&] { return monitor.leads("b") && connected(monitor); }));
        CHECK(cluster.etcd.requests("/watch") == 1);
        std::string errors;
        for (const auto& c : monitor.seen().checks())
            errors += c.error;
        CHECK(errors == "");
    }

    TEST_CASE("a login that is wrong, or missing, is named")
    {
        watched_cluster cluster;
        cluster.etcd.require_login("u", "p");
        auto settings = cluster.settings();
        std::string words = "etcdserver: user name is empty (HTTP status 400)";
        SUBCASE("missing") {}
        SUBCASE("wrong")
        {
            settings.dcs->username = "u";
            settings.dcs->password = "wrong";
            words = "etcdserver: authentication failed, invalid user ID or password";
        }
        running_monitor monitor(settings);

        CHECK(fails(monitor, cluster.etcd.address(), words.c_str()));
        CHECK(run_until([&] { return error_of(monitor).find(words) != std::string::npos; }));
        CHECK(!connected(monitor));
    }

    TEST_CASE("whatever ends a watch, a new snapshot follows")
    {
        watched_cluster cluster;
        running_monitor monitor(cluster.settings());
        REQUIRE(settles(monitor));
        const auto snapshots = cluster.etcd.requests("/kv/range");
        const char* why = "";

        SUBCASE("compaction")
        {
            cluster.etcd.compact();
            why = "was compacted";
        }
        SUBCASE("an error in the stream")
        {
            cluster.etcd.say(R"({"error":{"grpc_code":14,"http_code":503,"message":)"
                             R"("etcdserver: no leader","http_status":"Service Unavailable"}})"
                             "\n");
            why = "watch: etcd: etcdserver: no leader";
        }
        SUBCASE("garbage")
        {
            cluster.etcd.say("<html>");
            why = "the stream is not JSON";
        }
        SUBCASE("an object without an end")
        {
            cluster.etcd.say("{\"result\":\"" + std::string(5 * 1024 * 1024, ' '));
            why = "an object of it is too long";
        }
        SUBCASE("an object of something else")
        {
            cluster.etcd.say("{\"hello\":1}\n");
            why = "'result' is missing";
        }

        CHECK(fails(monitor, cluster.etcd.address(), why));
        cluster.lead("b");
        CHECK(run_until([&] { return monitor.leads("b") && connected(monitor); }));
        CHECK(cluster.etcd.requests("/kv/range") > snapshots);
    }

    TEST_CASE("a watch that is refused leaves the lock to REST until it is granted")
    {
        watched_cluster cluster;
        cluster.etcd.refuse_watches(
            "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
        );
        running_monitor monitor(cluster.settings());

        CHECK(fails(
            monitor, cluster.etcd.address(), "canceled by etcd: rpc error: code = PermissionDenied"
        ));
        CHECK(run_until([&] { return monitor.leads("a"); }));
        CHECK(!connected(monitor));

        cluster.etcd.refuse_watches("");
        CHECK(settles(monitor));
    }

    TEST_CASE("answers that are none")
    {
        watched_cluster cluster;
        std::string path = "/kv/range";
        std::string body = "<html>";
        const char* why = "etcd: ";
        int status = 200;
        SUBCASE("a snapshot in HTML") {}
        SUBCASE("a snapshot that is too long")
        {
            body = std::string(9 * 1024 * 1024, ' ');
            why = "body limit exceeded";
        }
        SUBCASE("an error instead of a snapshot")
        {
            body =
                R"({"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14})";
            why = "etcdserver: no leader (HTTP status 503)";
            status = 503;
        }
        SUBCASE("an etcd that is too old")
        {
            path = "/version";
            body = R"({"etcdserver":"2.3.8","etcdcluster":"2.3.0"})";
            why = "etcd 2.3.0 has no API v3";
        }
        cluster.etcd.answer(path, status, body);
        running_monitor monitor(cluster.settings());

        CHECK(fails(monitor, cluster.etcd.address(), why));
        CHECK(!connected(monitor));
        cluster.etcd.answer_again(path);
        if (path == "/kv/range") // else the next re-read is waited for
            CHECK(settles(monitor));
    }
}

TEST_SUITE("dcs: etcd's API v2")
{
    TEST_CASE("snapshot, long polls, expiry, and a history that is gone")
    {
        watched_cluster cluster;
        auto settings = cluster.settings();
        settings.dcs->kind = config::dcs_kind::etcd;
        running_monitor monitor(settings);
        REQUIRE(settles(monitor));
        CHECK(source_of(monitor) == "etcd");

        // Patroni refreshes its keys in every loop: no news.
        const auto generation = monitor.seen().latest()->generation;
        const auto asked = cluster.etcd.requests("/v2/keys");
        cluster.etcd.put("leader", "a", cluster.lease);
        CHECK(run_until([&] { return cluster.etcd.requests("/v2/keys") > asked + 1; }));
        CHECK(run_until([&] { return monitor.seen().latest()->lock.ends.has_value(); }));
        CHECK(monitor.seen().latest()->generation == generation);

        cluster.lead("b");
        CHECK(run_until([&] { return monitor.leads("b"); }));
        cluster.etcd.expire(cluster.lease);
        CHECK(run_until([&] { return monitor.member("b").write.verdict == admission::closed; }));
        CHECK(connected(monitor));

        // Between two long polls etcd forgets.
        REQUIRE(run_until([&] { return cluster.etcd.watches() == 1; }));
        cluster.etcd.hold("/v2/keys");
        cluster.etcd.put("leader", "a", cluster.lease);
        REQUIRE(run_until([&] { return cluster.etcd.holds(); }));
        cluster.lead("b");
        cluster.etcd.compact();
        cluster.etcd.release();
        CHECK(run_until([&] { return monitor.leads("b") && connected(monitor); }));
    }

    TEST_CASE("a login that is wrong is named, and the right one serves")
    {
        watched_cluster cluster;
        cluster.etcd.require_login("u", "p");
        auto settings = cluster.settings();
        settings.dcs->kind = config::dcs_kind::etcd;
        settings.dcs->username = "u";
        settings.dcs->password = "p";
        running_monitor right(settings);
        settings.dcs->password = "wrong";
        running_monitor wrong(settings);

        CHECK(fails(wrong, cluster.etcd.address(), "Insufficient credentials (HTTP status 401)"));
        CHECK(settles(right));
    }
}

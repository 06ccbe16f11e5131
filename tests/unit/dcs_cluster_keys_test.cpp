// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/cluster_keys.hpp"

#include "health/patroni/cluster_body.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::health::dcs;

namespace
{

cluster_keys keys_of(std::initializer_list<std::pair<const char*, std::string>> rows)
{
    cluster_keys keys;
    for (const auto& [key, value] : rows)
        keys.put({key, value, 0});
    return keys;
}

// pg-1's listing when it is a replica whose key has these fields.
listed_member member_with(const std::string& fields)
{
    const auto listing = keys_of({{"members/pg-1", "{" + fields + "}"}}).state().listing;
    REQUIRE(listing.members.size() == 1);
    return listing.members.front();
}

std::string member_key(int n, const std::string& role, const std::string& rest)
{
    const auto address = "127.0.6.1" + std::to_string(n);
    return R"({"conn_url":"postgres://)" + address + R"(:5434/postgres","api_url":"http://)" +
           address + R"(:8008/patroni","state":"running","role":")" + role +
           R"(","version":"3.0.2",)" + rest + "}";
}

std::string listed(int n, const std::string& role, const std::string& rest)
{
    const auto address = "127.0.6.1" + std::to_string(n);
    return R"({"name": "pg-)" + std::to_string(n) + R"(", "role": ")" + role +
           R"(", "state": "running", "api_url": "http://)" + address +
           R"(:8008/patroni", "host": ")" + address + R"(", "port": 5434, "timeline": 1)" + rest +
           "}";
}

std::optional<planned_switchover> plan_in(const std::string& failover)
{
    return keys_of({{"failover", failover}}).state().listing.switchover;
}

std::string leader_role_with(const std::string& config)
{
    const auto s = keys_of({{"leader", "pg-1"}, {"config", config}}).state();
    REQUIRE(s.listing.leader() != nullptr);
    const auto& m = *s.listing.leader();
    const bool is_standby = m.role == member_role::standby_leader;
    CHECK(s.standby_cluster == is_standby);
    CHECK((is_standby || m.role == member_role::primary));
    return m.role_text;
}

} // namespace

TEST_SUITE_BEGIN("dcs/cluster_keys");

TEST_CASE("a prefix has one slash between its parts and one at each end")
{
    CHECK(key_prefix("service", "demo", std::nullopt) == "/service/demo/");
    CHECK(key_prefix("/service", "demo", std::nullopt) == "/service/demo/");
    CHECK(key_prefix("//service//x/", "/demo/", std::nullopt) == "/service/x/demo/");
    CHECK(key_prefix("/service/", "demo", 0) == "/service/demo/0/");
    CHECK(key_prefix("/service/", "demo", 12) == "/service/demo/12/");
    CHECK(key_prefix("", "demo", std::nullopt) == "/demo/");
    CHECK(key_prefix("/", "demo", std::nullopt) == "/demo/");
}

// Keys and /cluster of one Patroni 3.0.2 at the same moment.
TEST_CASE("real keys make the listing that Patroni makes of them")
{
    const std::string config =
        R"({"ttl":20,"loop_wait":3,"retry_timeout":3,"maximum_lag_on_failover":1048576,)";
    const std::string at = R"("xlog_location":67108864,"timeline":1)";
    auto keys = keys_of(
        {{"config",
          config + R"("synchronous_mode":false,"failsafe_mode":false,)"
                   R"("postgresql":{"use_slots":true,"parameters":{"max_connections":300}}})"},
         {"failover",
          R"({"leader":"pg-1","member":"pg-2",)"
          R"("scheduled_at":"2030-01-01T10:00:00+00:00"})"},
         {"initialize", "7710759744405515721"},
         {"members/pg-3", member_key(3, "replica", at)},
         {"members/pg-1", member_key(1, "master", at)},
         {"members/pg-2", member_key(2, "replica", at)},
         {"status", R"({"optime":67108864})"}}
    );
    keys.put({"leader", "pg-1", 8637519257461413132});

    const auto scheduled = keys.state();
    const auto said = patroni::decode_cluster(
        R"({"members": [)" + listed(1, "leader", "") + "," + listed(2, "replica", R"(,"lag": 0)") +
        "," + listed(3, "replica", R"(,"lag": 0)") +
        R"(], "scheduled_switchover": {"at": "2030-01-01T10:00:00+00:00", "from": "pg-1",)"
        R"( "to": "pg-2"}})"
    );
    REQUIRE(said.has_value());
    CHECK(scheduled.listing == *said);
    REQUIRE(scheduled.listing.switchover.has_value());
    const planned_switchover plan{"pg-1", "pg-2", "2030-01-01T10:00:00+00:00"};
    CHECK(*scheduled.listing.switchover == plan);
    CHECK(scheduled.leader == "pg-1");
    CHECK(scheduled.leader_lease == 8637519257461413132);
    CHECK(scheduled.ttl == std::chrono::seconds(20));
    CHECK_FALSE(scheduled.failsafe_mode);

    // The same cluster later: synchronous, paused, no switchover any more.
    keys.put(
        {"config",
         config + R"("synchronous_mode":true,"failsafe_mode":true,"postgresql":{},"pause":true})"}
    );
    keys.put({"failover", "{}"});
    keys.put({"failsafe", R"({"pg-1":"http://127.0.6.11:8008/patroni"})"});
    keys.put({"sync", R"({"leader":"pg-1","sync_standby":"pg-2"})"});
    const auto paused = keys.state();
    const auto says = patroni::decode_cluster(
        R"({"members": [)" + listed(1, "leader", "") + "," +
        listed(2, "sync_standby", R"(,"lag": 0)") + "," + listed(3, "replica", R"(,"lag": 0)") +
        R"(], "pause": true})"
    );
    REQUIRE(says.has_value());
    CHECK(paused.listing == *says);
    CHECK(paused.failsafe_mode);
    CHECK(keys.find("failsafe") == nullptr);
}

TEST_CASE("a scheduled switchover of GET /cluster names somebody, or is none")
{
    const auto plan = [](const std::string& said)
    {
        const auto listing =
            patroni::decode_cluster(R"({"members":[],"scheduled_switchover":)" + said + "}");
        REQUIRE(listing.has_value());
        return listing->switchover;
    };
    CHECK(plan(R"({"at":"T","from":"a","to":"b"})") == planned_switchover{"a", "b", "T"});
    CHECK(plan(R"({"at":"T","from":"a"})") == planned_switchover{"a", "", "T"});
    CHECK(plan(R"({"at":"T","to":"b"})") == planned_switchover{"", "b", "T"});
    for (const auto* none : {R"({"at":"T"})", "{}", "null", "1", "[]", R"({"from":1,"to":"\n"})"})
    {
        CAPTURE(none);
        CHECK_FALSE(plan(none).has_value());
    }
}

TEST_CASE("a holder without a key of its own is listed under its name, in its place")
{
    auto keys = keys_of({{"leader", "pg-2"}, {"members/pg-1", "{}"}, {"members/pg-3", "{}"}});
    const auto s = keys.state();
    REQUIRE(s.listing.members.size() == 3);
    listed_member expected;
    expected.name = "pg-2";
    expected.holds_lock = true;
    expected.role = member_role::primary;
    expected.role_text = "leader";
    CHECK(s.listing.members[1] == expected);
    CHECK(s.listing.leader() == &s.listing.members[1]);

    keys.erase("leader");
    CHECK(keys.state().leader.empty());
    CHECK(keys.state().listing.leader() == nullptr);
    CHECK(keys.state().listing.members.size() == 2);

    keys.clear();
    CHECK(keys.state() == cluster_state{});
}

TEST_CASE("a leader key that names nobody counts as absent")
{
    for (const auto& value : {std::string(), std::string("a\nb"), std::string(256, 'x')})
    {
        const auto s = keys_of({{"leader", value}, {"members/pg-1", "{}"}}).state();
        CHECK(s.leader.empty());
        CHECK(s.listing.leader() == nullptr);
    }
}

TEST_CASE("a member says what it says, and what cannot be read is absent")
{
    const auto m = member_with(
        R"("conn_url":"postgres://[fd00::1]:5433/postgres","api_url":"http://[fd00::1]:8008/patroni",)"
        R"("state":"running","role":"replica","replication_state":"in archive recovery",)"
        R"("timeline":5,"tags":{"noloadbalance":true})"
    );
    CHECK(m.host == "fd00::1");
    CHECK(m.port == 5433);
    CHECK(m.api_url == "http://[fd00::1]:8008/patroni");
    CHECK(m.state_text == "in archive recovery");
    CHECK(m.state == member_state::running);
    CHECK(m.role == member_role::replica);
    CHECK(m.role_text == "replica");
    CHECK(m.timeline == 5);
    CHECK(m.noloadbalance);

    CHECK(member_with(R"("state":"stopping")").state == member_state::stopping);
    CHECK(member_with(R"("state":1,"conn_url":1,"tags":[],"timeline":-1)").host.empty());
    CHECK(member_with(R"("conn_url":"postgres://a%0ab:1/")").host.empty());
    CHECK(member_with(R"("conn_url":"postgres://a%0ab:1/")").port == 0);
    // A leader's replication_state, left over, is not its state.
    const auto s =
        keys_of({{"leader", "pg-1"},
                 {"members/pg-1", R"({"state":"running","replication_state":"streaming"})"}}
        ).state();
    CHECK(s.listing.members.at(0).state_text == "running");
}

TEST_CASE("a member may name the pooler beside it")
{
    const auto m = member_with(R"("conn_url":"postgres://10.0.0.1:5432/postgres",)"
                               R"("proxy_url":"postgres://10.0.0.1:6432/postgres")");
    CHECK(m.pooler == rolegate::config::host_port{"10.0.0.1", 6432});
    CHECK(m.port == 5432);
    for (const std::string url :
         {R"("")", "1", R"("http://10.0.0.1:6432/")", R"("postgres://a%0ab:1/")"})
        CHECK(member_with(R"("proxy_url":)" + url).pooler.host.empty());
}

TEST_CASE("a member's key that is no JSON is its address, as it once was")
{
    const auto s = keys_of({{"members/pg-1",
                             "postgres://r:x@127.0.0.1:5433/postgres"
                             "?application_name=http://127.0.0.1:8008/patroni"},
                            {"members/pg-2", "garbage"},
                            {"members/pg-3", ""},
                            {"members/pg-4", "[]"}}
    ).state();
    REQUIRE(s.listing.members.size() == 4);
    CHECK(s.listing.members[0].host == "127.0.0.1");
    CHECK(s.listing.members[0].port == 5433);
    CHECK(s.listing.members[0].api_url == "http://127.0.0.1:8008/patroni");
    for (int i = 1; i < 4; ++i)
        CHECK(s.listing.members[static_cast<std::size_t>(i)].host.empty());
}

TEST_CASE("a lag is what is between the leader's position and the member's")
{
    const struct
    {
        const char* status; // "": no key
        const char* optime;
        const char* member;
        std::optional<std::int64_t> lag;
    } rows[] = {
        {R"({"optime":100})", "", R"({"xlog_location":40})", 60},
        {R"({"optime":100})", "", R"({"xlog_location":100})", 0},
        {R"({"optime":100})", "", R"({"xlog_location":101})", 0},
        {R"({"optime":100})", "", "{}", std::nullopt},
        {R"({"optime":"100"})", "", R"({"xlog_location":40})", 60},
        {R"({"optime":100,"slots":{"pg_2":50}})", "70", R"({"xlog_location":40})", 60},
        {"", "70", R"({"xlog_location":40})", 30},
        {"", " 70\n", R"({"xlog_location":40})", 30},
        {"{}", "70", R"({"xlog_location":40})", 30},
        {"garbage", "70", R"({"xlog_location":40})", 30},
        {"", "", R"({"xlog_location":40})", std::nullopt},
        {"", "x", R"({"xlog_location":40})", std::nullopt},
        {"", "-1", R"({"xlog_location":40})", std::nullopt},
        {R"({"optime":100})", "", R"({"xlog_location":-1})", std::nullopt},
        {R"({"optime":9223372036854775807})", "", R"({"xlog_location":0})", 9223372036854775807},
        {R"({"optime":9223372036854775808})", "", R"({"xlog_location":0})", std::nullopt},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.status);
        CAPTURE(row.optime);
        CAPTURE(row.member);
        auto keys = keys_of({{"leader", "pg-1"}, {"members/pg-1", row.member}});
        keys.put({"members/pg-2", row.member});
        if (*row.status != '\0')
            keys.put({"status", row.status});
        if (*row.optime != '\0')
            keys.put({"optime/leader", row.optime});
        const auto members = keys.state().listing.members;
        CHECK_FALSE(members.at(0).lag_bytes.has_value()); // the leader's
        CHECK(members.at(1).lag_bytes == row.lag);
    }
}

TEST_CASE("the leader of a standby cluster is a standby leader")
{
    CHECK(leader_role_with("{}") == "leader");
    CHECK(leader_role_with("garbage") == "leader");
    CHECK(leader_role_with(R"({"standby_cluster":null})") == "leader");
    CHECK(leader_role_with(R"({"standby_cluster":{}})") == "leader");
    CHECK(
        leader_role_with(R"({"standby_cluster":{"host":"","create_replica_methods":[]}})") ==
        "leader"
    );
    CHECK(leader_role_with(R"({"standby_cluster":{"host":"10.0.0.9"}})") == "standby_leader");
    CHECK(leader_role_with(R"({"standby_cluster":{"port":5432}})") == "standby_leader");
    CHECK(
        leader_role_with(
            R"({"standby_cluster":{"restore_command":")" + std::string(300, 'x') + "\"}}"
        ) == "standby_leader"
    );
}

TEST_CASE("synchronous standbys are shown while the mode is on")
{
    const struct
    {
        const char* mode;
        const char* sync;
        const char* roles; // of pg-2 and pg-3
    } rows[] = {
        {"true", R"({"leader":"pg-1","sync_standby":"pg-2"})", "sync_standby replica"},
        {"\"on\"", R"({"sync_standby":"pg-2, pg-3"})", "sync_standby sync_standby"},
        {"\"quorum\"",
         R"({"sync_standby":"pg-2,pg-3","quorum":1})",
         "quorum_standby quorum_standby"},
        {"\"Quorum\"", R"({"sync_standby":"pg-2","quorum":0})", "quorum_standby replica"},
        {"false", R"({"leader":"pg-1","sync_standby":"pg-2"})", "replica replica"},
        {"null", R"({"leader":"pg-1","sync_standby":"pg-2"})", "replica replica"},
        {"true", R"({"leader":"pg-1","sync_standby":null})", "replica replica"},
        {"true", R"({"leader":"pg-1","sync_standby":",,"})", "replica replica"},
        {"true", "{}", "replica replica"},
        {"true", "garbage", "replica replica"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.mode);
        CAPTURE(row.sync);
        const auto members =
            keys_of({{"leader", "pg-1"},
                     {"members/pg-1", "{}"},
                     {"members/pg-2", "{}"},
                     {"members/pg-3", "{}"},
                     {"sync", row.sync},
                     {"config", std::string(R"({"synchronous_mode":)") + row.mode + "}"}})
                .state()
                .listing.members;
        CHECK(members.at(0).role_text == "leader");
        CHECK(members.at(1).role_text + " " + members.at(2).role_text == row.roles);
        CHECK(members.at(1).role == member_role::replica);
    }
}

TEST_CASE("a request for a switchover names somebody, or is done")
{
    CHECK(plan_in(R"({"leader":"a","member":"b"})") == planned_switchover{"a", "b", ""});
    CHECK(plan_in(R"({"member":"b"})") == planned_switchover{"", "b", ""});
    CHECK(plan_in(R"({"leader":"a","member":null})") == planned_switchover{"a", "", ""});
    CHECK(plan_in("a:b") == planned_switchover{"a", "b", ""});
    CHECK(plan_in(" a : b \n") == planned_switchover{"a", "b", ""});
    CHECK(plan_in("a:") == planned_switchover{"a", "", ""});
    CHECK(plan_in(":b") == planned_switchover{"", "b", ""});
    CHECK(plan_in("a:b:c") == planned_switchover{"a", "b", ""});
    for (const auto* none :
         {"",
          "{}",
          "null",
          "1",
          "[]",
          ":",
          "\"a:b\"",
          "{\"a\":",
          "a\nb:\n",
          R"({"scheduled_at":"2030-01-01T10:00:00+00:00"})"})
    {
        CAPTURE(none);
        CHECK_FALSE(plan_in(none).has_value());
    }
}

TEST_CASE("a ttl out of its bounds is not known")
{
    const auto ttl = [](const char* config) { return keys_of({{"config", config}}).state().ttl; };
    CHECK(ttl(R"({"ttl":"30"})") == std::chrono::seconds(30));
    for (const auto* config : {"{}", "garbage", "", R"({"ttl":0})", R"({"ttl":86400})"})
    {
        CAPTURE(config);
        CHECK_FALSE(ttl(config).has_value());
    }
}

TEST_CASE("keys that mean nothing here are not kept")
{
    for (const auto* key :
         {"",
          "leader/",
          "Leader",
          "members",
          "members/",
          "members/a/b",
          "history",
          "failsafe",
          "0/leader",
          "members/a\nb",
          "optime",
          "status/x"})
    {
        CAPTURE(key);
        const auto keys = keys_of({{key, "x"}});
        CHECK(keys.find(key) == nullptr);
        CHECK(keys.state() == cluster_state{});
    }
    const auto keys = keys_of({{"initialize", ""}});
    CHECK(keys.find("initialize") != nullptr);
}

TEST_CASE("members and values are bounded")
{
    cluster_keys keys;
    for (std::size_t i = 0; i < patroni::max_members + 10; ++i)
        keys.put({"members/m" + std::to_string(i), "{}"});
    CHECK(keys.state().listing.members.size() == patroni::max_members);
    // One goes, one may come; putting anew what is there is no coming.
    keys.put({"members/m0", R"({"state":"running"})"});
    CHECK(keys.state().listing.find("m0")->state == member_state::running);
    keys.erase("members/m0");
    keys.erase("members/m0");
    keys.put({"members/new", "{}"});
    keys.put({"members/newer", "{}"});
    CHECK(keys.find("members/new") != nullptr);
    CHECK(keys.find("members/newer") == nullptr);
    keys.put({"leader", "new"});
    CHECK(keys.state().leader == "new");

    // What was true before a value became too long is true no more.
    keys.put({"leader", std::string(2'000'000, 'x')});
    CHECK(keys.find("leader") == nullptr);
    keys.put({"members/new", std::string(100'000, ' ')});
    CHECK(keys.find("members/new") == nullptr);
}

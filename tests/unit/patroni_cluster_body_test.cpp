// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/cluster_body.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using rolegate::health::patroni::decode_cluster;
using rolegate::health::patroni::max_members;

namespace
{

cluster_listing decoded(std::string_view body)
{
    const auto result = decode_cluster(body);
    INFO(body);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error()));
    return *result;
}

// The only member of a listing, named pg1, with `fields` besides.
listed_member with(const std::string& fields)
{
    auto listing = decoded(R"({"members":[{"name":"pg1",)" + fields + "}]}");
    REQUIRE(listing.members.size() == 1);
    return listing.members.front();
}

std::string members_named(const std::vector<std::string>& names)
{
    std::string body = R"({"members":[)";
    for (std::size_t i = 0; i < names.size(); ++i)
        body += (i == 0 ? R"({"name":")" : R"(,{"name":")") + names[i] + R"(","role":"replica"})";
    return body + "]}";
}

} // namespace

TEST_SUITE_BEGIN("patroni/cluster_body");

TEST_CASE("a listing of Patroni 1.6 has running replicas and no scope")
{
    const auto listing = decoded(R"({"members": [
        {"name": "pg1", "host": "10.0.0.1", "port": 5432, "role": "leader", "state": "running",
         "api_url": "http://10.0.0.1:8008/patroni", "timeline": 2},
        {"name": "pg2", "host": "10.0.0.2", "port": 5432, "role": "replica", "state": "running",
         "api_url": "http://10.0.0.2:8008/patroni", "timeline": 2, "lag": 16777216}]})");

    listed_member pg1;
    pg1.name = "pg1";
    pg1.holds_lock = true;
    pg1.role = member_role::primary;
    pg1.state = member_state::running;
    pg1.role_text = "leader";
    pg1.state_text = "running";
    pg1.host = "10.0.0.1";
    pg1.port = 5432;
    pg1.api_url = "http://10.0.0.1:8008/patroni";
    pg1.timeline = 2;
    listed_member pg2 = pg1;
    pg2.name = "pg2";
    pg2.holds_lock = false;
    pg2.role = member_role::replica;
    pg2.role_text = "replica";
    pg2.host = "10.0.0.2";
    pg2.api_url = "http://10.0.0.2:8008/patroni";
    pg2.lag_bytes = 16777216;
    const cluster_listing expected{{pg1, pg2}, "", false, {}};
    CHECK(listing == expected);
}

TEST_CASE("a listing of Patroni 2.1 names a synchronous standby and one of unknown lag")
{
    const auto listing = decoded(R"({"members": [
        {"name": "pg1", "role": "leader", "state": "running",
         "api_url": "http://10.0.0.1:8008/patroni", "host": "10.0.0.1", "port": 5432,
         "timeline": 2},
        {"name": "pg2", "role": "sync_standby", "state": "running",
         "api_url": "http://10.0.0.2:8008/patroni", "host": "10.0.0.2", "port": 5432,
         "timeline": 2, "lag": 0},
        {"name": "pg3", "role": "replica", "state": "creating replica",
         "api_url": "http://10.0.0.3:8008/patroni", "host": "10.0.0.3", "port": 5432,
         "tags": {"noloadbalance": true}, "lag": "unknown"}]})");

    REQUIRE(listing.members.size() == 3);
    CHECK(listing.members[1].role == member_role::replica);
    CHECK(listing.members[1].role_text == "sync_standby");
    CHECK(listing.members[1].lag_bytes == 0);
    CHECK(listing.members[2].state == member_state::starting);
    CHECK_FALSE(listing.members[2].lag_bytes.has_value());
    CHECK_FALSE(listing.members[2].timeline.has_value());
    CHECK(listing.members[2].noloadbalance);
}

TEST_CASE("a listing of Patroni 3.0.2 may be paused and have a switchover ahead")
{
    const auto listing = decoded(R"({"members": [
        {"name": "pg1", "role": "leader", "state": "running",
         "api_url": "http://127.0.1.1:8008/patroni", "host": "127.0.1.1", "port": 5432,
         "timeline": 1, "pending_restart": true}],
        "pause": true,
        "scheduled_switchover": {"at": "2026-01-01T10:36:00+02:00", "from": "pg1", "to": "pg2"}})");

    CHECK(listing.pause);
    CHECK(listing.scope == "");
    REQUIRE(listing.members.size() == 1);
    CHECK(listing.members[0].holds_lock);
}

TEST_CASE("a listing of Patroni 3.3 has streaming replicas and its scope")
{
    const auto listing = decoded(R"({"members": [
        {"name": "pg1", "role": "leader", "state": "running",
         "api_url": "https://10.0.0.1:8008/patroni", "host": "10.0.0.1", "port": 5432,
         "timeline": 5},
        {"name": "pg2", "role": "replica", "state": "streaming",
         "api_url": "https://10.0.0.2:8008/patroni", "host": "10.0.0.2", "port": 5432,
         "timeline": 5, "lag": 0},
        {"name": "pg3", "role": "replica", "state": "in archive recovery",
         "api_url": "https://10.0.0.3:8008/patroni", "host": "10.0.0.3", "port": 5432,
         "timeline": 5, "lag": 33554432}],
        "scope": "demo"})");

    CHECK(listing.scope == "demo");
    REQUIRE(listing.members.size() == 3);
    CHECK(listing.members[1].state == member_state::running);
    CHECK(listing.members[1].state_text == "streaming");
    CHECK(listing.members[2].state == member_state::running);
    CHECK(listing.members[2].lag_bytes == 33554432);
}

TEST_CASE("a listing of Patroni 4.0 of a standby cluster has a standby leader")
{
    const auto listing = decoded(R"({"members": [
        {"name": "pg1", "role": "standby_leader", "state": "streaming",
         "api_url": "http://10.0.0.1:8008/patroni", "host": "10.0.0.1", "port": 5432,
         "timeline": 5},
        {"name": "pg2", "role": "replica", "state": "streaming",
         "api_url": "http://10.0.0.2:8008/patroni", "host": "10.0.0.2", "port": 5432,
         "timeline": 5, "lag": 0}], "scope": "demo"})");

    REQUIRE(listing.members.size() == 2);
    CHECK(listing.members[0].holds_lock);
    CHECK(listing.members[0].role == member_role::standby_leader);
    CHECK_FALSE(listing.members[1].holds_lock);
}

TEST_CASE("a listing of Patroni 4.1 has more kinds of lag and quorum standbys")
{
    const auto listing = decoded(R"({"members": [
        {"name": "pg1", "role": "leader", "state": "running",
         "api_url": "http://10.0.0.1:8008/patroni", "host": "10.0.0.1", "port": 5432,
         "timeline": 5, "tags": {}},
        {"name": "pg2", "role": "quorum_standby", "state": "streaming",
         "api_url": "http://10.0.0.2:8008/patroni", "host": "10.0.0.2", "port": 5432,
         "timeline": 5, "lag": 128, "lsn": "0/4000060", "receive_lag": 0,
         "receive_lsn": "0/4000060", "replay_lag": 128, "replay_lsn": "0/3FFFFE0"},
        {"name": "pg3", "role": "quorum_standby", "state": "stopped",
         "api_url": "http://10.0.0.3:8008/patroni", "host": "10.0.0.3", "port": 5432,
         "lag": "unknown", "lsn": "unknown", "receive_lag": "unknown", "receive_lsn": "unknown",
         "replay_lag": "unknown", "replay_lsn": "unknown"}],
        "scope": "demo"})");

    REQUIRE(listing.members.size() == 3);
    CHECK(listing.members[1].role == member_role::replica);
    CHECK(listing.members[1].lag_bytes == 128);
    CHECK(listing.members[2].state == member_state::stopped);
    CHECK_FALSE(listing.members[2].lag_bytes.has_value());
}

TEST_CASE("without a leader key nobody holds the lock")
{
    const auto listing = decoded(members_named({"pg1", "pg2"}));

    REQUIRE(listing.members.size() == 2);
    CHECK_FALSE(listing.members[0].holds_lock);
    CHECK_FALSE(listing.members[1].holds_lock);
}

TEST_CASE("a listing may be empty")
{
    CHECK(decoded(R"({"members":[]})") == cluster_listing{});
}

TEST_CASE("only leader and standby_leader hold the lock")
{
    const struct
    {
        const char* text;
        member_role role;
        bool holds_lock;
    } rows[] = {
        {"leader", member_role::primary, true},
        {"standby_leader", member_role::standby_leader, true},
        {"sync_standby", member_role::replica, false},
        {"quorum_standby", member_role::replica, false},
        {"replica", member_role::replica, false},
        {"primary", member_role::unknown, false},
        {"master", member_role::unknown, false},
        {"Leader", member_role::unknown, false},
        {"", member_role::unknown, false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.text);
        const auto m = with(std::string(R"("role":")") + row.text + '"');
        CHECK(m.role == row.role);
        CHECK(m.holds_lock == row.holds_lock);
        CHECK(m.role_text == row.text);
    }
    CHECK_FALSE(with(R"("role":["leader"])").holds_lock);
}

TEST_CASE("an empty state, as of a member that has not said one, is unknown")
{
    CHECK(with(R"("state":"")").state == member_state::unknown);
    CHECK(with(R"("state":null)").state == member_state::unknown);
    CHECK(with(R"("role":"replica")").state == member_state::unknown);
}

TEST_CASE("a host loses the brackets of an IPv6 address and nothing else")
{
    const struct
    {
        const char* said;
        const char* host;
    } rows[] = {
        {R"("10.0.0.1")", "10.0.0.1"},
        {R"("pg1.example.com")", "pg1.example.com"},
        {R"("[2001:db8::1]")", "2001:db8::1"},
        {R"("2001:db8::1")", "2001:db8::1"},
        {R"("[]")", ""},
        {R"("[")", "["},
        {R"("[::1")", "[::1"},
        {R"("")", ""},
        {"null", ""},
        {"5", ""},
        {R"("10.0.0.1\n")", ""},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.said);
        CHECK(with(std::string(R"("host":)") + row.said).host == row.host);
    }
}

TEST_CASE("a port is a number from 1 to 65535, also in quotes, or nothing")
{
    const struct
    {
        const char* said;
        std::uint16_t port;
    } rows[] = {
        {"5432", 5432},
        {R"("5432")", 5432},
        {"1", 1},
        {"65535", 65535},
        {"65536", 0},
        {"0", 0},
        {"-5432", 0},
        {R"("-5432")", 0},
        {R"("65536")", 0},
        {R"("5432x")", 0},
        {R"(" 5432")", 0},
        {R"("+5432")", 0},
        {R"("99999999999999999999")", 0},
        {R"("")", 0},
        {"5432.0", 0},
        {"null", 0},
        {"[5432]", 0},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.said);
        CHECK(with(std::string(R"("port":)") + row.said).port == row.port);
    }
}

TEST_CASE("an unknown, negative or odd lag is not a lag of zero")
{
    CHECK(with(R"("lag":0)").lag_bytes == 0);
    CHECK(with(R"("lag":9223372036854775807)").lag_bytes == 9223372036854775807);
    for (const char* odd :
         {R"("unknown")", R"("0")", "-1", "null", "1.5", "18446744073709551615", "[]"})
    {
        CAPTURE(odd);
        CHECK_FALSE(with(std::string(R"("lag":)") + odd).lag_bytes.has_value());
    }
    CHECK_FALSE(with(R"("role":"replica")").lag_bytes.has_value());
}

TEST_CASE("odd timelines and addresses are absent")
{
    const auto m = with(R"("timeline":"5","api_url":null,"tags":[1],"host":{},"state":1)");

    listed_member expected;
    expected.name = "pg1";
    CHECK(m == expected);
}

TEST_CASE("a member that cannot be named is left out")
{
    const std::string longest(255, 'n');
    const auto listing = decoded(
        R"({"members":[null,5,"pg0",[],{},{"role":"replica"},{"name":""},{"name":null},)"
        R"({"name":5},{"name":"pg\u0000"},{"name":"pg\n1"},{"name":"\u001b[31mpg"},)"
        R"({"name":")" +
        longest + R"(x"},{"name":")" + longest + R"("},{"name":"pg1"}]})"
    );

    REQUIRE(listing.members.size() == 2);
    CHECK(listing.members[0].name == longest);
    CHECK(listing.members[1].name == "pg1");
}

TEST_CASE("a listing that contradicts itself is an error")
{
    const struct
    {
        std::string body;
        const char* error;
    } rows[] = {
        {members_named({"pg1", "pg2", "pg1"}), "member 'pg1' is listed twice"},
        {R"({"members":[{"name":"pg1","role":"leader"},{"name":"pg2","role":"leader"}]})",
         "both 'pg1' and 'pg2' are listed as leader"},
        {R"({"members":[{"name":"a","role":"standby_leader"},{"name":"b","role":"leader"}]})",
         "both 'a' and 'b' are listed as leader"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.body);
        const auto result = decode_cluster(row.body);
        REQUIRE(result.has_error());
        CHECK(result.error() == row.error);
    }
}

TEST_CASE("a thousand members are a cluster, one more is not")
{
    std::vector<std::string> names;
    for (std::size_t i = 0; i < max_members; ++i)
        names.push_back("pg" + std::to_string(i));
    CHECK(decoded(members_named(names)).members.size() == max_members);

    names.push_back("one-more");
    const auto result = decode_cluster(members_named(names));
    REQUIRE(result.has_error());
    CHECK(result.error() == "the body lists more than 1000 members");
}

TEST_CASE("a body that is not a listing is an error in words")
{
    const struct
    {
        const char* body;
        const char* error;
    } rows[] = {
        {"", "the body is empty"},
        {"[]", "the body is JSON, but not an object"},
        {"{}", "the body has no list of 'members'"},
        {R"({"members":{}})", "the body has no list of 'members'"},
        {R"({"members":null})", "the body has no list of 'members'"},
        {R"({"state":"running","role":"primary"})", "the body has no list of 'members'"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.body);
        const auto result = decode_cluster(row.body);
        REQUIRE(result.has_error());
        CHECK(result.error() == row.error);
    }
    CHECK(decode_cluster("<html>").error().starts_with("the body is not JSON ("));
}

TEST_SUITE_END();

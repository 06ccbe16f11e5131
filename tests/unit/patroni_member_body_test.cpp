// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/member_body.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using rolegate::health::patroni::decode_member;
using rolegate::health::patroni::role_from;
using rolegate::health::patroni::state_from;

namespace
{

member_word decoded(std::string_view body)
{
    const auto result = decode_member(body);
    INFO(body);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error()));
    return *result;
}

// A body that has nothing but `fields`, to which a legal state is added.
member_word with(const std::string& fields)
{
    return decoded(R"({"state":"running","role":"replica",)" + fields + "}");
}

} // namespace

TEST_SUITE_BEGIN("patroni/member_body");

TEST_CASE("a primary of Patroni 1.6 says master and always cluster_unlocked")
{
    const auto word = decoded(R"({
        "state": "running", "postmaster_start_time": "2020-03-05 09:40:13.184 UTC",
        "role": "master", "server_version": 110007, "cluster_unlocked": false,
        "xlog": {"location": 67108960}, "timeline": 1,
        "replication": [{"usename": "replicator", "application_name": "pg2",
            "client_addr": "10.0.0.2", "state": "streaming", "sync_state": "async",
            "sync_priority": 0}],
        "database_system_identifier": "6800576871312572444",
        "patroni": {"version": "1.6.4", "scope": "demo"}})");

    member_word expected;
    expected.state = member_state::running;
    expected.role = member_role::primary;
    expected.state_text = "running";
    expected.role_text = "master";
    expected.timeline = 1;
    expected.lsn = 67108960;
    expected.database_system_identifier = "6800576871312572444";
    expected.patroni_version = "1.6.4";
    expected.scope = "demo";
    CHECK(word == expected);
}

TEST_CASE("a primary of Patroni 2.1 says master and its tags")
{
    const auto word = decoded(R"({
        "state": "running", "postmaster_start_time": "2022-11-02 14:21:08.550231+00:00",
        "role": "master", "server_version": 140005, "xlog": {"location": 100663296},
        "timeline": 3, "dcs_last_seen": 1667398892, "tags": {"noloadbalance": true},
        "database_system_identifier": "7161428519431282763",
        "patroni": {"version": "2.1.4", "scope": "demo"}})");

    CHECK(word.role == member_role::primary);
    CHECK(word.timeline == 3);
    CHECK(word.lsn == 100663296);
    CHECK(word.noloadbalance);
    CHECK_FALSE(word.cluster_unlocked);
    CHECK(word.name == "");
}

TEST_CASE("a synchronous replica of Patroni 3.0.2 says sync_standby and no replication_state")
{
    const auto word = decoded(R"({
        "state": "running", "postmaster_start_time": "2024-08-28 19:39:26.352526+00:00",
        "role": "replica", "server_version": 150013,
        "xlog": {"received_location": 83886456, "replayed_location": 83886400,
                 "replayed_timestamp": null, "paused": false},
        "sync_standby": true, "timeline": 2, "dcs_last_seen": 1724874000,
        "database_system_identifier": "7408216395180158996",
        "patroni": {"version": "3.0.2", "scope": "demo"}})");

    member_word expected;
    expected.state = member_state::running;
    expected.role = member_role::replica;
    expected.state_text = "running";
    expected.role_text = "replica";
    expected.timeline = 2;
    expected.lsn = 83886400;
    expected.received_lsn = 83886456;
    expected.sync_standby = true;
    expected.database_system_identifier = "7408216395180158996";
    expected.patroni_version = "3.0.2";
    expected.scope = "demo";
    CHECK(word == expected);
}

TEST_CASE("a replica of Patroni 3.3 says how it replicates and its own name")
{
    const auto word = decoded(R"({
        "state": "running", "postmaster_start_time": "2024-08-28 19:39:26.352526+00:00",
        "role": "replica", "server_version": 160004,
        "xlog": {"received_location": 67395656, "replayed_location": 67395656,
                 "replayed_timestamp": "2024-08-28 19:40:01.000000+00:00", "paused": false},
        "timeline": 5, "replication_state": "streaming", "dcs_last_seen": 1724874000,
        "pending_restart": true,
        "pending_restart_reason": {"max_connections": {"old_value": "100", "new_value": "200"}},
        "tags": {"clonefrom": true, "nofailover": true},
        "database_system_identifier": "7408216395180158996",
        "patroni": {"version": "3.3.2", "scope": "demo", "name": "pg2"}})");

    CHECK(word.role == member_role::replica);
    CHECK(word.replication_state == "streaming");
    CHECK(word.lsn == 67395656);
    CHECK(word.name == "pg2");
    CHECK_FALSE(word.noloadbalance);
}

TEST_CASE("a primary of Patroni 4.0 says primary, and failsafe mode and pause while they last")
{
    const auto word = decoded(R"({
        "state": "running", "postmaster_start_time": "2025-01-10 08:00:00.000001+00:00",
        "role": "primary", "server_version": 170002, "xlog": {"location": 50331648},
        "timeline": 7, "cluster_unlocked": true, "failsafe_mode_is_active": true, "pause": true,
        "dcs_last_seen": 1736496000,
        "database_system_identifier": "7457902831122874386",
        "patroni": {"version": "4.0.4", "scope": "demo", "name": "pg1"}})");

    CHECK(word.role == member_role::primary);
    CHECK(word.role_text == "primary");
    CHECK(word.cluster_unlocked);
    CHECK(word.failsafe_mode_is_active);
    CHECK(word.pause);
}

TEST_CASE("a quorum replica of Patroni 4.1 says quorum_standby")
{
    const auto word = decoded(R"({
        "state": "running", "postmaster_start_time": "2026-02-01 08:00:00.000001+00:00",
        "role": "replica", "server_version": 180001,
        "xlog": {"received_location": 50331784, "replayed_location": 50331648,
                 "replayed_timestamp": null, "paused": false},
        "quorum_standby": true, "timeline": 7, "replication_state": "in archive recovery",
        "dcs_last_seen": 1769932800,
        "database_system_identifier": "7457902831122874386",
        "patroni": {"version": "4.1.0", "scope": "demo", "name": "pg3"}})");

    CHECK(word.quorum_standby);
    CHECK_FALSE(word.sync_standby);
    CHECK(word.replication_state == "in archive recovery");
    CHECK(word.lsn == 50331648);
}

TEST_CASE("a leader of a standby cluster says standby_leader and what it has replayed")
{
    const auto word = decoded(R"({
        "state": "running", "role": "standby_leader", "server_version": 160004,
        "xlog": {"received_location": 67395656, "replayed_location": 67395000,
                 "replayed_timestamp": null, "paused": false},
        "timeline": 5, "patroni": {"version": "3.3.2", "scope": "demo", "name": "pg1"}})");

    CHECK(word.role == member_role::standby_leader);
    CHECK(word.lsn == 67395000);
}

TEST_CASE("while PostgreSQL does not answer, Patroni speaks from memory")
{
    const auto word = decoded(R"({
        "state": "stopped", "role": "demoted", "cluster_unlocked": true,
        "dcs_last_seen": 1736496000, "database_system_identifier": "7457902831122874386",
        "patroni": {"version": "4.0.4", "scope": "demo", "name": "pg1"}})");

    CHECK(word.state == member_state::stopped);
    CHECK(word.role == member_role::unknown);
    CHECK(word.role_text == "demoted");
    CHECK_FALSE(word.timeline.has_value());
    CHECK_FALSE(word.lsn.has_value());
    CHECK(word.patroni_version == "4.0.4");
}

TEST_CASE("every word for a state is known, any other means unknown")
{
    const struct
    {
        const char* text;
        member_state state;
    } rows[] = {
        {"running", member_state::running},
        {"streaming", member_state::running},
        {"in archive recovery", member_state::running},
        {"starting", member_state::starting},
        {"restarting", member_state::starting},
        {"creating replica", member_state::starting},
        {"initializing new cluster", member_state::starting},
        {"running custom bootstrap script", member_state::starting},
        {"starting after custom bootstrap", member_state::starting},
        {"stopping", member_state::stopping},
        {"stopped", member_state::stopped},
        {"stop failed", member_state::stopped},
        {"start failed", member_state::stopped},
        {"restart failed", member_state::stopped},
        {"initdb failed", member_state::stopped},
        {"custom bootstrap failed", member_state::stopped},
        {"crashed", member_state::crashed},
        {"", member_state::unknown},
        {"unknown", member_state::unknown},
        {"Running", member_state::unknown},
        {"running ", member_state::unknown},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.text);
        CHECK(state_from(row.text) == row.state);
        const auto body = std::string(R"({"state":")") + row.text + R"("})";
        CHECK(decoded(body).state == row.state);
        CHECK(decoded(body).state_text == row.text);
    }
}

TEST_CASE("every word for a role is known, any other means unknown")
{
    const struct
    {
        const char* text;
        member_role role;
    } rows[] = {
        {"master", member_role::primary},
        {"primary", member_role::primary},
        {"replica", member_role::replica},
        {"standby_leader", member_role::standby_leader},
        {"demoted", member_role::unknown},
        {"promoted", member_role::unknown},
        {"uninitialized", member_role::unknown},
        {"leader", member_role::unknown},
        {"sync_standby", member_role::unknown},
        {"Primary", member_role::unknown},
        {"", member_role::unknown},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.text);
        CHECK(role_from(row.text) == row.role);
    }
}

TEST_CASE("a timeline is a number from 1 to 2^32-1 or nothing")
{
    CHECK(with(R"("timeline":1)").timeline == 1);
    CHECK(with(R"("timeline":4294967295)").timeline == 4294967295);
    for (const char* odd :
         {"null",
          "0",
          "-1",
          "4294967296",
          "9223372036854775808",
          "1e3",
          "2.5",
          R"("3")",
          "true",
          "[1]",
          "{}"})
    {
        CAPTURE(odd);
        CHECK_FALSE(with(std::string(R"("timeline":)") + odd).timeline.has_value());
    }
}

TEST_CASE("an LSN is read where it is, and odd ones are nothing")
{
    const struct
    {
        const char* xlog;
        std::optional<std::int64_t> lsn;
    } rows[] = {
        {R"({"location":67108960})", 67108960},
        {R"({"location":0})", 0},
        {R"({"location":9223372036854775807})", 9223372036854775807},
        {R"({"location":9223372036854775808})", {}},
        {R"({"location":-1})", {}},
        {R"({"location":null})", {}},
        {R"({"location":"0/4000060"})", {}},
        {R"({"location":1.5})", {}},
        {R"({"received_location":5,"replayed_location":4,"paused":true})", 4},
        {R"({"received_location":5,"replayed_location":null})", {}},
        {R"({"received_location":5})", {}},
        {"{}", {}},
        {"[]", {}},
        {"null", {}},
        {"67108960", {}},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.xlog);
        CHECK(with(std::string(R"("xlog":)") + row.xlog).lsn == row.lsn);
    }
    CHECK_FALSE(with(R"("tags":{})").lsn.has_value());
}

TEST_CASE("the tag noloadbalance is understood as operators write it")
{
    for (const char* set : {"true", R"("true")", R"("True")", R"("on")", R"("yes")", "1"})
    {
        CAPTURE(set);
        CHECK(with(std::string(R"("tags":{"noloadbalance":)") + set + "}").noloadbalance);
    }
    for (const char* unset :
         {"false", R"("false")", R"("")", "null", "0", "[]", "[true]", "{}", "0.0"})
    {
        CAPTURE(unset);
        CHECK_FALSE(with(std::string(R"("tags":{"noloadbalance":)") + unset + "}").noloadbalance);
    }
    for (const char* tags : {"{}", "null", "[]", "true", R"("noloadbalance")"})
    {
        CAPTURE(tags);
        CHECK_FALSE(with(std::string(R"("tags":)") + tags).noloadbalance);
    }
}

TEST_CASE("odd fields leave the rest of the word as it is")
{
    const auto word = decoded(R"({
        "state": ["running"], "role": null, "timeline": {}, "xlog": 1, "replication_state": 5,
        "sync_standby": "maybe", "quorum_standby": null, "pause": [], "tags": "none",
        "failsafe_mode_is_active": {}, "cluster_unlocked": "no",
        "database_system_identifier": 7457902831122874386, "patroni": "4.1.0"})");

    CHECK(word == member_word{});
}

TEST_CASE("text that would spoil a terminal or a log is not taken over")
{
    CHECK(with(R"("replication_state":"strea\nming")").replication_state == "");
    CHECK(with(R"("replication_state":"\u001b[2J")").replication_state == "");
    CHECK(with(R"("replication_state":"\u007f")").replication_state == "");
    CHECK(with(R"("replication_state":"\u009b2J")").replication_state == "");
    CHECK(with(R"("replication_state":"strömend")").replication_state == "strömend");
    const std::string longest(255, 'x');
    CHECK(with(R"("replication_state":")" + longest + '"').replication_state == longest);
    CHECK(with(R"("replication_state":")" + longest + "x\"").replication_state == "");
}

TEST_CASE("a body that is not a member's word is an error in words")
{
    const struct
    {
        std::string body;
        const char* error;
    } rows[] = {
        {"", "the body is empty"},
        {"[]", "the body is JSON, but not an object"},
        {"null", "the body is JSON, but not an object"},
        {"\"running\"", "the body is JSON, but not an object"},
        {"{}", "the body has no 'state'"},
        {R"({"role":"primary"})", "the body has no 'state'"},
        {R"({"members":[]})", "the body has no 'state'"},
        {std::string(100'000, '['), "the body is nested too deeply"},
        {R"({"state":)" + std::string(40, '[') + std::string(40, ']') + "}",
         "the body is nested too deeply"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.body);
        const auto result = decode_member(row.body);
        REQUIRE(result.has_error());
        CHECK(result.error() == row.error);
    }
}

TEST_CASE("a body that is not JSON is an error that says so")
{
    for (const char* body :
         {"<html><body>502 Bad Gateway</body></html>",
          "{",
          R"({"state":"running")",
          R"({"state":"running"}x)",
          R"({"state":"running",})",
          "{'state':'running'}",
          "\xff\xfe",
          "{\"state\":\"\xff\"}",
          " "})
    {
        CAPTURE(body);
        const auto result = decode_member(body);
        REQUIRE(result.has_error());
        CHECK(result.error().starts_with("the body is not JSON ("));
    }
}

TEST_CASE("a body cut anywhere is an error")
{
    const std::string body =
        R"({"state":"running","role":"primary","xlog":{"location":5},"patroni":{"name":"pg1"}})";
    REQUIRE(decode_member(body).has_value());
    for (std::size_t cut = 0; cut < body.size(); ++cut)
    {
        CAPTURE(cut);
        CHECK(decode_member(body.substr(0, cut)).has_error());
    }
}

TEST_SUITE_END();

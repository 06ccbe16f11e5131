// SPDX-License-Identifier: PostgreSQL
//
// What the sources have seen, with the time each thing was observed. Sources only fill this in;
// what follows from it is decided in decide.hpp alone.
#pragma once

#include "health/address.hpp"
#include "health/check_report.hpp"
#include "health/doubt.hpp"
#include "health/member.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::health
{

// The word: what a member says of itself. Body of GET /patroni (or of any health check).
struct member_word
{
    member_state state = member_state::unknown;
    member_role role = member_role::unknown;
    std::string state_text; // as spelled, for people
    std::string role_text;
    std::optional<std::uint32_t> timeline;
    std::optional<std::int64_t> lsn;          // bytes; primary: written, replica: replayed
    std::optional<std::int64_t> received_lsn; // replica; bytes
    // When the primary committed what the replica has replayed last, and how long ago that was when
    // the replica said so, by our clock.
    std::optional<std::chrono::sys_time<std::chrono::milliseconds>> replayed_timestamp;
    std::optional<std::chrono::milliseconds> replayed_age;
    std::string replication_state; // "" = absent; from Patroni 3.0.4 on
    bool sync_standby = false;
    bool quorum_standby = false;
    bool pause = false;
    bool failsafe_mode_is_active = false;
    bool cluster_unlocked = false;
    bool noloadbalance = false; // tags.noloadbalance
    tag_map tags;
    std::string database_system_identifier; // "" = absent
    std::string patroni_version;            // "3.0.2"; "" = absent
    std::string scope;
    std::string name; // from Patroni 3.2 on

    friend bool operator==(const member_word&, const member_word&) = default;
};

[[nodiscard]] inline bool says_running_primary(const member_word& w) noexcept
{
    return w.state == member_state::running && w.role == member_role::primary;
}

// A member as GET /cluster lists it: the DCS's keys at second hand.
struct listed_member
{
    std::string name;
    bool holds_lock = false;                 // role "leader" or "standby_leader"
    member_role role = member_role::unknown; // leader -> primary, standby_leader, else replica
    member_state state = member_state::unknown;
    std::string role_text;
    std::string state_text;
    std::string host; // "" = absent: the member cannot be reached
    std::uint16_t port = 0;
    std::string api_url;      // "http://10.0.0.1:8008/patroni"; "" = absent
    config::host_port pooler; // its proxy_url, which only its key in the DCS has; no host = absent
    std::optional<std::uint32_t> timeline;
    std::optional<std::int64_t> lag_bytes; // absent or "unknown" = nullopt, never zero
    bool noloadbalance = false;
    tag_map tags;

    friend bool operator==(const listed_member&, const listed_member&) = default;
};

// Body of GET /cluster, or the same from the keys in the DCS.
struct cluster_listing
{
    std::vector<listed_member> members;
    std::string scope; // "" before Patroni 3.2
    bool pause = false;
    std::optional<planned_switchover> switchover;

    // The lock's holder, nullptr when the leader key is absent.
    [[nodiscard]] const listed_member* leader() const noexcept
    {
        for (const auto& m : members)
            if (m.holds_lock)
                return &m;
        return nullptr;
    }

    [[nodiscard]] const listed_member* find(const std::string& name) const noexcept
    {
        for (const auto& m : members)
            if (m.name == name)
                return &m;
        return nullptr;
    }

    friend bool operator==(const cluster_listing&, const cluster_listing&) = default;
};

// One member's latest listing of the cluster: the lock at second hand.
struct lock_report
{
    cluster_listing listing;
    time_point seen{};  // when the answer was complete
    time_point since{}; // since when this reporter has named this holder (or none)
};

// The lock at first hand: the cluster's keys in the DCS, as the watch keeps them.
struct dcs_report
{
    const char* source = ""; // "etcd3" or "etcd"; static storage
    std::string endpoint;    // HOST:PORT that said so last
    cluster_listing listing; // an absent member of that name stands for a holder without a key
    std::uint64_t revision = 0;
    time_point seen{};  // when the DCS last confirmed the holder; never = nothing known yet
    time_point since{}; // since when it has named this holder (or none)
    // The holder keeps the lock until then at least, unless it lets it go itself; later when it is
    // renewed. Unset: not known.
    std::optional<time_point> lease_ends;
    std::optional<std::chrono::milliseconds> ttl; // config.ttl
    bool failsafe_mode = false;                   // config.failsafe_mode
    bool connected = false; // the watch stands and the last re-read was answered
    std::string error;      // why not; "" while connected
};

// What a member's PostgreSQL says over SQL.
struct sql_word
{
    bool in_recovery = true;
    std::optional<std::uint32_t> timeline; // of a primary
    std::optional<std::int64_t> lsn;       // bytes; primary: written, standby: replayed
    std::string database_system_identifier;
    // Of a standby, as far as it knows: without pg_monitor it learns of a promotion elsewhere with
    // its next restart point only.
    std::optional<std::uint32_t> received_timeline{};
    std::optional<std::int64_t> received_lsn{}; // standby; bytes
    // How old what it has replayed last was when it said so, by its clock and the primary's.
    std::optional<std::chrono::milliseconds> replayed_age{};

    friend bool operator==(const sql_word&, const sql_word&) = default;
};

struct sql_report
{
    std::optional<sql_word> word; // the last good answer, however old
    time_point asked{};           // when it was asked for
    time_point seen{};            // when it was complete
    std::string error;            // why the last attempt failed; "" = it did not
};

// What asking one member for its word has brought so far.
struct word_report
{
    std::optional<member_word> word; // the last good answer, however old
    time_point asked{};              // when it was asked for: what it says is not older
    time_point seen{};               // when that answer was complete
    std::optional<bool> holds_lock;  // status 200 or 503 of GET /primary; unset: not asked so
    time_point holds_lock_seen{};
    std::string error;       // why the last request failed; "" = it did not
    doubt refusals;          // clients that the member has refused
    time_point unanswered{}; // when a client last got no answer from it in time; never = not yet

    // The last request was answered.
    [[nodiscard]] bool answers() const noexcept { return word && error.empty(); }
};

// Patroni's own default.
inline constexpr std::chrono::milliseconds default_ttl{30000};

struct evidence
{
    std::optional<dcs_report> dcs;              // unset: no DCS is configured
    std::map<std::string, lock_report> reports; // by the reporter's REST address, HOST:PORT
    std::map<std::string, word_report> words;   // by member name
    std::map<std::string, sql_report> sql;      // by member name
    // Members whose clients go to the pooler beside PostgreSQL; by name.
    std::map<std::string, config::host_port> poolers;
    // By host, name or address.
    std::map<std::string, address_list> addresses;
    check_reports checks;                         // of `check`, if it is configured
    std::optional<std::chrono::milliseconds> ttl; // the cluster's, from GET /config

    // The cluster's ttl by the DCS or by GET /config; unset: neither has said it yet.
    [[nodiscard]] std::optional<std::chrono::milliseconds> known_ttl() const noexcept
    {
        return dcs && dcs->ttl ? dcs->ttl : ttl;
    }
};

} // namespace rolegate::health

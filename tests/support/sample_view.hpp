// SPDX-License-Identifier: PostgreSQL
//
// A process with one cluster of three members and a listener for each role, as the admin pages
// see it. Tests change what they are about.
#pragma once

#include "proxy/process_view.hpp"
#include "tests/support/ports.hpp"

#include <memory>
#include <utility>

namespace rolegate::support
{

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Far from the epoch of the clock, which stands for "never".
inline const health::time_point sample_now{1000h};

inline health::member sample_member(const std::string& name, health::member_role role)
{
    health::member m;
    m.name = name;
    m.host = name + ".example";
    m.port = 5432;
    m.address = "10.0.0.1";
    m.api_url = "http://" + name + ".example:8008/patroni";
    m.role = role;
    m.state = health::member_state::running;
    m.state_text = "running";
    m.timeline = 7;
    m.listed_seen = sample_now - 80ms;
    m.word_seen = sample_now - 120ms;
    return m;
}

// pg-1 is the primary, pg-2 a good replica, pg-3 a silent one.
inline health::topology sample_topology()
{
    using health::admission;
    auto a = sample_member("pg-1", health::member_role::primary);
    a.write = {admission::open, "lock-and-word", "holds the leader lock and is a running primary"};
    a.read = {admission::closed, "is-primary", "is a primary"};
    auto b = sample_member("pg-2", health::member_role::replica);
    b.lag_bytes = 16384;
    b.write = {admission::closed, "lock-elsewhere", "pg-1 holds the leader lock"};
    b.read = {admission::open, "running-replica", "is a running replica"};
    auto c = sample_member("pg-3", health::member_role::replica);
    c.error = "Connection refused";
    c.write = b.write;
    c.read = {admission::keep, "silent", "does not answer"};

    for (auto* m : {&a, &b, &c})
        m->grants = {m->write, m->read};

    health::topology t;
    t.cluster = "main";
    t.listeners = {"write", "read"};
    t.generation = 7;
    t.members = {a, b, c};
    t.lock.what = health::lock_belief::kind::held;
    t.lock.holder = "pg-1";
    t.lock.source = "rest";
    t.lock.reporter = "10.0.0.1:8008";
    t.lock.seen = sample_now - 120ms;
    t.lock.since = sample_now - 2h;
    t.highest_timeline = 7;
    t.system_identifier = "7000000000000000001";
    t.cause = "lock held by pg-1";
    t.confirmed = sample_now - 120ms;
    return t;
}

inline proxy::listener_view sample_listener(const std::string& name, config::listener_role role)
{
    proxy::listener_view l;
    l.settings.name = name;
    l.settings.cluster = "main";
    l.settings.role = role;
    l.to = role == write_port.role ? write_port : read_port;
    l.bound = {role == config::listener_role::primary ? "0.0.0.0:5432" : "0.0.0.0:5433"};
    return l;
}

inline proxy::process_view sample_view(health::topology t = sample_topology())
{
    proxy::process_view v;
    v.version = "1.2.3";
    v.now = sample_now;
    v.logins = {4, 2, 1};
    v.config.loaded = std::chrono::system_clock::time_point(1700000000s);
    v.clusters.emplace_back().topology = std::make_shared<const health::topology>(std::move(t));
    v.listeners.push_back(sample_listener("write", config::listener_role::primary));
    v.listeners.push_back(sample_listener("read", config::listener_role::replica));

    auto& write = v.listeners[0].stats;
    write.members["pg-1"].sessions = 3;
    write.members["pg-1"].ended["--"] = 40;
    write.members["pg-1"].bytes_in = 1000;
    write.members["pg-1"].bytes_out = 5000;
    write.members["pg-1"].connect_seconds.observe(0.0007);
    write.members[""].ended["PR"] = 2;
    write.held = 1;
    write.hold_seconds["routed"].observe(0.2);
    write.handshake_rejects["startup_malformed"] = 5;
    write.cancel_requests["offered"] = 6;
    write.session_seconds.observe(12);
    auto& read = v.listeners[1].stats;
    read.members["pg-1"].sessions = 1;
    read.members["pg-2"].sessions = 4;
    read.members["pg-2"].shut_down["role_lost"] = 9;

    auto& cluster = v.clusters[0];
    cluster.checks.checks[{"pg-1", "rest", "ok"}] = 11;
    cluster.checks.checks[{"pg-3", "rest", "ok"}] = 2;
    cluster.checks.checks[{"pg-3", "rest", "error"}] = 3;
    cluster.checks.seconds["rest"].observe(0.004);
    cluster.failures[{"pg-3", "rest", "/patroni"}] = {"Connection refused", sample_now - 300ms};
    cluster.role_changes["promoted"] = 1;
    cluster.write_unavailable.observe(1.5);
    return v;
}

} // namespace rolegate::support

// SPDX-License-Identifier: PostgreSQL
//
// What a DCS must be able to tell the follower: everything once, the leader's key again, and every
// change. One implementation a kind of DCS; none of them ever writes. Control thread only.
#pragma once

#include "health/dcs/cluster_keys.hpp"
#include "health/http_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::health::dcs
{

// Whose answer it is and how far it has seen.
struct server_mark
{
    std::string cluster_id;  // "" = not told
    std::uint64_t term = 0;  // raft's; 0 = not told
    std::uint64_t index = 0; // grows with every change: etcd3's revision, etcd2's index
};

struct snapshot_answer
{
    std::string error; // "" = a usable answer
    server_mark mark;
    std::vector<key_value> keys;
};

struct leader_answer
{
    std::string error;
    server_mark mark;
    std::optional<key_value> leader; // unset: the key is absent
    // Whole seconds the key lives on unless it is renewed, rounded down; unset: it does not expire.
    std::optional<std::chrono::seconds> left;
};

// Changes in the order of their happening.
struct change
{
    bool deleted = false;
    key_value kv;
};

class protocol
{
public:
    // Returns "" to go on, or why the watch must end. Called without changes once the watch stands.
    using change_sink = std::function<std::string(const server_mark&, const std::vector<change>&)>;

    virtual ~protocol() = default;

    [[nodiscard]] virtual const char* name() const noexcept = 0; // static storage

    // The first words on a new connection: version, login. "" or why it cannot be used.
    [[nodiscard]] virtual boost::asio::awaitable<std::string> greet(http_connection& to) = 0;

    // Linearizable.
    [[nodiscard]] virtual boost::asio::awaitable<snapshot_answer> snapshot(http_connection& to) = 0;
    [[nodiscard]] virtual boost::asio::awaitable<leader_answer> leader(http_connection& to) = 0;

    // Until something is wrong; returns what.
    [[nodiscard]] virtual boost::asio::awaitable<std::string>
    watch(http_connection& to, std::uint64_t after, change_sink sink) = 0;
};

// One request to the DCS, from the first byte sent to the last received.
inline constexpr std::chrono::milliseconds dcs_timeout{2000};

[[nodiscard]] std::unique_ptr<protocol> make_protocol(const config::dcs_settings& settings);

} // namespace rolegate::health::dcs

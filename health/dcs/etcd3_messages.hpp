// SPDX-License-Identifier: PostgreSQL
//
// etcd's API v3 as its JSON gateway speaks it: bytes in base64, int64 as strings (numbers are
// accepted too), defaults omitted. Requests are bodies for POST, answers are one JSON object.
// Source: etcd docs "api_grpc_gateway", rpc.proto. Pure; errors are values.
#pragma once

#include "health/dcs/cluster_keys.hpp"
#include "health/dcs/object_splitter.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rolegate::health::dcs::etcd3
{

// Who answered, from the header of an answer.
struct header
{
    std::uint64_t cluster_id = 0;
    std::uint64_t member_id = 0;
    std::uint64_t raft_term = 0;
    std::int64_t revision = 0;

    friend bool operator==(const header&, const header&) = default;
};

// An `error` object, or an answer that is none of etcd's (code -1).
struct failure
{
    int code = -1; // gRPC's: 14 unavailable, 16 unauthenticated, ...
    std::string text;

    // Signing in again may help: token expired, auth switched on or changed.
    [[nodiscard]] bool wants_login() const noexcept;

    friend bool operator==(const failure&, const failure&) = default;
};

template <class T> using answer = std::variant<T, failure>;

// --- requests ----------------------------------------------------------------------------------

// "/v3", "/v3beta" (3.3) or "/v3alpha" (older), from the body of GET /version.
[[nodiscard]] answer<std::string> api_prefix(std::string_view version_body);

[[nodiscard]] std::string login_request(std::string_view user, std::string_view password);

// Every key that begins with `prefix`, linearizable.
[[nodiscard]] std::string range_request(std::string_view prefix);

// One key, linearizable.
[[nodiscard]] std::string key_request(std::string_view key);

// Changes of keys that begin with `prefix`, from this revision on.
[[nodiscard]] std::string watch_request(std::string_view prefix, std::int64_t start_revision);

[[nodiscard]] std::string lease_request(std::int64_t lease);

// --- answers -----------------------------------------------------------------------------------

[[nodiscard]] answer<std::string> decode_login(std::string_view body); // the token

struct range_answer
{
    header from;
    std::vector<key_value> keys; // names without `prefix`; keys outside of it are left out
};
[[nodiscard]] answer<range_answer> decode_range(std::string_view body, std::string_view prefix);

struct lease_answer
{
    header from;
    // Whole seconds, rounded down; 0: it has run out, or is about to. -1: there is no such lease.
    std::int64_t ttl_left = -1;
    std::int64_t granted = 0; // seconds
};
[[nodiscard]] answer<lease_answer> decode_lease(std::string_view body);

struct key_event
{
    bool deleted = false;
    key_value kv; // of a deletion only the name counts

    friend bool operator==(const key_event&, const key_event&) = default;
};

struct watch_answer
{
    header from;
    bool created = false;  // the watch stands, unless it is canceled by the same answer
    bool canceled = false; // it sends nothing more, but the connection stays open: close it
    std::int64_t compact_revision = 0; // > 0: canceled because history before it is gone
    // failure{-1, cancel_reason}.wants_login() says whether it was for want of a token.
    std::string cancel_reason;
    std::vector<key_event> events;
};
[[nodiscard]] answer<watch_answer> decode_watch(std::string_view body, std::string_view prefix);

} // namespace rolegate::health::dcs::etcd3

// SPDX-License-Identifier: PostgreSQL
//
// etcd's API v2: answers of GET /v2/keys/... . Source: etcd 3.4 docs "v2/api.md". Pure; errors are
// values.
#pragma once

#include "health/dcs/cluster_keys.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rolegate::health::dcs::etcd2
{

// errorCode of the body, or -1 when the body is none of etcd's.
struct failure
{
    int code = -1;
    std::string text;

    [[nodiscard]] bool key_not_found() const noexcept { return code == 100; }
    [[nodiscard]] bool index_cleared() const noexcept { return code == 401; } // snapshot anew

    friend bool operator==(const failure&, const failure&) = default;
};

template <class T> using answer = std::variant<T, failure>;

struct node
{
    key_value kv; // name without the prefix
    // Whole seconds left, rounded up; 0: it has run out, or is about to. Unset: it does not expire.
    std::optional<std::int64_t> ttl;
    std::uint64_t modified_index = 0;
};

// GET with recursive=true, or of one key: every leaf below, directories unfolded. The depth is
// bounded.
[[nodiscard]] answer<std::vector<node>> decode_get(std::string_view body, std::string_view prefix);

struct event
{
    std::uint64_t modified_index = 0;
    bool deleted = false; // delete, expire, compareAndDelete
    // A deleted directory takes all that is below it along. The name of the prefix itself, and of
    // directories above it, is "".
    bool directory = false;
    key_value kv; // of a deletion only the name counts
    std::optional<std::int64_t> ttl;
};

// GET with wait=true: one event.
[[nodiscard]] answer<event> decode_event(std::string_view body, std::string_view prefix);

} // namespace rolegate::health::dcs::etcd2

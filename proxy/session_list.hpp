// SPDX-License-Identifier: PostgreSQL
//
// Sessions as an operator sees them. Never what a client asks its server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rolegate::proxy
{

struct session_query
{
    std::string listener; // "" = any
    std::string member;   // "" = any
    std::size_t limit = 1000;

    friend bool operator==(const session_query&, const session_query&) = default;
};

struct session_row
{
    std::uint64_t id = 0; // of no other session of this process
    std::string client;   // "10.1.2.3:5555"
    std::string listener;
    std::string member;   // "" = none yet
    std::string user;     // "" = cannot be read, or not yet
    std::string database; // the same
    // "handshake", "held", "connecting", "idle", "active", "in transaction", "ending"; "relaying"
    // where PostgreSQL's messages cannot be read
    const char* state = "";
    std::chrono::milliseconds age{};
    std::uint64_t bytes_in = 0; // from the client
    std::uint64_t bytes_out = 0;
};

struct session_list
{
    std::size_t total = 0;         // that match
    std::vector<session_row> rows; // see is_older()
};

// The oldest first; of those that came in the same millisecond whoever has the smaller number.
[[nodiscard]] bool is_older(const session_row& a, const session_row& b);

// The oldest `limit` of all parts, each of which has its oldest first.
[[nodiscard]] session_list merged(std::vector<session_list> parts, std::size_t limit);

// What became of the order to end a session.
enum class kill_result
{
    unknown, // no session has the number
    killed,
    ending, // it was to end already, whatever for
};

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
//
// What happened to members lately, so that it is said, or done, once in a while and not for every
// session. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

namespace rolegate::proxy
{

class recent
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // What is noted is forgotten after `lasting`.
    explicit recent(std::chrono::milliseconds lasting) noexcept : lasting_(lasting) {}

    // True: it is new. `scope` keeps members of one name apart: an index of a cluster or listener.
    bool note(std::size_t scope, const std::string& member, time_point now);

    [[nodiscard]] bool has(std::size_t scope, const std::string& member, time_point now) const;

private:
    std::chrono::milliseconds lasting_;
    std::map<std::pair<std::size_t, std::string>, time_point> noted_;
};

} // namespace rolegate::proxy

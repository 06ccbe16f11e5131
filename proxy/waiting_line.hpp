// SPDX-License-Identifier: PostgreSQL
//
// Who waits at a door, oldest first. Most wait for whatever opens first, in one line that nobody
// passes. A client that wants one member only, which is full, stands aside in that member's line:
// it is passed by all who want another, and passed by nobody who wants the same.
//
// Pure.
#pragma once

#include "proxy/member_places.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rolegate::proxy
{

// Order of arrival at one door, from 1; 0 = none.
using ticket = std::uint64_t;

class waiting_line
{
public:
    // The cluster's number and the name: after a reload the door may lead to another cluster.
    using member_key = std::pair<std::size_t, std::string_view>;

    struct waiter
    {
        ticket number = 0;
        std::size_t worker = 0;
    };

    // At the place of its ticket in the one line. If it stood aside it does so no more, and this
    // returns what leave() would.
    std::optional<waiter> join(waiter w);

    // Aside, for this member alone; it is in the one line before.
    void stand_aside(ticket number, member_key member);

    // Returns who is the first for its member now, if it was the first that stood aside for it.
    std::optional<waiter> leave(ticket number);

    // All who stand aside are in the one line again.
    void recall();

    [[nodiscard]] std::optional<waiter> first() const;
    [[nodiscard]] std::optional<waiter> first_for(member_key member) const;

    // Somebody in the one line came before.
    [[nodiscard]] bool is_behind(ticket number) const;

    // Somebody who waits for this member alone came before.
    [[nodiscard]] bool is_behind(ticket number, member_key member) const;

    [[nodiscard]] bool is_aside(ticket number) const { return aside_.contains(number); }
    [[nodiscard]] member_key aside_for(ticket number) const; // of no name: it is not
    [[nodiscard]] bool is_first_aside(ticket number) const;
    [[nodiscard]] std::size_t waiting_for(member_key member) const;
    [[nodiscard]] std::size_t size() const noexcept { return line_.size() + aside_.size(); }

private:
    using line = std::map<ticket, std::size_t>; // their workers
    using member_lines = std::map<std::pair<std::size_t, std::string>, line, by_cluster_and_name>;

    line line_;
    member_lines by_member_; // none is empty
    std::map<ticket, member_lines::iterator> aside_;
};

} // namespace rolegate::proxy

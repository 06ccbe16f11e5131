// SPDX-License-Identifier: PostgreSQL
//
// What a process leaves to its successor beside the sockets, as JSON: they may be of different
// versions. Pure.
#pragma once

#include "proxy/operator_state.hpp"
#include "proxy/role_history.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

struct handed_over
{
    long pid = 0;                          // of who hands over
    standing_orders orders;                // of operators
    std::vector<std::string> socket_files; // of unix sockets that are to be removed at the end
    role_history::memory history{};        // of the clusters

    friend bool operator==(const handed_over&, const handed_over&) = default;
};

[[nodiscard]] std::string to_json(const handed_over& what);

// What is missing is empty, what is not known is passed over. nullopt: it is no JSON object.
[[nodiscard]] std::optional<handed_over> handed_over_from(std::string_view json);

// One line. What cannot be read of an order leaves that order out.
[[nodiscard]] std::string to_json(const standing_orders& orders);
[[nodiscard]] std::optional<standing_orders> standing_orders_from(std::string_view json);

} // namespace rolegate::proxy

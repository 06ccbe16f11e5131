// SPDX-License-Identifier: PostgreSQL
#include "proxy/match.hpp"

#include "proxy/pgwire/startup_message.hpp"

#include <algorithm>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

bool is_meant(std::string_view word, std::string_view value) noexcept
{
    if (!word.ends_with('*'))
        return word == value;
    word.remove_suffix(1);
    return value.starts_with(word);
}

std::optional<std::string_view> said(pgwire::bytes packet, std::string_view parameter) noexcept
{
    const auto value = pgwire::startup_parameter(packet, parameter);
    if (parameter == "database" && (!value || value->empty()))
        return pgwire::startup_parameter(packet, "user");
    return value;
}

} // namespace

bool fits(const std::vector<config::startup_condition>& match, pgwire::bytes packet) noexcept
{
    const auto holds = [packet](const config::startup_condition& c)
    {
        const auto value = said(packet, c.parameter);
        return value && std::ranges::any_of(
                            c.words, [&](const auto& word) { return is_meant(word, *value); }
                        );
    };
    return std::ranges::all_of(match, holds);
}

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
//
// What `rolegate import-haproxy` makes of a text, and what our own reader says of that.
#pragma once

#include "config/haproxy/import.hpp"
#include "config/haproxy/print.hpp"
#include "config/load.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace rolegate::test
{

struct imported
{
    config::settings value;
    config::haproxy::ledger book;
    std::string yaml;
    std::string remarks; // "LINE: kind: ..." each on a line of its own

    [[nodiscard]] bool says(std::string_view text) const
    {
        return remarks.find(text) != std::string::npos;
    }
};

inline std::optional<std::string> environment_of_tests(const std::string& name)
{
    return name == "PGPORT" ? std::optional<std::string>("6543") : std::nullopt;
}

// Every result is one that `rolegate check` accepts and that says the same.
inline imported import_cfg(std::string_view text)
{
    auto made = config::haproxy::import_text(text, environment_of_tests);
    imported out{made.value, made.book, config::haproxy::print(made.value, "haproxy.cfg"), {}};
    for (const auto& r : made.book.remarks())
    {
        const std::string said = config::haproxy::to_string(r, "");
        out.remarks += said.substr(1) + "\n";
    }
    if (made.value.listeners.empty())
        return out;
    const auto loaded = config::load_text(out.yaml, "result", environment_of_tests);
    for (const auto& p : loaded.problems)
        FAIL_CHECK(config::to_string(p) << "\n" << out.yaml);
    if (loaded.problems.empty())
        CHECK_MESSAGE(loaded.value == made.value, out.yaml);
    return out;
}

} // namespace rolegate::test

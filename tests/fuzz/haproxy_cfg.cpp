// SPDX-License-Identifier: PostgreSQL
//
// Contract: every line that says something ends as used, ignored or refused; every listener leads
// to a cluster that there is; what is printed is text in one piece a line.
#include "config/haproxy/import.hpp"
#include "config/haproxy/print.hpp"

#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <set>

using namespace rolegate::config;
using rolegate::fuzz::require;

namespace
{

std::optional<std::string> nothing_set(const std::string&)
{
    return std::nullopt;
}

void require_a_verdict_of_each_line(std::string_view text, const haproxy::ledger& book)
{
    for (int number = 1; !text.empty(); ++number)
    {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const auto parts = haproxy::split(line, nothing_set);
        if (!parts.words.empty() || !parts.error.empty())
            require(book.of(number).has_value());
    }
}

void require_whole(const settings& s)
{
    std::set<std::string> clusters;
    std::set<std::string> listeners;
    for (const cluster_settings& c : s.clusters)
        require(clusters.insert(c.name).second);
    for (const listener_settings& l : s.listeners)
    {
        require(listeners.insert(l.name).second);
        require(clusters.contains(l.cluster));
        require(!l.bind.empty());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto made = haproxy::import_text(text, nothing_set);
    require_a_verdict_of_each_line(text, made.book);
    require_whole(made.value);
    const std::string yaml = haproxy::print(made.value, "haproxy.cfg");
    require(std::ranges::none_of(yaml, [](char c) { return c == '\r' || c == '\0' || c == '\t'; }));
    require(yaml == haproxy::print(haproxy::import_text(text, nothing_set).value, "haproxy.cfg"));
    return 0;
}

// SPDX-License-Identifier: PostgreSQL
//
// A haproxy.cfg as its sections, each with its lines. Pure.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/split.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

// More is another file than the one that was meant; bounds what inherited lines cost.
inline constexpr std::size_t most_sections = 1000;
inline constexpr std::size_t most_inherited = 1000; // lines, of a section

struct line
{
    int number = 0;                 // from 1
    std::vector<std::string> words; // never empty

    // "" beyond the last one.
    [[nodiscard]] const std::string& word(std::size_t index) const noexcept;
    // The words from `first` on, as they are shown.
    [[nodiscard]] std::string text(std::size_t first = 0) const;
};

struct section
{
    std::string kind; // "global", "defaults", "listen", ...
    std::string name; // "" = none
    std::string from; // the defaults it names; "" = those before it
    int number = 0;   // of its first line
    std::vector<line> lines;

    [[nodiscard]] bool is_proxy() const
    {
        return kind == "listen" || kind == "frontend" || kind == "backend";
    }
};

// What cannot be read, and sections that mean nothing here, are settled in `book` and left out.
// `setenv` and its like count for the lines that follow, as in HAProxy.
[[nodiscard]] std::vector<section>
read_sections(std::string_view text, const variables& environment, ledger& book);

// What holds in the proxy `all[index]` before its own lines: those of its defaults, the farthest
// first. Of more than `most_inherited` the nearest defaults, and the section is refused.
[[nodiscard]] std::vector<const line*>
inherited_lines(const std::vector<section>& all, std::size_t index, ledger& book);

} // namespace rolegate::config::haproxy

// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/fallback.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace rolegate::config::haproxy
{
namespace
{

using words = std::vector<std::string>;

enum class meaning
{
    nobody,   // no server is up
    somebody, // at least one is
    other,
};

// nbsrv(BACKEND) lt 1
meaning meaning_of(const words& test, std::string_view of)
{
    struct known
    {
        std::string_view comparison;
        std::string_view number;
        meaning is;
    };
    constexpr std::array<known, 6> all{{
        {"lt", "1", meaning::nobody},
        {"le", "0", meaning::nobody},
        {"eq", "0", meaning::nobody},
        {"gt", "0", meaning::somebody},
        {"ge", "1", meaning::somebody},
        {"0", "", meaning::nobody}, // eq is meant
    }};
    if (test.size() < 2 || test.size() > 3 || test[0] != "nbsrv(" + std::string(of) + ")")
        return meaning::other;
    const std::string number = test.size() == 3 ? test[2] : std::string();
    for (const known& k : all)
        if (k.comparison == test[1] && k.number == number)
            return k.is;
    return meaning::other;
}

// The test that a term of a condition stands for; empty: something else.
words test_of(const words& term, const std::vector<const line*>& acls)
{
    if (term.size() >= 3 && term.front() == "{" && term.back() == "}")
        return {term.begin() + 1, term.end() - 1};
    if (term.size() != 1)
        return {};
    words out;
    for (const line* acl : acls)
    {
        if (acl->word(1) != term.front())
            continue;
        if (!out.empty()) // any of several will do
            return {};
        out.assign(
            acl->words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(acl->words)),
            acl->words.end()
        );
    }
    return out;
}

} // namespace

bool means_nobody_left(const line& rule, const std::vector<const line*>& acls, std::string_view of)
{
    const bool unless = rule.word(2) == "unless";
    if ((!unless && rule.word(2) != "if") || rule.words.size() < 4)
        return false;
    words term(rule.words.begin() + 3, rule.words.end());
    bool negated = unless;
    if (term.front().starts_with('!'))
    {
        negated = !negated;
        term.front().erase(0, 1);
        if (term.front().empty())
            term.erase(term.begin());
    }
    const meaning m = meaning_of(test_of(term, acls), of);
    return m == (negated ? meaning::somebody : meaning::nobody);
}

} // namespace rolegate::config::haproxy

// SPDX-License-Identifier: PostgreSQL
#include "config/suggest.hpp"

#include "config/quote.hpp"

#include <algorithm>

namespace rolegate::config
{
namespace
{

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

// Optimal string alignment over three rows; `two_back` serves the swap of two neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> two_back(b.size() + 1);
    std::vector<std::size_t> back(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;

    for (std::size_t i = 1; i <= a.size(); ++i)
    {
        two_back.swap(back);
        back.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j)
        {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({back[j] + 1, row[j - 1] + 1, back[j - 1] + (same ? 0U : 1U)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = std::min(row[j], two_back[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::optional<std::string> suggest(std::string_view word, const std::vector<std::string>& known)
{
    // A third of the letters wrong is a typo, more is another word. Names end at 63 bytes; what
    // is much longer is no name and not worth the quadratic work.
    if (word.empty() || word.size() > 80)
        return std::nullopt;
    const std::size_t allowed = std::max<std::size_t>(1, word.size() / 3);

    std::optional<std::string> best;
    std::size_t best_distance = allowed + 1;
    for (const std::string& candidate : known)
    {
        const std::size_t longer = std::max(candidate.size(), word.size());
        const std::size_t shorter = std::min(candidate.size(), word.size());
        if (longer - shorter > allowed)
            continue;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance)
        {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known)
{
    const auto nearest = suggest(word, known);
    return nearest ? ", did you mean " + quoted(*nearest) + "?" : std::string();
}

} // namespace rolegate::config

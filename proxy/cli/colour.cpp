// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/colour.hpp"

#include <array>
#include <cctype>
#include <string_view>

namespace rolegate::proxy::cli
{

namespace
{

constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view plain = "\x1b[0m";

struct marked
{
    std::string_view word;
    std::string_view colour;
};

constexpr std::array<marked, 11> words{{
    {"no primary", red},
    {"never seen", red},
    {"STALE", red},
    {"LOST", red},
    {"shutting down", red},
    {"NEW SETTINGS WAIT", yellow},
    {"(paused)", yellow},
    {"drained", yellow},
    {"in maintenance", yellow},
    {"switchover planned", yellow},
    {"yes", green},
}};

bool is_letter(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

// The word that stands at `at`, as a word of its own.
const marked* word_at(std::string_view line, std::size_t at)
{
    if (at > 0 && is_letter(line[at - 1]))
        return nullptr;
    for (const auto& w : words)
    {
        const auto end = at + w.word.size();
        if (line.substr(at).starts_with(w.word) && (end == line.size() || !is_letter(line[end])))
            return &w;
    }
    return nullptr;
}

void append_line(std::string& out, std::string_view line)
{
    if (line.starts_with("MEMBER ") || line.starts_with("LISTENER "))
    {
        out.append(bold).append(line).append(plain);
        return;
    }
    for (std::size_t i = 0; i < line.size();)
        if (const auto* found = word_at(line, i))
        {
            out.append(found->colour).append(found->word).append(plain);
            i += found->word.size();
        }
        else
            out += line[i++];
}

} // namespace

std::string coloured(const std::string& text)
{
    std::string out;
    std::string_view rest = text;
    while (!rest.empty())
    {
        const auto end = rest.find('\n');
        append_line(out, rest.substr(0, end));
        if (end == std::string_view::npos)
            break;
        out += '\n';
        rest.remove_prefix(end + 1);
    }
    return out;
}

} // namespace rolegate::proxy::cli

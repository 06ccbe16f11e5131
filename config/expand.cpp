// SPDX-License-Identifier: PostgreSQL
#include "config/expand.hpp"

#include "config/quote.hpp"

#include <algorithm>

namespace rolegate::config
{
namespace
{

bool is_variable_name(std::string_view name)
{
    const auto letter = [](char c)
    { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
    const auto letter_or_digit = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
    return !name.empty() && letter(name.front()) && std::ranges::all_of(name, letter_or_digit);
}

// `inside` is what stands between "${" and "}".
expanded_text expand_one(std::string_view inside, const environment& env)
{
    const std::size_t mark = inside.find(":-");
    const std::string name(inside.substr(0, mark));
    if (!is_variable_name(name))
        return {std::nullopt, quoted(name) + " is not the name of an environment variable"};

    const auto value = env(name);
    if (mark == std::string_view::npos)
    {
        if (!value)
            return {std::nullopt, "environment variable " + quoted(name) + " is not set"};
        return {*value, {}};
    }
    const std::string_view fallback = inside.substr(mark + 2);
    // The first "}" has ended it, so an inner ${...} would silently be cut in two.
    if (fallback.find("${") != std::string_view::npos)
        return {std::nullopt, "a default cannot hold another ${...}"};
    if (!value || value->empty())
        return {std::string(fallback), {}};
    return {*value, {}};
}

} // namespace

expanded_text expand(std::string_view text, const environment& env)
{
    std::string out;
    while (!text.empty())
    {
        const std::size_t plain = text.find('$');
        out += text.substr(0, plain);
        if (plain == std::string_view::npos)
            break;
        text.remove_prefix(plain);

        if (text.starts_with("${"))
        {
            const std::size_t close = text.find('}');
            if (close == std::string_view::npos)
                return {std::nullopt, "\"${\" without its \"}\" (a literal dollar is \"$$\")"};
            expanded_text one = expand_one(text.substr(2, close - 2), env);
            if (!one.value)
                return one;
            out += *one.value;
            text.remove_prefix(close + 1);
        }
        else
        {
            out += '$';
            text.remove_prefix(text.starts_with("$$") ? 2 : 1);
        }
    }
    return {std::move(out), {}};
}

} // namespace rolegate::config

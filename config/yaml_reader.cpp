// SPDX-License-Identifier: PostgreSQL
#include "config/yaml_reader.hpp"

#include "config/expand.hpp"
#include "config/quote.hpp"
#include "config/suggest.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace rolegate::config
{
namespace
{

constexpr std::string_view not_yet = " is not supported by this version yet";

std::string what_stands_there(const yaml_node& node)
{
    switch (node.kind)
    {
    case yaml_kind::scalar:
        return quoted(node.text);
    case yaml_kind::sequence:
        return "a list";
    case yaml_kind::map:
        return "a map";
    case yaml_kind::null:
    case yaml_kind::refused:
        break;
    }
    return "nothing";
}

std::string expected_but_got(std::string_view expected, const std::string& got)
{
    return std::string("expected ").append(expected).append(", got ").append(got);
}

// 63 as for PostgreSQL's own identifiers; the letters need no escaping in labels, logs and URLs.
bool is_name(std::string_view name)
{
    const auto legal = [](char c)
    {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-';
    };
    return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, legal);
}

} // namespace

void yaml_reader::fail(const yaml_node& node, place at, std::string text)
{
    problems_.push_back({at, std::move(text)});
    failed_.insert(&node);
}

void yaml_reader::fail(const yaml_node& node, std::string text)
{
    // An absent value has no place of its own.
    fail(node, node.kind == yaml_kind::null ? node.heading() : node.at, std::move(text));
}

void yaml_reader::entries(
    const yaml_node& node, std::string_view what, const std::function<void(const yaml_node&)>& read
)
{
    if (node.kind == yaml_kind::refused)
    {
        failed_.insert(&node);
        return;
    }
    if (node.kind != yaml_kind::map)
        return fail(node, expected_but_got("a map", what_stands_there(node)));

    // The first one stands, as find() has it, so that later judgements fall on what was read.
    std::map<std::string_view, int> first_lines;
    for (const yaml_node& child : node.children)
    {
        const auto [first, is_new] = first_lines.try_emplace(child.key, child.key_at.line);
        if (!is_new)
            fail(
                child,
                child.key_at,
                "duplicate " + std::string(what) + " " + quoted(child.key) + ", first on line " +
                    std::to_string(first->second)
            );
        else if (child.kind == yaml_kind::refused)
            failed_.insert(&child);
        else
            read(child);
    }
}

void yaml_reader::map(
    const yaml_node& node,
    const std::vector<yaml_key>& known,
    std::initializer_list<std::string_view> later
)
{
    const auto read_key = [&](const yaml_node& child)
    {
        const auto match = std::ranges::find(known, child.key, &yaml_key::name);
        // Is it the default, or was something forgotten? For `tls:` the two differ a lot.
        if (match != known.end() && child.kind == yaml_kind::null)
            return fail(child, quoted(child.key) + " has no value");
        if (match != known.end())
            return match->read(child);
        if (std::ranges::find(later, child.key) != later.end())
            return fail(child, child.key_at, quoted(child.key).append(not_yet));

        std::vector<std::string> names;
        for (const yaml_key& key : known)
            names.emplace_back(key.name);
        names.insert(names.end(), later.begin(), later.end());
        const std::string hint = did_you_mean(child.key, names);
        fail(child, child.key_at, "unknown key " + quoted(child.key) + hint);
    };
    entries(node, "key", read_key);
}

void yaml_reader::named(
    const yaml_node& node, std::string_view what, const std::function<void(const yaml_node&)>& read
)
{
    const auto read_entry = [&](const yaml_node& child)
    {
        // Not fail(): only the name is wrong, what it names is still worth judging.
        if (!is_name(child.key))
            problems_.push_back(
                {child.key_at,
                 quoted(child.key) + " cannot name a " + std::string(what) +
                     ": 1 to 63 of the characters A-Z a-z 0-9 _ . -"}
            );
        read(child);
    };
    entries(node, what, read_entry);
}

void yaml_reader::require(const yaml_node& map, std::initializer_list<std::string_view> keys)
{
    if (map.kind != yaml_kind::map)
        return;
    // A key that was misspelt is a problem already, and says which one was meant.
    const auto misspelt = [&map](std::string_view key)
    {
        const auto meant = [key](const yaml_node& child)
        { return !did_you_mean(child.key, {std::string(key)}).empty(); };
        return std::ranges::any_of(map.children, meant);
    };
    for (const std::string_view key : keys)
    {
        if (map.find(key) == nullptr && !misspelt(key))
            problems_.push_back({map.heading(), "missing key " + quoted(key)});
    }
}

void yaml_reader::list(
    const yaml_node& node,
    std::string_view expected,
    const std::function<void(const yaml_node&)>& read
)
{
    if (node.kind != yaml_kind::sequence)
        return fail(node, expected_but_got(expected, what_stands_there(node)));
    for (const yaml_node& item : node.children)
        read(item);
}

std::optional<std::string> yaml_reader::scalar(const yaml_node& node, std::string_view expected)
{
    if (node.kind == yaml_kind::refused)
    {
        failed_.insert(&node);
        return std::nullopt;
    }
    if (node.kind != yaml_kind::scalar)
    {
        fail(node, expected_but_got(expected, what_stands_there(node)));
        return std::nullopt;
    }
    expanded_text expanded = expand(node.text, env_);
    if (!expanded.value)
        fail(node, std::move(expanded.error));
    return std::move(expanded.value);
}

void yaml_reader::text(const yaml_node& node, std::string& out)
{
    if (auto value = scalar(node, "text"))
        out = std::move(*value);
}

void yaml_reader::boolean(const yaml_node& node, bool& out)
{
    constexpr std::string_view expected = "true or false";
    const auto value = scalar(node, expected);
    if (!value)
        return;
    if (*value != "true" && *value != "false")
        return fail(node, expected_but_got(expected, quoted(*value)));
    out = *value == "true";
}

void yaml_reader::duration(const yaml_node& node, milliseconds& out, duration_range range)
{
    constexpr std::string_view expected = "a duration such as 250ms, 2s or 30m";
    const auto value = scalar(node, expected);
    if (!value)
        return;
    const auto parsed = parse_duration(*value);
    if (!parsed)
        return fail(node, expected_but_got(expected, quoted(*value)));
    if (*parsed < range.min || *parsed > range.max)
        return fail(
            node,
            quoted(node.key) + " must be between " + format_duration(range.min) + " and " +
                format_duration(range.max) + ", got " + quoted(*value)
        );
    out = *parsed;
}

void yaml_reader::size(const yaml_node& node, std::size_t& out, size_range range)
{
    constexpr std::string_view expected = "a size such as 512B, 64kB or 1MB";
    const auto value = scalar(node, expected);
    if (!value)
        return;
    const auto parsed = parse_size(*value);
    if (!parsed)
        return fail(node, expected_but_got(expected, quoted(*value)));
    if (*parsed < range.min || *parsed > range.max)
        return fail(
            node,
            quoted(node.key) + " must be between " + format_size(range.min) + " and " +
                format_size(range.max) + ", got " + quoted(*value)
        );
    out = static_cast<std::size_t>(*parsed);
}

std::optional<std::int64_t>
yaml_reader::integer(const yaml_node& node, integer_range range, std::string_view expected)
{
    const auto value = scalar(node, expected);
    if (!value)
        return std::nullopt;
    // Too many digits are still a number: that is a problem of range, not of type.
    std::int64_t parsed = 0;
    const char* const end = value->data() + value->size();
    const auto [rest, ec] = std::from_chars(value->data(), end, parsed);
    if (rest != end || (ec != std::errc() && ec != std::errc::result_out_of_range) ||
        value->empty())
    {
        fail(node, expected_but_got(expected, quoted(*value)));
        return std::nullopt;
    }
    if (ec == std::errc::result_out_of_range || parsed < range.min || parsed > range.max)
    {
        fail(
            node,
            quoted(node.key) + " must be between " + std::to_string(range.min) + " and " +
                std::to_string(range.max) + ", got " + quoted(*value)
        );
        return std::nullopt;
    }
    return parsed;
}

std::optional<std::string> yaml_reader::choice(
    const yaml_node& node,
    const std::vector<std::string>& known,
    const std::vector<std::string>& later
)
{
    std::string expected = known.size() > 1 ? "one of " : "";
    for (const std::string& word : known)
        expected += (&word == &known.front() ? "" : ", ") + word;
    auto value = scalar(node, expected);
    if (!value || std::ranges::find(known, *value) != known.end())
        return value;

    if (std::ranges::find(later, *value) != later.end())
    {
        fail(node, quoted(node.key + ": " + *value).append(not_yet));
        return std::nullopt;
    }
    // A hint may lead to a later word: then the next answer says that it is not supported yet,
    // which is nearer to the truth than "unknown".
    std::vector<std::string> words = known;
    words.insert(words.end(), later.begin(), later.end());
    fail(node, expected_but_got(expected, quoted(*value)) + did_you_mean(*value, words));
    return std::nullopt;
}

} // namespace rolegate::config

// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/json_fields.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace rolegate::health::patroni
{
namespace
{

namespace json = boost::json;

// Patroni's deepest own body has five levels; operators may nest a few more in /config and tags.
constexpr std::size_t max_depth = 32;

bool is_printable(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x20 || c == 0x7f)
            return false;
        // U+0080..U+009F in UTF-8: terminals take these for control characters as well.
        if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
            return false;
    }
    return true;
}

std::optional<std::int64_t> count_in(const json::value& v) noexcept
{
    // Numbers beyond int64_t arrive as uint64_t or double: nothing that Patroni says is as large.
    const auto* n = v.if_int64();
    if (n == nullptr || *n < 0)
        return std::nullopt;
    return *n;
}

// As Python's str() has it: 1.5, but 2.0 and not 2.
std::string text_of(double number)
{
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    std::string out(text.data(), end);
    if (out.find_first_not_of("-0123456789") == std::string::npos)
        out += ".0";
    return out;
}

// nullopt: not a scalar, or not fit to be shown.
std::optional<std::string> tag_text(const json::value& v)
{
    switch (v.kind())
    {
    case json::kind::null:
        return "none";
    case json::kind::bool_:
        return v.get_bool() ? "true" : "false";
    case json::kind::int64:
        return std::to_string(v.get_int64());
    case json::kind::uint64:
        return std::to_string(v.get_uint64());
    case json::kind::double_:
        return text_of(v.get_double());
    case json::kind::string:
        if (v.get_string().size() <= max_text && is_printable(v.get_string()))
            return std::string(v.get_string());
        return std::nullopt;
    case json::kind::array:
    case json::kind::object:
        break;
    }
    return std::nullopt;
}

} // namespace

boost::system::result<json::object, std::string> parse_object(std::string_view body)
{
    if (body.empty())
        return std::string("the body is empty");

    json::parse_options options;
    options.max_depth = max_depth;
    boost::system::error_code error;
    auto parsed = json::parse(body, error, {}, options);
    if (error == json::error::too_deep)
        return std::string("the body is nested too deeply");
    if (error)
        return "the body is not JSON (" + error.message() + ")";
    if (!parsed.is_object())
        return std::string("the body is JSON, but not an object");
    return std::move(parsed.get_object());
}

std::string_view text_at(const json::object& in, std::string_view key) noexcept
{
    const auto* v = in.if_contains(key);
    const auto* s = v != nullptr ? v->if_string() : nullptr;
    if (s == nullptr || s->size() > max_text || !is_printable(*s))
        return {};
    return *s;
}

bool flag_at(const json::object& in, std::string_view key) noexcept
{
    const auto* v = in.if_contains(key);
    if (v == nullptr)
        return false;
    if (const auto* b = v->if_bool())
        return *b;
    if (const auto* n = v->if_int64())
        return *n != 0;

    // Tags come from the operator's YAML, where a quoted "true" is a string.
    static constexpr std::array<std::string_view, 9> words{
        "true", "True", "TRUE", "on", "On", "ON", "yes", "Yes", "YES"};
    const auto text = text_at(in, key);
    return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<std::int64_t> count_at(const json::object& in, std::string_view key) noexcept
{
    const auto* v = in.if_contains(key);
    return v != nullptr ? count_in(*v) : std::nullopt;
}

std::optional<std::int64_t>
count_or_digits_at(const json::object& in, std::string_view key) noexcept
{
    if (const auto n = count_at(in, key))
        return n;

    const auto text = text_at(in, key);
    if (text.empty() || text.front() == '-')
        return std::nullopt;
    std::int64_t n = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, n);
    if (error != std::errc{} || stop != end)
        return std::nullopt;
    return n;
}

std::optional<std::uint32_t> timeline_at(const json::object& in, std::string_view key) noexcept
{
    const auto n = count_at(in, key);
    if (!n || *n == 0 || *n > std::numeric_limits<std::uint32_t>::max())
        return std::nullopt;
    return static_cast<std::uint32_t>(*n);
}

std::map<std::string, std::string> tags_at(const json::object& in, std::string_view key)
{
    std::map<std::string, std::string> tags;
    const auto* all = object_at(in, key);
    if (all == nullptr)
        return tags;
    for (const auto& [name, value] : *all)
    {
        if (tags.size() == max_tags)
            break;
        if (name.empty() || name.size() > max_text || !is_printable(name))
            continue;
        if (auto text = tag_text(value))
            tags.emplace(name, std::move(*text));
    }
    return tags;
}

const json::object* object_at(const json::object& in, std::string_view key) noexcept
{
    const auto* v = in.if_contains(key);
    return v != nullptr ? v->if_object() : nullptr;
}

const json::array* array_at(const json::object& in, std::string_view key) noexcept
{
    const auto* v = in.if_contains(key);
    return v != nullptr ? v->if_array() : nullptr;
}

} // namespace rolegate::health::patroni

// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/json_text.hpp"

#include "proxy/cli/format.hpp"

#include <boost/json/serialize.hpp>

namespace rolegate::proxy::cli
{

const json::value& at(const json::value& from, std::string_view key)
{
    static const json::value null;
    const auto* object = from.if_object();
    const auto* found = object ? object->if_contains(key) : nullptr;
    return found ? *found : null;
}

const json::object& object_at(const json::value& from, std::string_view key)
{
    static const json::object none;
    const auto* object = at(from, key).if_object();
    return object ? *object : none;
}

const json::array& array_at(const json::value& from, std::string_view key)
{
    static const json::array none;
    const auto* array = at(from, key).if_array();
    return array ? *array : none;
}

std::string text(const json::value& v)
{
    if (v.is_null())
        return "-";
    if (const auto* s = v.if_string())
        return printable({s->data(), s->size()});
    if (const auto* b = v.if_bool())
        return *b ? "yes" : "no";
    return printable(json::serialize(v));
}

std::string text_at(const json::value& from, std::string_view key)
{
    return text(at(from, key));
}

bool is_true(const json::value& v)
{
    const auto* b = v.if_bool();
    return b && *b;
}

std::string duration_at(const json::value& from, std::string_view key)
{
    const auto* ms = at(from, key).if_int64();
    return ms ? duration_text(*ms) : "-";
}

std::string size_at(const json::value& from, std::string_view key)
{
    const auto* bytes = at(from, key).if_int64();
    return bytes ? size_text(*bytes) : "-";
}

std::string list_at(const json::value& from, std::string_view key)
{
    std::string out;
    for (const auto& v : array_at(from, key))
        out += (out.empty() ? "" : ", ") + text(v);
    return out.empty() ? "-" : out;
}

std::string key_text(const json::key_value_pair& entry)
{
    return printable({entry.key().data(), entry.key().size()});
}

} // namespace rolegate::proxy::cli

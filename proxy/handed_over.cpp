// SPDX-License-Identifier: PostgreSQL
#include "proxy/handed_over.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace rolegate::proxy
{

namespace
{

namespace json = boost::json;

std::vector<std::string> texts_of(const json::object& from, std::string_view key)
{
    std::vector<std::string> texts;
    const auto* found = from.if_contains(key);
    if (const auto* list = found ? found->if_array() : nullptr)
        for (const auto& each : *list)
            if (const auto* text = each.if_string())
                texts.emplace_back(text->data(), text->size());
    return texts;
}

} // namespace

std::string to_json(const handed_over& what)
{
    json::object o;
    o["pid"] = what.pid;
    o["paused"] = json::array(what.paused.begin(), what.paused.end());
    o["socket_files"] = json::array(what.socket_files.begin(), what.socket_files.end());
    return json::serialize(o);
}

std::optional<handed_over> handed_over_from(std::string_view text)
{
    boost::system::error_code broken;
    const auto value = json::parse({text.data(), text.size()}, broken);
    const auto* o = broken ? nullptr : value.if_object();
    if (!o)
        return std::nullopt;
    handed_over h;
    const auto* pid = o->if_contains("pid");
    if (const auto* number = pid ? pid->if_int64() : nullptr)
        h.pid = static_cast<long>(*number);
    h.paused = texts_of(*o, "paused");
    h.socket_files = texts_of(*o, "socket_files");
    return h;
}

} // namespace rolegate::proxy

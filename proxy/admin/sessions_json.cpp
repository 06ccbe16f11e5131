// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/sessions_json.hpp"

#include "config/suggest.hpp"
#include "proxy/admin/json.hpp"
#include "proxy/admin/json_values.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse_query.hpp>

#include <charconv>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;

// A row takes some hundred bytes, and the control thread makes the text of all.
constexpr std::size_t largest_limit = 10'000;

response error(const std::string& what)
{
    return {400, "application/json", error_json(what)};
}

std::optional<std::size_t> limit_of(const std::string& text)
{
    std::size_t limit = 0;
    const auto* end = text.data() + text.size();
    const auto [at, ec] = std::from_chars(text.data(), end, limit);
    return ec == std::errc() && at == end && limit <= largest_limit ? std::optional(limit)
                                                                    : std::nullopt;
}

json::object object_of(const session_row& s)
{
    json::object o;
    o["id"] = s.id;
    o["client"] = s.client;
    o["listener"] = s.listener;
    o["member"] = or_null(s.member);
    o["user"] = or_null(s.user);
    o["database"] = or_null(s.database);
    o["state"] = s.state;
    o["age_ms"] = s.age.count();
    o["bytes_in"] = s.bytes_in;
    o["bytes_out"] = s.bytes_out;
    return o;
}

} // namespace

std::optional<std::variant<session_query, response>>
find_session_query(std::string_view method, std::string_view target)
{
    const auto mark = target.find('?');
    if (target.substr(0, mark) != "/api/v1/sessions")
        return std::nullopt;
    if (method != "GET" && method != "HEAD")
    {
        auto r = error("only GET and HEAD are allowed here");
        r.status = 405;
        return r;
    }
    session_query q;
    const auto query =
        boost::urls::parse_query(mark == std::string_view::npos ? "" : target.substr(mark + 1));
    if (!query)
        return error("what is behind the '?' is no query");
    for (const auto& encoded : *query)
    {
        const auto name = encoded.key.decode();
        const auto value = encoded.value.decode();
        if (name == "listener")
            q.listener = value;
        else if (name == "member")
            q.member = value;
        else if (const auto limit = limit_of(value); name == "limit" && limit)
            q.limit = *limit;
        else if (name == "limit")
            return error("'limit' is a number up to " + std::to_string(largest_limit));
        else if (!name.empty())
            return error(
                "expected listener, member or limit" +
                config::did_you_mean(name, {"listener", "member", "limit"})
            );
    }
    return q;
}

response sessions_answer(const session_list& list)
{
    json::array rows;
    for (const auto& row : list.rows)
        rows.push_back(object_of(row));
    json::object all;
    all["total"] = list.total;
    all["sessions"] = std::move(rows);
    return {200, "application/json", json::serialize(all) + "\n"};
}

} // namespace rolegate::proxy::admin

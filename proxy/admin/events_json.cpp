// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/events_json.hpp"

#include "proxy/admin/iso8601.hpp"
#include "proxy/admin/json_values.hpp"
#include "proxy/admin/readiness.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <ranges>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;

json::array steps_of(const role_change& c)
{
    json::array out;
    for (const auto& s : c.steps)
    {
        json::object o;
        o["step"] = std::string(s.step);
        o["member"] = or_null(s.member);
        o["ms"] = ms_between(c.steps.front().at, s.at);
        o["detail"] = or_null(s.detail);
        out.push_back(std::move(o));
    }
    return out;
}

} // namespace

std::string events_json(const process_view& view)
{
    json::array events;
    for (const auto& c : std::views::reverse(view.changes))
    {
        json::object o;
        o["id"] = c.id;
        o["cluster"] = c.cluster;
        o["kind"] = c.kind();
        o["from"] = or_null(c.from);
        o["to"] = or_null(c.to);
        o["at"] = iso8601(c.began);
        o["cause"] = c.steps.empty() ? json::value(nullptr) : or_null(c.steps.front().detail);
        o["steps"] = steps_of(c);
        events.push_back(std::move(o));
    }
    json::object all;
    all["version"] = view.version;
    all["events"] = std::move(events);
    return json::serialize(all) + "\n";
}

} // namespace rolegate::proxy::admin

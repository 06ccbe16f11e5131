// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/reload_json.hpp"

#include "proxy/admin/iso8601.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace rolegate::proxy::admin
{

namespace json = boost::json;

std::string reload_json(const reload_report& r)
{
    json::object o;
    if (!r.problems.empty())
    {
        o["error"] = "nothing has changed: " + r.problems.front();
        o["problems"] = json::array(r.problems.begin(), r.problems.end());
    }
    else
    {
        o["changes"] = json::array(r.changes.begin(), r.changes.end());
        o["needs_restart"] = json::array(r.waiting.begin(), r.waiting.end());
        o["waiting"] = json::array(r.followed_as_before.begin(), r.followed_as_before.end());
    }
    return json::serialize(o) + "\n";
}

json::object json_of(const config_state& c)
{
    json::object o;
    o["loaded_at"] = iso8601(c.loaded);
    o["reload_ok"] = c.error.empty();
    o["error"] = c.error.empty() ? json::value(nullptr) : json::value(c.error);
    return o;
}

std::string config_json(std::string_view yaml)
{
    return json::serialize(json::object{{"yaml", yaml}}) + "\n";
}

} // namespace rolegate::proxy::admin

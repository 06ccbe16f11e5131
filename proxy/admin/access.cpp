// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/access.hpp"

#include "config/address.hpp"
#include "proxy/address_range.hpp"
#include "proxy/admin/json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;

response error(int status, const std::string& what)
{
    return {status, "application/json", error_json(what)};
}

// "[::1]:7000" is "::1", "localhost:7000" is "localhost".
std::string without_port(std::string_view host)
{
    if (host.starts_with('['))
        return std::string(host.substr(1, host.find(']') - 1));
    return std::string(host.substr(0, host.rfind(':')));
}

// A name that somebody else may lead here at any moment is none.
bool is_own_name(std::string_view host, const config::host_port& bound)
{
    const auto name = without_port(host);
    return name.empty() || name == "localhost" || name == bound.host ||
           parse_client_address(name).has_value();
}

bool is_own_page(const request_facts& r)
{
    return r.origin == std::string(r.tls ? "https://" : "http://") + std::string(r.host);
}

bool is_probe(std::string_view target)
{
    if (asks_for_csv(target))
        return false;
    const auto path = target.substr(0, target.find('?'));
    return path == "/livez" || path == "/readyz" || path.starts_with("/readyz/");
}

bool needs_user(const config::admin_settings& admin)
{
    return !admin.users.empty();
}

// Why whoever asks may not operate; "" = he may.
std::string objection(const request_facts& r, const config::admin_settings& admin)
{
    const bool only_here = admin.bind.is_unix() || config::is_loopback(admin.bind);
    if (!r.origin.empty() && !is_own_page(r))
        return "operations are not for pages of another site (" + std::string(r.origin) + ")";
    if (!needs_user(admin) && !only_here)
        return "operations need 'admin.users', or 'admin.bind' on a loopback address or a unix "
               "socket";
    if (!needs_user(admin) && !is_own_name(r.host, admin.bind))
        return "operations without 'admin.users' need an address, 'localhost' or the name of "
               "'admin.bind' as the host, not '" +
               std::string(r.host) + "'";
    return "";
}

} // namespace

response who_are_you(const request_facts& r, const std::string& why)
{
    auto out = error(401, why);
    if (!r.from_page)
        out.authenticate = "Basic realm=\"Rolegate\", charset=\"UTF-8\"";
    return out;
}

std::optional<response>
refuse_operation(const request_facts& r, const config::admin_settings& admin)
{
    if (r.method != "POST")
    {
        auto out = error(405, "only POST is allowed here");
        out.allow = "POST";
        return out;
    }
    if (const auto why = objection(r, admin); !why.empty())
        return error(403, why);
    if (needs_user(admin) && r.user.empty())
        return who_are_you(r, "operations need a user of 'admin.users'");
    return std::nullopt;
}

std::optional<response> refuse_reading(const request_facts& r, const config::admin_settings& admin)
{
    if (admin.require_user == config::user_rule::all && needs_user(admin) && r.user.empty() &&
        !is_probe(r.target))
        return who_are_you(r, "everything but probes needs a user of 'admin.users'");
    return std::nullopt;
}

response about_user(const request_facts& r, const config::admin_settings& admin)
{
    auto why = objection(r, admin);
    if (why.empty() && needs_user(admin) && r.user.empty())
        why = "operations need a user of 'admin.users'";
    json::object o;
    o["user"] = r.user.empty() ? json::value(nullptr) : json::value(r.user);
    o["may_operate"] = why.empty();
    o["needs_user"] = needs_user(admin);
    o["why"] = why;
    return {200, "application/json", json::serialize(o) + "\n"};
}

} // namespace rolegate::proxy::admin

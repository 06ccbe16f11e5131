// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/operation.hpp"

#include "proxy/address_range.hpp"
#include "proxy/admin/json.hpp"
#include "proxy/admin/reload_json.hpp"

namespace rolegate::proxy::admin
{

namespace
{

constexpr std::string_view listeners = "/api/v1/listeners/";

response error(int status, const std::string& what)
{
    return {status, "application/json", error_json(what)};
}

bool is_loopback(const std::string& host)
{
    static const address_range v4(config::network{"127.0.0.0", 8});
    static const address_range v6(config::network{"::1", 128});
    const auto address = parse_client_address(host);
    return host == "localhost" || (address && (v4.contains(*address) || v6.contains(*address)));
}

} // namespace

std::optional<operation> find_operation(std::string_view target)
{
    const auto path = target.substr(0, target.find('?'));
    if (path == "/api/v1/reload")
        return operation{operation::what::reload, ""};
    if (!path.starts_with(listeners))
        return std::nullopt;
    const auto rest = path.substr(listeners.size());
    const auto slash = rest.find('/');
    if (slash == 0 || slash == std::string_view::npos)
        return std::nullopt;
    const auto verb = rest.substr(slash + 1);
    if (verb != "pause" && verb != "resume")
        return std::nullopt;
    return operation{
        verb == "pause" ? operation::what::pause : operation::what::resume,
        std::string(rest.substr(0, slash))};
}

std::optional<response>
refuse_operation(std::string_view method, std::string_view origin, const config::host_port& bound)
{
    if (method != "POST")
    {
        auto r = error(405, "only POST is allowed here");
        r.allow = "POST";
        return r;
    }
    if (!is_loopback(bound.host))
        return error(403, "operations need 'admin.bind' on a loopback address");
    if (!origin.empty())
        return error(403, "operations are not for web pages");
    return std::nullopt;
}

response done(const operation& o)
{
    const bool pause = o.kind == operation::what::pause;
    return {200, "application/json", paused_json(o.listener, pause)};
}

response reload_answer(const reload_report& r)
{
    return {r.problems.empty() ? 200 : 422, "application/json", reload_json(r)};
}

} // namespace rolegate::proxy::admin

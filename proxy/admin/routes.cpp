// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/routes.hpp"

#include "config/suggest.hpp"
#include "proxy/admin/events_json.hpp"
#include "proxy/admin/haproxy_csv.hpp"
#include "proxy/admin/json.hpp"
#include "proxy/admin/page.hpp"
#include "proxy/admin/readiness.hpp"
#include "proxy/metrics.hpp"

#include <optional>

namespace rolegate::proxy::admin
{

namespace
{

constexpr const char* json_type = "application/json";
constexpr const char* page_type = "text/html; charset=utf-8";
constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

constexpr const char* index_text =
    "Rolegate\n"
    "\n"
    "/                         the status page for a browser\n"
    "/livez                    200 while the process works\n"
    "/readyz                   200 while every listener has a member\n"
    "/readyz/LISTENER          the same for one listener\n"
    "/metrics                  Prometheus\n"
    "/haproxy.csv              HAProxy's statistics, for its collectors; also /;csv\n"
    "/api/v1/status            clusters, members, listeners\n"
    "/api/v1/explain           every verdict and its evidence\n"
    "/api/v1/explain/LISTENER  the same for one listener\n"
    "/api/v1/events            the last role changes, step by step\n"
    "/api/v1/sessions          ?listener=NAME&member=NAME&limit=N\n"
    "/api/v1/config            the configuration with every default\n"
    "/api/v1/user              who asks, and whether operations are for him\n"
    "\n"
    "POST /api/v1/members/CLUSTER/MEMBER/state  {\"state\": \"ready\"}, \"drain\" or \"maint\"\n"
    "POST /api/v1/listeners/LISTENER/pause      and .../resume\n"
    "POST /api/v1/sessions/ID/kill\n";

response text(std::string body)
{
    response r;
    r.body = std::move(body);
    return r;
}

response page()
{
    auto r = text(std::string(page_text()));
    r.content_type = page_type;
    r.policy = page_policy();
    return r;
}

response json(int status, std::string body)
{
    return {status, json_type, std::move(body)};
}

response error(int status, const std::string& what)
{
    return json(status, error_json(what));
}

// Without the control characters and bytes outside ASCII that a stranger may have put there.
std::string printable(std::string_view s)
{
    std::string out(s.substr(0, 200));
    std::ranges::replace_if(
        out, [](char c) { return c < 0x20 || c >= 0x7f; }, '?'
    );
    return out;
}

const listener_view* find_listener(const process_view& view, std::string_view name)
{
    for (const auto& l : view.listeners)
        if (l.settings.name == name)
            return &l;
    return nullptr;
}

std::vector<std::string> names_of(const process_view& view)
{
    std::vector<std::string> names;
    for (const auto& l : view.listeners)
        names.push_back(l.settings.name);
    return names;
}

response readyz(const process_view& view, std::string_view only)
{
    std::string problems;
    for (const auto& l : view.listeners)
    {
        if (!only.empty() && l.settings.name != only)
            continue;
        if (const auto why = why_not_ready(view, l); !why.empty())
            problems += l.settings.name + ": " + why + "\n";
    }
    if (problems.empty())
        return text("ok\n");
    auto r = text(std::move(problems));
    r.status = 503;
    return r;
}

// What follows "PREFIX/", when there is something.
std::optional<std::string_view> name_behind(std::string_view path, std::string_view prefix)
{
    if (!path.starts_with(prefix) || path.size() == prefix.size())
        return std::nullopt;
    return path.substr(prefix.size());
}

std::optional<response> find_page(std::string_view path, const process_view& view)
{
    if (path == "/")
        return page();
    if (path == "/api")
        return text(index_text);
    if (path == "/livez")
        return text("ok\n");
    if (path == "/readyz")
        return readyz(view, "");
    if (path == "/metrics")
        return response{200, metrics_type, metrics_text(view)};
    if (path == "/api/v1/status")
        return json(200, status_json(view));
    if (path == "/api/v1/explain")
        return json(200, explain_json(view, ""));
    if (path == "/api/v1/events")
        return json(200, events_json(view));
    if (const auto name = name_behind(path, "/readyz/"))
        return find_listener(view, *name) ? readyz(view, *name)
                                          : no_such_listener(*name, names_of(view));
    if (const auto name = name_behind(path, "/api/v1/explain/"))
        return find_listener(view, *name) ? json(200, explain_json(view, *name))
                                          : no_such_listener(*name, names_of(view));
    return std::nullopt;
}

} // namespace

response
no_such(const std::string& what, std::string_view name, const std::vector<std::string>& known)
{
    const auto shown = printable(name);
    return error(404, "no " + what + " '" + shown + "'" + config::did_you_mean(shown, known));
}

response no_such_listener(std::string_view name, const std::vector<std::string>& known)
{
    return no_such("listener is named", name, known);
}

bool asks_for_csv(std::string_view target)
{
    return target.substr(0, target.find('?')) == "/haproxy.csv" ||
           target.find(";csv") != target.npos;
}

response answer(std::string_view method, std::string_view target, const process_view& view)
{
    const auto path = target.substr(0, target.find('?'));
    auto page = asks_for_csv(target) ? text(haproxy_csv(view)) : find_page(path, view);
    if (!page)
        return error(404, "no such path: " + printable(path));
    if (method != "GET" && method != "HEAD")
        return error(405, "only GET and HEAD are allowed here");
    return *std::move(page);
}

} // namespace rolegate::proxy::admin

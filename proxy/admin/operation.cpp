// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/operation.hpp"

#include "config/suggest.hpp"
#include "proxy/admin/json.hpp"
#include "proxy/admin/reload_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/pct_string_view.hpp>

#include <charconv>

namespace rolegate::proxy::admin
{

namespace
{

namespace json = boost::json;

constexpr std::string_view root = "/api/v1/";

response error(int status, const std::string& what)
{
    return {status, "application/json", error_json(what)};
}

// "a/b%2Fc" is "a" and "b/c". Nothing where a part is empty or cannot be decoded.
std::vector<std::string> parts_of(std::string_view path)
{
    std::vector<std::string> parts;
    for (;;)
    {
        const auto slash = path.find('/');
        const auto text = boost::urls::make_pct_string_view(path.substr(0, slash));
        if (!text || text->empty())
            return {};
        parts.push_back(text->decode());
        if (slash == std::string_view::npos)
            return parts;
        path.remove_prefix(slash + 1);
    }
}

std::optional<std::uint64_t> number_of(const std::string& text)
{
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [at, ec] = std::from_chars(text.data(), end, number);
    return ec == std::errc() && at == end ? std::optional(number) : std::nullopt;
}

} // namespace

std::optional<operation> find_operation(std::string_view target)
{
    const auto path = target.substr(0, target.find('?'));
    if (path == "/api/v1/reload")
    {
        operation o;
        o.kind = operation::what::reload;
        return o;
    }
    if (!path.starts_with(root))
        return std::nullopt;
    const auto parts = parts_of(path.substr(root.size()));
    operation o;
    if (parts.size() == 3 && parts[0] == "listeners" &&
        (parts[2] == "pause" || parts[2] == "resume"))
    {
        o.kind = parts[2] == "pause" ? operation::what::pause : operation::what::resume;
        o.listener = parts[1];
        return o;
    }
    if (parts.size() == 4 && parts[0] == "members" && parts[3] == "state")
    {
        o.kind = operation::what::set_state;
        o.cluster = parts[1];
        o.member = parts[2];
        return o;
    }
    if (parts.size() == 3 && parts[0] == "sessions" && parts[2] == "kill")
    {
        const auto id = number_of(parts[1]);
        o.kind = operation::what::kill;
        o.session = id.value_or(0);
        return id ? std::optional(o) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<response> read_body(operation& o, std::string_view body)
{
    if (o.kind != operation::what::set_state)
        return std::nullopt;
    const std::string expected = R"(expected {"state": "ready"}, "drain" or "maint")";
    boost::system::error_code ec;
    const auto value = json::parse(body, ec);
    const auto* object = ec ? nullptr : value.if_object();
    const auto* word = object ? object->if_contains("state") : nullptr;
    if (!word || !word->is_string())
        return error(400, expected);
    const auto& text = word->get_string();
    const auto state = health::operator_state_from({text.data(), text.size()});
    if (!state)
        return error(
            400,
            expected + config::did_you_mean({text.data(), text.size()}, {"ready", "drain", "maint"})
        );
    o.state = *state;
    return std::nullopt;
}

response done(const operation& o, const std::vector<std::string>& warnings)
{
    json::object said;
    switch (o.kind)
    {
    case operation::what::pause:
    case operation::what::resume:
        said["listener"] = o.listener;
        said["paused"] = o.kind == operation::what::pause;
        break;
    case operation::what::set_state:
        said["cluster"] = o.cluster;
        said["member"] = o.member;
        said["state"] = health::to_string(o.state);
        said["warnings"] = json::array(warnings.begin(), warnings.end());
        break;
    case operation::what::kill:
        said["session"] = o.session;
        said["killed"] = true;
        said["result"] = "killed";
        break;
    case operation::what::reload: // see reload_answer()
        break;
    }
    return {200, "application/json", json::serialize(said) + "\n"};
}

response ending_already(const operation& o)
{
    const json::object said{{"session", o.session}, {"killed", false}, {"result", "ending"}};
    return {200, "application/json", json::serialize(said) + "\n"};
}

response upgrade_under_way()
{
    return error(
        409,
        "an upgrade is under way, and the new process would not know of this order: nothing has "
        "changed; try again when it is over, in 15 seconds at most"
    );
}

response reload_answer(const reload_report& r)
{
    return {r.problems.empty() ? 200 : 422, "application/json", reload_json(r)};
}

} // namespace rolegate::proxy::admin

// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/cluster_body.hpp"

#include "health/patroni/json_fields.hpp"

#include <limits>
#include <set>

namespace rolegate::health::patroni
{
namespace
{

std::string_view without_brackets(std::string_view host) noexcept
{
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
        return host.substr(1, host.size() - 2);
    return host;
}

std::uint16_t port_in(const boost::json::object& in) noexcept
{
    const auto port = count_or_digits_at(in, "port");
    if (!port || *port > std::numeric_limits<std::uint16_t>::max())
        return 0;
    return static_cast<std::uint16_t>(*port);
}

// The listing's own words: it compares names with keys of the DCS and asks no PostgreSQL.
member_role listed_role(std::string_view text) noexcept
{
    if (text == "leader")
        return member_role::primary;
    if (text == "standby_leader")
        return member_role::standby_leader;
    if (text == "replica" || text == "sync_standby" || text == "quorum_standby")
        return member_role::replica;
    return member_role::unknown;
}

listed_member decode_listed(const boost::json::object& in)
{
    listed_member m;
    m.name = text_at(in, "name");
    m.role_text = text_at(in, "role");
    m.role = listed_role(m.role_text);
    m.holds_lock = m.role == member_role::primary || m.role == member_role::standby_leader;
    m.state_text = text_at(in, "state");
    m.state = state_from(m.state_text);
    m.host = without_brackets(text_at(in, "host"));
    m.port = port_in(in);
    m.api_url = text_at(in, "api_url");
    m.timeline = timeline_at(in, "timeline");
    m.lag_bytes = count_at(in, "lag");
    if (const auto* tags = object_at(in, "tags"))
        m.noloadbalance = flag_at(*tags, "noloadbalance");
    m.tags = tags_at(in, "tags");
    return m;
}

// Both are keys in the DCS: a listing that contradicts them is somebody else's, and believing
// half of it could open two members for writing.
std::string contradiction_in(const std::vector<listed_member>& members)
{
    std::set<std::string_view> names;
    std::string_view holder;
    for (const auto& m : members)
    {
        if (!names.insert(m.name).second)
            return "member '" + m.name + "' is listed twice";
        if (m.holds_lock && !holder.empty())
            return "both '" + std::string(holder) + "' and '" + m.name + "' are listed as leader";
        if (m.holds_lock)
            holder = m.name;
    }
    return {};
}

// A plan names somebody; a time alone is none.
std::optional<planned_switchover> switchover_in(const boost::json::object& body)
{
    const auto* in = object_at(body, "scheduled_switchover");
    if (in == nullptr)
        return std::nullopt;
    planned_switchover plan;
    plan.from = text_at(*in, "from");
    plan.to = text_at(*in, "to");
    plan.at = text_at(*in, "at");
    if (plan.from.empty() && plan.to.empty())
        return std::nullopt;
    return plan;
}

} // namespace

decoded<cluster_listing> decode_cluster(std::string_view body)
{
    const auto parsed = parse_object(body);
    if (!parsed)
        return parsed.error();
    const auto* members = array_at(*parsed, "members");
    if (members == nullptr)
        return std::string("the body has no list of 'members'");
    if (members->size() > max_members)
        return "the body lists more than " + std::to_string(max_members) + " members";

    cluster_listing listing;
    for (const auto& entry : *members)
        if (const auto* in = entry.if_object(); in != nullptr && !text_at(*in, "name").empty())
            listing.members.push_back(decode_listed(*in));
    if (auto problem = contradiction_in(listing.members); !problem.empty())
        return problem;
    listing.scope = text_at(*parsed, "scope");
    listing.pause = flag_at(*parsed, "pause");
    listing.switchover = switchover_in(*parsed);
    return listing;
}

} // namespace rolegate::health::patroni

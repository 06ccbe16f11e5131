// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/cluster_keys.hpp"

#include "health/dcs/conn_url.hpp"
#include "health/patroni/cluster_body.hpp"
#include "health/patroni/config_body.hpp"
#include "health/patroni/json_fields.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace rolegate::health::dcs
{
namespace
{

namespace json = boost::json;
using patroni::count_at;
using patroni::count_or_digits_at;
using patroni::flag_at;
using patroni::object_at;
using patroni::parse_object;
using patroni::text_at;

constexpr std::string_view members_folder = "members/";
constexpr std::size_t max_member_value = std::size_t{64} * 1024;
constexpr std::size_t max_value = std::size_t{1024} * 1024;

// A text from outside of JSON, held to the same rules as one from inside.
std::string plain(std::string_view text)
{
    if (text.size() > patroni::max_text)
        return {};
    const json::object in{{"text", text}};
    return std::string(text_at(in, "text"));
}

std::string_view trimmed(std::string_view text) noexcept
{
    constexpr std::string_view blanks = " \t\r\n";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

// "members/NAME", NAME in one part, as Patroni asks for.
bool is_member_key(std::string_view key)
{
    if (!key.starts_with(members_folder))
        return false;
    const auto name = key.substr(members_folder.size());
    return name.find('/') == std::string_view::npos && !plain(name).empty();
}

bool is_other_key(std::string_view key) noexcept
{
    static constexpr std::array<std::string_view, 7> known{
        "leader", "config", "failover", "sync", "status", "optime/leader", "initialize"};
    return std::find(known.begin(), known.end(), key) != known.end();
}

json::object object_in(const key_value* kv)
{
    auto parsed = parse_object(kv != nullptr ? std::string_view(kv->value) : std::string_view{});
    return parsed ? std::move(*parsed) : json::object{};
}

// --- the keys that are about the whole cluster --------------------------------------------------

// As Python takes it; not text_at(), since a command may be long.
bool is_set(const json::object& in, std::string_view key) noexcept
{
    const auto* v = in.if_contains(key);
    const auto* text = v != nullptr ? v->if_string() : nullptr;
    return text != nullptr ? !text->empty() : flag_at(in, key);
}

// Patroni's is_standby_cluster().
bool is_standby_cluster(const json::object& config)
{
    const auto* in = object_at(config, "standby_cluster");
    return in != nullptr &&
           (is_set(*in, "host") || is_set(*in, "port") || is_set(*in, "restore_command"));
}

// Where the leader was when it last said so. `status` is from Patroni 2.1 on; `optime/leader` is
// older, and written beside it as long as a member needs it.
std::optional<std::int64_t> leader_position(const key_value* status, const key_value* optime)
{
    if (const auto position = count_or_digits_at(object_in(status), "optime"))
        return position;
    if (optime == nullptr)
        return std::nullopt;
    return count_or_digits_at(json::object{{"optime", plain(trimmed(optime->value))}}, "optime");
}

// "leader:candidate", what requests looked like before they were JSON.
std::optional<planned_switchover> legacy_switchover(std::string_view value)
{
    const auto colon = value.find(':');
    if (colon == std::string_view::npos || value.find_first_of("{[\"") != std::string_view::npos)
        return std::nullopt;
    auto to = value.substr(colon + 1);
    to = to.substr(0, to.find(':'));
    return planned_switchover{plain(trimmed(value.substr(0, colon))), plain(trimmed(to)), ""};
}

// Patroni leaves `{}` behind when it is done.
std::optional<planned_switchover> switchover_in(const key_value* failover)
{
    if (failover == nullptr)
        return std::nullopt;
    std::optional<planned_switchover> plan;
    if (const auto in = parse_object(failover->value))
        plan = planned_switchover{
            std::string(text_at(*in, "leader")),
            std::string(text_at(*in, "member")),
            std::string(text_at(*in, "scheduled_at"))};
    else
        plan = legacy_switchover(failover->value);
    if (plan && plan->from.empty() && plan->to.empty())
        return std::nullopt;
    return plan;
}

// Which role_text the synchronous standbys have, and who they are.
struct synchronous
{
    const char* role_text = "sync_standby";
    std::set<std::string, std::less<>> names;
};

// Patroni compares their names so, from 3.0.3 on.
std::string in_lower_case(std::string_view name)
{
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// The key may outlive the mode: from 3.3.1 on Patroni itself asks the configuration as well. A
// standby cluster never has the mode.
synchronous synchronous_in(const key_value* sync, const json::object& config)
{
    const bool is_quorum = in_lower_case(text_at(config, "synchronous_mode")) == "quorum";
    if (is_standby_cluster(config) || (!is_quorum && !flag_at(config, "synchronous_mode")))
        return {};

    synchronous standbys;
    if (is_quorum)
        standbys.role_text = "quorum_standby";
    const auto in = object_in(sync);
    // Not text_at(): a list of many names is longer than one word may be.
    const auto* value = in.if_contains("sync_standby");
    const auto* text = value != nullptr ? value->if_string() : nullptr;
    auto rest = text != nullptr ? std::string_view(*text) : std::string_view{};
    while (!rest.empty())
    {
        const auto name = rest.substr(0, rest.find(','));
        standbys.names.insert(in_lower_case(trimmed(name)));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    }
    return standbys;
}

// --- the members --------------------------------------------------------------------------------

// What every member is seen against.
struct surroundings
{
    std::string leader;
    bool standby_cluster = false;
    std::optional<std::int64_t> position;
    synchronous standbys;
};

void set_address(listed_member& m, std::string_view url)
{
    const auto parsed = parse_conn_url(url);
    if (!parsed)
        return;
    m.host = plain(parsed->host);
    m.port = m.host.empty() ? 0 : parsed->port;
    if (m.api_url.empty())
        m.api_url = plain(parsed->api_url);
}

void set_role(listed_member& m, const surroundings& around)
{
    m.holds_lock = m.name == around.leader;
    m.role = member_role::replica;
    m.role_text = around.standbys.names.contains(in_lower_case(m.name)) ? around.standbys.role_text
                                                                        : "replica";
    if (!m.holds_lock)
        return;
    m.role = around.standby_cluster ? member_role::standby_leader : member_role::primary;
    m.role_text = around.standby_cluster ? "standby_leader" : "leader";
}

// A replica's replication_state, from 3.0.4 on, says more than its state.
void set_state(listed_member& m, const json::object& in)
{
    if (!m.holds_lock)
        m.state_text = text_at(in, "replication_state");
    if (m.state_text.empty())
        m.state_text = text_at(in, "state");
    m.state = patroni::state_from(m.state_text);
}

std::optional<std::int64_t> lag_in(const json::object& in, const surroundings& around)
{
    const auto own = count_at(in, "xlog_location");
    if (!own || !around.position)
        return std::nullopt;
    return std::max<std::int64_t>(0, *around.position - *own);
}

listed_member member_from(const key_value& kv, const surroundings& around)
{
    listed_member m;
    m.name = kv.key.substr(members_folder.size());
    set_role(m, around);
    const auto parsed = parse_object(kv.value);
    if (!parsed)
    {
        // Before it was JSON it was the address alone; what is neither reads as empty.
        set_address(m, trimmed(kv.value));
        return m;
    }
    const auto& in = *parsed;
    set_state(m, in);
    m.api_url = text_at(in, "api_url");
    set_address(m, text_at(in, "conn_url"));
    if (const auto pooler = parse_conn_url(text_at(in, "proxy_url")))
        m.pooler = {plain(pooler->host), pooler->port};
    m.timeline = patroni::timeline_at(in, "timeline");
    if (!m.holds_lock)
        m.lag_bytes = lag_in(in, around);
    if (const auto* tags = object_at(in, "tags"))
        m.noloadbalance = flag_at(*tags, "noloadbalance");
    m.tags = patroni::tags_at(in, "tags");
    return m;
}

// Whoever holds the lock is listed, whether or not its own key is there.
void add_missing_holder(std::vector<listed_member>& members, const surroundings& around)
{
    const auto& leader = around.leader;
    const auto place = std::lower_bound(
        members.begin(),
        members.end(),
        leader,
        [](const listed_member& m, const std::string& name) { return m.name < name; }
    );
    if (leader.empty() || (place != members.end() && place->name == leader))
        return;
    listed_member m;
    m.name = leader;
    set_role(m, around);
    members.insert(place, std::move(m));
}

} // namespace

std::string
key_prefix(std::string_view name_space, std::string_view scope, std::optional<int> group)
{
    std::string path = "/" + std::string(name_space) + "/" + std::string(scope) + "/";
    if (group)
        path += std::to_string(*group) + "/";
    const auto both_slashes = [](char a, char b) { return a == '/' && b == '/'; };
    path.erase(std::unique(path.begin(), path.end(), both_slashes), path.end());
    return path;
}

void cluster_keys::clear()
{
    keys_.clear();
    members_ = 0;
}

void cluster_keys::put(key_value kv)
{
    const bool is_member = is_member_key(kv.key);
    if (!is_member && !is_other_key(kv.key))
        return;
    if (kv.value.size() > (is_member ? max_member_value : max_value))
    {
        erase(kv.key);
        return;
    }
    const auto place = keys_.find(kv.key);
    if (place != keys_.end())
    {
        place->second = std::move(kv);
        return;
    }
    if (is_member && members_ == patroni::max_members)
        return;
    members_ += is_member ? 1 : 0;
    auto key = kv.key;
    keys_.emplace(std::move(key), std::move(kv));
}

void cluster_keys::erase(const std::string& key)
{
    if (keys_.erase(key) > 0 && key.starts_with(members_folder))
        --members_;
}

const key_value* cluster_keys::find(const std::string& key) const
{
    const auto place = keys_.find(key);
    return place != keys_.end() ? &place->second : nullptr;
}

cluster_state cluster_keys::state() const
{
    cluster_state s;
    if (const auto* leader = find("leader"))
    {
        s.leader = plain(leader->value);
        s.leader_lease = leader->lease;
    }
    const auto* config_key = find("config");
    const auto config = object_in(config_key);
    if (config_key != nullptr)
        if (const auto ttl = patroni::decode_ttl(config_key->value))
            s.ttl = *ttl;
    s.failsafe_mode = flag_at(config, "failsafe_mode");
    s.standby_cluster = is_standby_cluster(config);
    s.listing.pause = flag_at(config, "pause");
    s.listing.switchover = switchover_in(find("failover"));

    const surroundings around{
        s.leader,
        s.standby_cluster,
        leader_position(find("status"), find("optime/leader")),
        synchronous_in(find("sync"), config)};
    // In the order of their names, as a map's keys are.
    for (auto i = keys_.lower_bound(std::string(members_folder));
         i != keys_.end() && i->first.starts_with(members_folder);
         ++i)
        s.listing.members.push_back(member_from(i->second, around));
    add_missing_holder(s.listing.members, around);
    return s;
}

} // namespace rolegate::health::dcs

// SPDX-License-Identifier: PostgreSQL
//
// Contract: any keys are a listing in the order of its names, with the holder of the lock in it if
// there is one, and nobody else as holder. Input: one change a line, "KEY=VALUE" or "-KEY".
#include "health/dcs/cluster_keys.hpp"
#include "health/dcs/conn_url.hpp"
#include "health/patroni/cluster_body.hpp"

#include "tests/fuzz/texts.hpp"

#include <algorithm>
#include <chrono>

using namespace rolegate::health;
using namespace rolegate::fuzz;

namespace
{

void change(dcs::cluster_keys& keys, std::string_view line)
{
    if (line.starts_with('-'))
    {
        const std::string key(line.substr(1));
        keys.erase(key);
        require(keys.find(key) == nullptr);
        return;
    }
    const auto end = line.find('=');
    if (end != std::string_view::npos)
        keys.put({std::string(line.substr(0, end)), std::string(line.substr(end + 1)), 7});
}

void require_sound(const listed_member& m, const dcs::cluster_state& s)
{
    require(!m.name.empty() && m.holds_lock == (m.name == s.leader));
    require(m.holds_lock == (m.role != member_role::replica));
    require((m.role == member_role::standby_leader) == (m.holds_lock && s.standby_cluster));
    require(m.host.empty() == (m.port == 0));
    require(!m.timeline || *m.timeline > 0);
    require(!m.lag_bytes || (*m.lag_bytes >= 0 && !m.holds_lock));
    require_printable({m.name, m.role_text, m.state_text, m.host, m.api_url});
}

void require_sound(const dcs::cluster_state& s)
{
    const auto& members = s.listing.members;
    require(members.size() <= patroni::max_members + 1);
    for (std::size_t i = 0; i < members.size(); ++i)
    {
        require_sound(members[i], s);
        require(i == 0 || members[i - 1].name < members[i].name);
    }
    require((s.listing.leader() != nullptr) == !s.leader.empty());
    require(!s.ttl || (*s.ttl >= std::chrono::seconds(1) && *s.ttl < std::chrono::hours(24)));
    require_printable({s.leader, s.listing.scope});
    if (const auto& plan = s.listing.switchover)
    {
        require(!plan->from.empty() || !plan->to.empty());
        require_printable({plan->from, plan->to, plan->at});
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    if (const auto url = dcs::parse_conn_url(rest))
        require(!url->host.empty() && url->port > 0);

    dcs::cluster_keys keys;
    while (!rest.empty())
    {
        const auto line = rest.substr(0, rest.find('\n'));
        change(keys, line);
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
    const auto state = keys.state();
    require_sound(state);
    require(state == keys.state());

    keys.clear();
    require(keys.state() == dcs::cluster_state{});
    return 0;
}

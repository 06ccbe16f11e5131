// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/member_body.hpp"

#include "health/patroni/json_fields.hpp"
#include "health/patroni/timestamp.hpp"

#include <utility>

namespace rolegate::health::patroni
{
namespace
{

// A primary says xlog.location, a server in recovery xlog.replayed_location; neither says both.
// Both are absent while PostgreSQL does not answer Patroni.
std::optional<std::int64_t> lsn_in(const boost::json::object& body)
{
    const auto* xlog = object_at(body, "xlog");
    if (xlog == nullptr)
        return std::nullopt;
    if (const auto written = count_at(*xlog, "location"))
        return written;
    return count_at(*xlog, "replayed_location");
}

} // namespace

member_state state_from(std::string_view text) noexcept
{
    // Patroni's PostgresqlState, and the words /cluster takes from a replica's replication_state
    // since 3.0.4.
    static constexpr std::pair<std::string_view, member_state> words[] = {
        {"running", member_state::running},
        {"streaming", member_state::running},
        {"in archive recovery", member_state::running},
        {"starting", member_state::starting},
        {"restarting", member_state::starting},
        {"creating replica", member_state::starting},
        {"initializing new cluster", member_state::starting},
        {"running custom bootstrap script", member_state::starting},
        {"starting after custom bootstrap", member_state::starting},
        {"stopping", member_state::stopping},
        {"stopped", member_state::stopped},
        {"stop failed", member_state::stopped},
        {"start failed", member_state::stopped},
        {"restart failed", member_state::stopped},
        {"initdb failed", member_state::stopped},
        {"custom bootstrap failed", member_state::stopped},
        {"crashed", member_state::crashed},
    };
    for (const auto& [word, state] : words)
        if (word == text)
            return state;
    return member_state::unknown;
}

member_role role_from(std::string_view text) noexcept
{
    if (text == "primary" || text == "master") // from 4.0 on; up to 3.3
        return member_role::primary;
    if (text == "replica")
        return member_role::replica;
    if (text == "standby_leader")
        return member_role::standby_leader;
    return member_role::unknown;
}

decoded<member_word> decode_member(std::string_view body)
{
    const auto parsed = parse_object(body);
    if (!parsed)
        return parsed.error();
    const auto& in = *parsed;

    // Every version says it in every situation: without it this is not Patroni.
    if (!in.contains("state"))
        return std::string("the body has no 'state'");

    member_word word;
    word.state_text = text_at(in, "state");
    word.role_text = text_at(in, "role");
    word.state = state_from(word.state_text);
    word.role = role_from(word.role_text);
    word.timeline = timeline_at(in, "timeline");
    word.lsn = lsn_in(in);
    if (const auto* xlog = object_at(in, "xlog"))
    {
        word.received_lsn = count_at(*xlog, "received_location");
        word.replayed_timestamp = parse_timestamp(text_at(*xlog, "replayed_timestamp"));
    }
    word.replication_state = text_at(in, "replication_state");
    word.sync_standby = flag_at(in, "sync_standby");
    word.quorum_standby = flag_at(in, "quorum_standby");
    word.pause = flag_at(in, "pause");
    word.failsafe_mode_is_active = flag_at(in, "failsafe_mode_is_active");
    word.cluster_unlocked = flag_at(in, "cluster_unlocked");
    word.database_system_identifier = text_at(in, "database_system_identifier");
    if (const auto* tags = object_at(in, "tags"))
        word.noloadbalance = flag_at(*tags, "noloadbalance");
    word.tags = tags_at(in, "tags");
    if (const auto* patroni = object_at(in, "patroni"))
    {
        word.patroni_version = text_at(*patroni, "version");
        word.scope = text_at(*patroni, "scope");
        word.name = text_at(*patroni, "name");
    }
    return word;
}

} // namespace rolegate::health::patroni

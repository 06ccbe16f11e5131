// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/readiness.hpp"

#include "config/words.hpp"
#include "proxy/route.hpp"

#include <utility>

namespace rolegate::proxy::admin
{

namespace
{

std::string member_and_source(const check_key& key)
{
    return key.source == "rest" ? key.member : key.member + " over " + key.source;
}

using health::admission;

std::string join(const std::string& before, std::string_view separator, const std::string& next)
{
    return before.empty() ? next : before + std::string(separator) + next;
}

// Without a confirmed view the sources' own errors are all there is to say.
std::string with_failures(std::string text, const cluster_view& cluster)
{
    std::string failures;
    for (const auto& [key, failure] : cluster.failures)
        failures = join(failures, "; ", member_and_source(key) + ": " + failure.error);
    return failures.empty() ? std::move(text) : std::move(text) + ": " + failures;
}

// Of a cluster without a primary, the members on their way to it tell more than the others, of
// which there is only to say that somebody else holds the lock.
bool some_are_kept(destination to, const health::topology& t)
{
    for (const auto& m : t.members)
        if (grant_for(to, m).verdict == admission::keep)
            return true;
    return false;
}

// "pg-1, pg-2: nobody holds the leader lock; pg-3: ..."
std::string reasons(destination to, const health::topology& t)
{
    const bool only_kept = config::is_leader_only(to.role) && some_are_kept(to, t);
    std::vector<std::pair<std::string, std::string>> names_by_reason; // in the members' order
    for (const auto& m : t.members)
    {
        const auto& g = grant_for(to, m);
        if (only_kept && g.verdict != admission::keep)
            continue;
        const auto at = std::ranges::find(
            names_by_reason, g.reason, &std::pair<std::string, std::string>::first
        );
        if (at == names_by_reason.end())
            names_by_reason.emplace_back(g.reason, m.name);
        else
            at->second += ", " + m.name;
    }

    std::string text;
    for (const auto& [reason, names] : names_by_reason)
        text = join(text, "; ", names + ": " + reason);
    return text;
}

// Texts of members and errors come from the network; a line break would forge another line.
std::string one_line(std::string text)
{
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' '
    );
    return text;
}

std::string stale_text(const health::topology& t, health::time_point now)
{
    if (!t.confirmed)
        return "cluster " + t.cluster + " has not been seen yet";
    return "the view of cluster " + t.cluster + " is stale, last confirmed " +
           std::to_string(ms_between(*t.confirmed, now)) + " ms ago";
}

} // namespace

std::string why_not_ready(const process_view& view, const listener_view& listener)
{
    const auto& settings = listener.settings;
    if (view.shutting_down)
        return "shutting down";
    if (listener.bound.empty())
        return "not bound";
    const auto* cluster = view.find_cluster(settings.cluster);
    if (!cluster || !cluster->topology->confirmed)
    {
        const auto text = "cluster " + settings.cluster + " has not been seen yet";
        return one_line(cluster ? with_failures(text, *cluster) : text);
    }
    const auto& t = *cluster->topology;
    if (t.stale(view.now))
        return one_line(with_failures(stale_text(t, view.now), *cluster));
    if (!open_members(listener.to, t, view.now).empty())
        return "";
    if (t.members.empty())
        return one_line(with_failures("cluster " + t.cluster + " lists no member", *cluster));
    return one_line("no member is open: " + reasons(listener.to, t));
}

std::string reason_of(const health::topology& t, const health::member& m, health::time_point now)
{
    if (t.stale(now))
        return stale_text(t, now);
    if (m.order.state != health::operator_state::ready)
        return m.order.reason;
    if (m.write.verdict == admission::open)
        return m.write.reason;
    if (m.read.verdict == admission::open)
        return m.read.reason;
    // Nearly the primary, or still believed to be one: its way to the write port is what matters.
    if (m.write.verdict == admission::keep || m.role == health::member_role::primary)
        return m.write.reason;
    return m.read.reason;
}

std::string role_word(const listener_view& listener)
{
    return config::word_of(config::listener_role_words, listener.settings.role);
}

std::int64_t ms_between(health::time_point from, health::time_point to) noexcept
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

} // namespace rolegate::proxy::admin

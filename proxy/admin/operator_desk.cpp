// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/operator_desk.hpp"

#include "proxy/front.hpp"
#include "proxy/log.hpp"

#include <algorithm>
#include <utility>

namespace rolegate::proxy::admin
{

namespace asio = boost::asio;
using config::log_level;

namespace
{

// Of orders about the same in ten seconds: nobody gives more by hand.
constexpr unsigned lines_told = 20;

std::string who_of(const operation& o)
{
    return o.who.empty() ? "-" : log::quoted(o.who);
}

} // namespace

asio::awaitable<response> operator_desk::operate(operation o)
{
    const bool stands = o.kind != operation::what::reload && o.kind != operation::what::kill;
    if (stands && means_.upgrading())
        co_return upgrade_under_way();
    switch (o.kind)
    {
    case operation::what::pause:
    case operation::what::resume:
        co_return pause(o);
    case operation::what::set_state:
        co_return set_state(o);
    case operation::what::reload:
        log::line(log_level::info, "reload_asked_for").add("by", who_of(o));
        co_return reload_answer(means_.reload());
    case operation::what::kill:
        break;
    }
    const auto result = co_await means_.clients().kill(o.session);
    if (result == kill_result::unknown)
        co_return no_such("session has the number", std::to_string(o.session), {});
    if (result == kill_result::ending)
        co_return ending_already(o);
    log::line(log_level::info, "session_killed")
        .add("id", static_cast<std::int64_t>(o.session))
        .add("by", who_of(o));
    co_return done(o);
}

void operator_desk::take_over(standing_orders orders)
{
    for (const auto& [listener, by] : orders_.paused)
        if (!orders.paused.contains(listener))
            static_cast<void>(means_.clients().pause(listener, false));
    orders_ = std::move(orders);
    apply();
    means_.changed(orders_);
}

void operator_desk::apply()
{
    for (const auto& [listener, by] : orders_.paused)
        static_cast<void>(means_.clients().pause(listener, true));
    for (const auto& t : means_.beliefs())
        means_.obey(t->cluster, orders_.orders_of(t->cluster));
}

response operator_desk::pause(const operation& o)
{
    const bool is_pause = o.kind == operation::what::pause;
    const bool here = means_.clients().pause(o.listener, is_pause);
    // What stands can be taken back though the listener has gone: it may come back.
    if (!here && (is_pause || !orders_.paused.contains(o.listener)))
        return no_such_listener(o.listener, means_.clients().names());
    orders_.set_paused(o.listener, is_pause, stamp(o));
    means_.changed(orders_);
    log::line(log_level::info, is_pause ? "paused" : "resumed")
        .limit(lines_told, {{"listener", o.listener}})
        .add("listener", o.listener)
        .add("by", who_of(o));
    return done(o);
}

response operator_desk::set_state(const operation& o)
{
    std::vector<std::string> known;
    health::topology_ptr before;
    for (const auto& t : means_.beliefs())
    {
        known.push_back(t->cluster);
        if (t->cluster == o.cluster)
            before = t;
    }
    const bool takes_back =
        o.state == health::operator_state::ready && orders_.has_member(o.cluster, o.member);
    if (!before && !takes_back)
        return no_such("cluster is named", o.cluster, known);
    if (!takes_back && !before->find(o.member))
    {
        known.clear();
        for (const auto& m : before->members)
            known.push_back(m.name);
        return no_such("member of cluster '" + o.cluster + "' is named", o.member, known);
    }

    auto& clients = means_.clients();
    const auto had_none = before ? clients.deserted(*before) : std::vector<std::string>{};
    orders_.set_member(o.cluster, o.member, {o.state, stamp(o)});
    means_.obey(o.cluster, orders_.orders_of(o.cluster));
    means_.changed(orders_);
    log::line(log_level::info, "member_state")
        .limit(lines_told, {{"cluster", o.cluster}, {"member", o.member}})
        .add("cluster", o.cluster)
        .add("member", log::quoted(o.member))
        .add("state", health::to_string(o.state))
        .add("by", who_of(o));

    std::vector<std::string> warnings;
    for (const auto& now : means_.beliefs())
        if (now->cluster == o.cluster)
            for (const auto& listener : clients.deserted(*now))
                if (std::ranges::find(had_none, listener) == had_none.end())
                    warnings.push_back("listener " + listener + " has no member now");
    return done(o, warnings);
}

ordered_by operator_desk::stamp(const operation& o) const
{
    return {o.who, std::chrono::system_clock::now()};
}

} // namespace rolegate::proxy::admin

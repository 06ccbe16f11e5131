// SPDX-License-Identifier: PostgreSQL
#include "health/tcp_monitor.hpp"

#include "health/address.hpp"
#include "health/member_check.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using std::chrono::milliseconds;

// Of one check, the look-up of the name included.
milliseconds limit_of(const config::check_settings& s)
{
    return s.timeout.value_or(s.inter);
}

// Every check, good or bad, confirms the view. Only when two of each member should have ended and
// none has, something is wrong with us.
milliseconds stale_after(const config::check_settings& s)
{
    const auto pause = std::max({s.inter, s.fastinter.value_or(0ms), s.downinter.value_or(0ms)});
    return std::max(milliseconds(10s), 2 * (pause + limit_of(s)));
}

} // namespace

tcp_monitor::tcp_monitor(
    asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
)
    : control_(control), settings_(*settings.tcp), demands_(std::move(demands)), observer_(to),
      names_(control, [] {})
{
    next_.cluster = settings.name;
    next_.kind = cluster_kind::tcp;
    next_.began = clock::now();
    next_.stale_after = stale_after(settings_.check);
    for (const auto& place : settings_.members)
    {
        auto& m = next_.members.emplace_back();
        m.name = host_and_port(place.host, place.port);
        m.host = place.host;
        m.port = place.port;
        m.write = {admission::closed, "no-roles", "this cluster has no roles"};
    }
    std::ranges::sort(next_.members, {}, &member::name);
    for (std::size_t i = 0; i < next_.members.size(); ++i)
    {
        auto& c = checks_.emplace_back(checks{
            i, check_count(settings_.check), asio::steady_timer(control)});
        static_cast<void>(judge(next_.members[i], c, ""));
    }
    grant_demands(next_, next_, demands_, next_.began.value());
    believed_ = std::make_shared<const topology>(next_);
}

// The first checks are spread over the whole interval, and with them all that follow.
void tcp_monitor::start()
{
    const auto now = clock::now();
    const auto members = static_cast<std::int64_t>(checks_.size());
    for (auto& c : checks_)
    {
        const auto before = static_cast<std::int64_t>(c.index);
        c.next = now + clock::duration(settings_.check.inter) * before / members;
        asio::co_spawn(
            control_,
            follow(c),
            [](std::exception_ptr e)
            {
                if (e)
                    std::rethrow_exception(e);
            }
        );
    }
}

void tcp_monitor::stop()
{
    stopped_ = true;
    names_.stop();
    for (auto& c : checks_)
        c.timer.cancel();
}

// A session that has ended is nothing special where nobody knows the protocol.
void tcp_monitor::hint(const std::string& member, life_sign seen)
{
    const auto* m = next_.find(member);
    if (!m || seen != life_sign::refused)
        return;
    auto& c = checks_[static_cast<std::size_t>(m - next_.members.data())];
    const auto& s = settings_.check;
    const auto early = std::max(clock::now(), c.ended + s.fastinter.value_or(s.inter));
    if (early >= c.next)
        return;
    c.next = early;
    c.timer.cancel();
}

asio::awaitable<void> tcp_monitor::follow(checks& c)
{
    while (!stopped_)
    {
        if (clock::now() < c.next)
        {
            c.timer.expires_at(c.next);
            co_await c.timer.async_wait(asio::as_tuple(asio::use_awaitable));
            continue; // it may have been woken to wait for less
        }
        const auto began = clock::now();
        const auto error = co_await check_once(c, limit_of(settings_.check));
        if (stopped_)
            co_return;
        take(c, error, began);
        c.next = c.ended + c.count.pause();
    }
}

asio::awaitable<std::string> tcp_monitor::check_once(checks& c, milliseconds limit)
{
    const auto until = clock::now() + limit;
    const auto& m = next_.members[c.index];
    const auto& http = settings_.check.http;
    http_target to;
    to.host = m.host;
    to.port = http && http->port != 0 ? http->port : m.port;
    to.address = co_await names_.address_of(m.host, limit);
    if (to.address.empty())
        co_return "host name '" + m.host + "' has no address";
    c.address = to.address;
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock::now());
    auto error = co_await check_member(std::move(to), http, std::max(left, 1ms));
    if (!error.empty())
        names_.avoid(m.host, c.address); // of a name with several the next one is tried
    co_return error;
}

// --- what a check has taught -------------------------------------------------------------------

void tcp_monitor::take(checks& c, const std::string& error, time_point began)
{
    const auto now = clock::now();
    auto& m = next_.members[c.index];
    error.empty() ? c.count.good() : c.count.bad();
    c.ended = now;
    m.word_seen = now;
    m.error = error;
    next_.confirmed = now;
    const auto was = m.state_text;
    // Clients are led to the address that has answered last.
    const bool moved = error.empty() && std::exchange(m.address, c.address) != c.address;
    const bool changed = judge(m, c, error) || moved;
    if (changed)
    {
        ++next_.generation;
        next_.cause = m.name + " is " + m.state_text + ": " + m.read.reason;
    }
    report(m, error, now - began);
    if (!error.empty())
        hasten_first_checks(now);
    if (changed || m.state_text != was || now - published_ >= republish_every)
        publish(changed, now);
}

// True: clients are led there from now on, or not any more.
bool tcp_monitor::judge(member& m, const checks& c, const std::string& error)
{
    const bool up = c.count.is_known() && c.count.is_up();
    const auto was = std::exchange(m.read, grant{}).rule;
    m.read.verdict = up ? admission::open : admission::closed;
    m.read.rule = !c.count.is_known() ? "not-checked" : up ? "check-passed" : "check-failed";
    m.read.reason = c.count.reason(error);
    m.state = up ? member_state::running : member_state::unknown;
    m.state_text = c.count.is_known() ? c.count.text() : "not checked";
    return std::string_view(was) != m.read.rule;
}

void tcp_monitor::report(const member& m, const std::string& error, clock::duration took)
{
    const auto& http = settings_.check.http;
    check c;
    c.cluster = next_.cluster;
    c.member = m.name;
    c.address = m.name;
    c.source = http ? "http" : "tcp";
    c.path = http ? http->uri : "connect";
    c.error = error;
    c.took = took;
    observer_.on_check(c);
}

// While nobody is up clients wait for whoever is checked next.
void tcp_monitor::hasten_first_checks(time_point now)
{
    const auto is_open = [](const member& m) { return m.read.verdict == admission::open; };
    if (std::ranges::any_of(next_.members, is_open))
        return;
    const auto waits = [now](const checks& c) { return !c.count.is_known() && c.next > now; };
    const auto found = std::ranges::find_if(checks_, waits);
    if (found == checks_.end())
        return;
    found->next = now;
    found->timer.cancel();
}

void tcp_monitor::publish(bool changed, time_point now)
{
    published_ = now;
    grant_demands(next_, *believed_, demands_, now);
    believed_ = std::make_shared<const topology>(next_);
    observer_.on_topology(believed_, changed);
}

} // namespace rolegate::health

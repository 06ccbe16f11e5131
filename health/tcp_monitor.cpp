// SPDX-License-Identifier: PostgreSQL
#include "health/tcp_monitor.hpp"

#include "health/address.hpp"
#include "health/inherit.hpp"
#include "health/restrain.hpp"

#include <algorithm>
#include <utility>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using std::chrono::milliseconds;

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
    : settings_(*settings.tcp), demands_(std::move(demands)), observer_(to), names_(control, [] {})
{
    next_.cluster = settings.name;
    next_.kind = cluster_kind::tcp;
    next_.began = clock::now();
    next_.stale_after = stale_after(settings_.check);
    const grant nobody_writes{admission::closed, "no-roles", "this cluster has no roles"};
    for (const auto& place : settings_.members)
    {
        auto& m = next_.members.emplace_back();
        m.name = host_and_port(place.host, place.port);
        m.host = place.host;
        m.port = place.port;
        m.write = nobody_writes;
    }
    std::ranges::sort(next_.members, {}, &member::name);
    for (std::size_t i = 0; i < next_.members.size(); ++i)
    {
        auto& m = next_.members[i];
        auto& c = checks_.emplace_back(std::make_shared<check_loop>(
            control,
            settings_.check,
            names_,
            [this, i](const auto& error, auto took) { take(i, error, took); }
        ));
        c->aim(m.host, m.port);
        static_cast<void>(judge(m, c->count(), ""));
    }
    grant_demands(next_, next_, demands_, next_.began.value());
    believed_ = std::make_shared<const topology>(next_);
}

// The first checks are spread over the whole interval, and with them all that follow.
void tcp_monitor::start()
{
    const auto now = clock::now();
    const auto members = static_cast<std::int64_t>(checks_.size());
    for (std::int64_t i = 0; i < members; ++i)
        checks_[static_cast<std::size_t>(i)]->start(
            now + clock::duration(settings_.check.inter) * i / members, life()
        );
}

void tcp_monitor::stop()
{
    names_.stop();
    for (const auto& c : checks_)
        c->stop();
}

void tcp_monitor::set_demands(std::vector<demand> demands)
{
    if (demands == demands_)
        return;
    next_ = redemanded(std::move(next_), demands_, demands);
    demands_ = std::move(demands);
    publish(true, clock::now());
}

// Members have no history: whoever is up by our own checks is up.
void tcp_monitor::inherit(const topology& known)
{
    next_.generation = std::max(next_.generation, known.generation) + 1;
    next_.cause = "the configuration has changed";
    believed_ = std::make_shared<const topology>(next_);
}

// A session that has ended is nothing special where nobody knows the protocol.
void tcp_monitor::hint(const std::string& member, life_sign seen)
{
    const auto* m = next_.find(member);
    if (m && seen == life_sign::refused)
        checks_[static_cast<std::size_t>(m - next_.members.data())]->doubt();
}

void tcp_monitor::obey(const operator_orders& orders)
{
    for (auto& m : next_.members)
        take_order(m, orders);
    const auto same = [](const member& a, const member& b) { return a.order == b.order; };
    if (std::ranges::equal(next_.members, believed_->members, same))
        return;
    ++next_.generation;
    next_.cause = cause_of_change(*believed_, next_);
    publish(true, clock::now());
}

// --- what a check has taught -------------------------------------------------------------------

void tcp_monitor::take(std::size_t index, const std::string& error, clock::duration took)
{
    const auto now = clock::now();
    const auto& c = *checks_[index];
    auto& m = next_.members[index];
    m.word_seen = now;
    m.error = error;
    next_.confirmed = now;
    const auto was = m.state_text;
    const bool moved = error.empty() && lead_to(m, c.trials());
    const bool changed = judge(m, c.count(), error) || moved;
    if (changed)
    {
        ++next_.generation;
        next_.cause = m.name + " is " + m.state_text + ": " + m.read.reason;
    }
    report(m, error, took);
    if (!error.empty())
        hasten_first_checks(now);
    if (changed || m.state_text != was || now - published_ >= republish_every)
        publish(changed, now);
}

// Clients are led to the address that has answered last. The other ones of the name are there to be
// tried where a connect is all that a check is; a request may tell addresses apart that take
// connections alike, such as a primary and its standbys. True: it is not where it was.
bool tcp_monitor::lead_to(member& m, const address_trials& trials) const
{
    auto others = settings_.check.http ? address_list{} : trials.others();
    const bool moved = m.address != trials.answered() || m.other_addresses != others;
    m.address = trials.answered();
    m.other_addresses = std::move(others);
    return moved;
}

// True: clients are led there from now on, or not any more.
bool tcp_monitor::judge(member& m, const check_count& count, const std::string& error)
{
    const bool up = count.is_known() && count.is_up();
    const auto was = std::exchange(m.read, grant{}).rule;
    m.read.verdict = up ? admission::open : admission::closed;
    m.read.rule = !count.is_known() ? "not-checked" : up ? "check-passed" : "check-failed";
    m.read.reason = count.reason(error);
    if (error.empty() && !m.address.empty() && m.address != m.host)
        m.read.reason += ", at " + m.address;
    m.state = up ? member_state::running : member_state::unknown;
    m.state_text = count.is_known() ? count.text() : "not checked";
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
    const auto waits = [now](const auto& c) { return !c->count().is_known() && c->next() > now; };
    const auto found = std::ranges::find_if(checks_, waits);
    if (found != checks_.end())
        (*found)->hasten(now);
}

void tcp_monitor::publish(bool changed, time_point now)
{
    published_ = now;
    grant_demands(next_, *believed_, demands_, now);
    believed_ = std::make_shared<const topology>(next_);
    observer_.on_topology(believed_, changed);
}

} // namespace rolegate::health

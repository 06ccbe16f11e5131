// SPDX-License-Identifier: PostgreSQL
#include "health/postgres/monitor.hpp"

#include "health/inherit.hpp"
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::health::postgres
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;

// In bursts: a promotion takes about a tenth of a second, and a question costs PostgreSQL a
// fraction of a millisecond.
constexpr auto fast_interval = 50ms;

// For so long somebody to write to is looked for that closely. What takes longer is no promotion
// under way.
constexpr auto search_limit = 60s;

// How often the belief is looked at without an answer: while a primary waits for its handover, and
// else for names to resolve and ages to publish.
constexpr auto searching_tick = 10ms;
constexpr auto calm_tick = 200ms;

policy policy_of(const config::cluster_settings& s, std::vector<demand> demands)
{
    policy p;
    p.cluster = s.name;
    p.demands = std::move(demands);
    p.fresh_for = 3 * s.postgres->interval + s.postgres->timeout;
    p.stale_after = s.stale_after;
    p.checks_members = s.check.has_value();
    p.end_when_stale = s.on_stale == config::stale_action::shutdown_sessions;
    p.rise = s.postgres->rise;
    return p;
}

} // namespace

monitor::monitor(
    asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
)
    : control_(control), cluster_(settings.name), settings_(*settings.postgres),
      policy_(policy_of(settings, std::move(demands))), limits_{settings_.rise, settings_.fall},
      observer_(to), names_(control, [this] { wake_.cancel(); }), wake_(control),
      random_(std::random_device{}())
{
    const auto now = clock::now();
    for (const auto& place : settings_.members)
    {
        testimony t;
        t.name = host_and_port(place.host, place.port);
        t.host = place.host;
        t.port = place.port;
        seen_.members.push_back(std::move(t));
        source s;
        s.probe = std::make_shared<sql_probe>(
            control,
            settings_.sql,
            settings_.timeout,
            [this, i = sources_.size()](auto took) { take(i, took); }
        );
        s.waited = now;
        s.calm = calm_interval();
        sources_.push_back(std::move(s));
    }
    topology t;
    t.cluster = cluster_;
    t.kind = cluster_kind::postgres;
    t.began = now;
    t.stale_after = settings.stale_after.value_or(t.stale_after);
    believed_ = std::make_shared<const topology>(std::move(t));
    if (settings.check)
        checks_.emplace(control, settings, seen_.checks, to, [this] { believe(clock::now()); });
}

monitor::~monitor() = default;

void monitor::start()
{
    for (const auto& s : sources_)
        s.probe->start();
    asio::co_spawn(
        control_,
        run(),
        [alive = life()](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
}

void monitor::stop()
{
    stopped_ = true;
    names_.stop();
    for (const auto& s : sources_)
        s.probe->stop();
    if (checks_)
        checks_->stop();
    wake_.cancel();
}

void monitor::set_demands(std::vector<demand> demands)
{
    if (demands == policy_.demands)
        return;
    believed_ = std::make_shared<const topology>(redemanded(*believed_, policy_.demands, demands));
    policy_.demands = std::move(demands);
    published_ = {};
    believe(clock::now());
}

void monitor::inherit(const topology& known)
{
    believed_ = std::make_shared<const topology>(inherit_and_judge(
        *believed_,
        known,
        [this](const topology& t) { return decide(seen_, policy_, t, clock::now()); }
    ));
}

void monitor::obey(const operator_orders& orders)
{
    if (policy_.orders == orders)
        return;
    policy_.orders = orders;
    believe(clock::now());
}

void monitor::hint(const std::string& member, life_sign seen)
{
    const auto now = clock::now();
    const auto m = std::ranges::find(seen_.members, member, &testimony::name);
    if (m == seen_.members.end())
        return;
    if (seen == life_sign::refused)
    {
        m->refusals.refused(now);
        believe(now);
    }
    if (!bursts_.may_begin(member, believed_->generation, now))
        return;
    bursts_.begin(member, believed_->generation, now);
    set_pace(now);
}

asio::awaitable<void> monitor::run()
{
    while (!stopped_)
    {
        const auto now = clock::now();
        for (const auto& m : seen_.members)
            names_.want(m.host);
        // With what is known of whoever was at the old address, the new one is not believed.
        seen_.addresses = names_.addresses();
        for (std::size_t i = 0; i < sources_.size(); ++i)
            aim(i, now);
        believe(now);
        set_pace(now);
        wake_.expires_at(now + (searching(now) ? searching_tick : calm_tick));
        co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

// --- whom to ask, and how often ----------------------------------------------------------------

void monitor::aim(std::size_t member, time_point now)
{
    auto& m = seen_.members[member];
    auto& s = sources_[member];
    const auto known = seen_.addresses.find(m.host);
    const auto address = known == seen_.addresses.end() ? "" : known->second.front();
    if (address != s.address)
    {
        if (m.said.word) // whoever has never answered keeps his count of failures
            m.forget();
        s.address = address;
        s.probe->aim(m.host, address, m.port);
    }
    if (!address.empty() || now - s.waited < settings_.timeout)
        return;
    // Nobody can be asked there, which is a failure like any other.
    s.waited = now;
    sql_report missed;
    missed.error = "its host name '" + m.host + "' has no address";
    m.take(missed, limits_, now);
    observer_.on_check(s.probe->as_check(cluster_, m.name, missed.error, settings_.timeout));
}

void monitor::set_pace(time_point now)
{
    const auto hinted = bursts_.members(now);
    const auto is_hinted = [&hinted](const std::string& name)
    { return std::ranges::find(hinted, name) != hinted.end(); };
    const auto* p = believed_->primary();
    // Who is to replace a primary in trouble matters as much as the primary itself.
    const bool about_writer =
        is_hinted(believed_->last_writer) || (p != nullptr && is_hinted(p->name));
    for (std::size_t i = 0; i < sources_.size(); ++i)
    {
        const bool concerned = about_writer || is_hinted(seen_.members[i].name);
        const auto& s = sources_[i];
        s.probe->set_interval(
            searching(now) || concerned ? std::min<clock::duration>(fast_interval, s.calm) : s.calm
        );
    }
}

bool monitor::searching(time_point now) const
{
    return no_primary_since_ && now - *no_primary_since_ < search_limit;
}

clock::duration monitor::calm_interval()
{
    std::uniform_real_distribution<double> jitter(0.9, 1.1);
    return std::chrono::duration_cast<clock::duration>(settings_.interval * jitter(random_));
}

// --- what they say, and what follows from it ---------------------------------------------------

void monitor::take(std::size_t member, std::chrono::duration<double> took)
{
    const auto now = clock::now();
    auto& m = seen_.members[member];
    auto& s = sources_[member];
    const bool answered = m.answers();
    m.take(s.probe->report(), limits_, now);
    if (!m.said.word)
        names_.avoid(m.host, s.address); // of a name with several addresses the next one is asked
    s.calm = calm_interval();
    observer_.on_check(s.probe->as_check(cluster_, m.name, m.said.error, took));
    believe(now);
    // Its connection to us has ended like the clients' have.
    if (answered && !m.answers())
        hint(m.name, life_sign::ended);
}

void monitor::believe(time_point now)
{
    auto next = std::make_shared<const topology>(decide(seen_, policy_, *believed_, now));
    const bool changed = next->generation != believed_->generation;
    believed_ = std::move(next);
    if (checks_)
        checks_->follow(*believed_, life());
    if (believed_->primary())
        no_primary_since_.reset();
    else if (!no_primary_since_)
        no_primary_since_ = now;
    if (changed)
    {
        set_pace(now);
        wake_.cancel();
    }
    if (changed || now - published_ >= republish_every)
    {
        published_ = now;
        observer_.on_topology(believed_, changed);
    }
}

} // namespace rolegate::health::postgres

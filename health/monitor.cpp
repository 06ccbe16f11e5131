// SPDX-License-Identifier: PostgreSQL
#include "health/monitor.hpp"

#include "health/heard.hpp"
#include "health/lag.hpp"
#include "health/lock.hpp"

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

// Without a hint and without a settled belief, bursts end after two ttl: nothing that takes longer
// is a role change. Only a lock that may end at any moment is watched without a limit.
constexpr int burst_ttls = 2;

// Many members say the same again and again: what moves nothing but ages and bytes of WAL is taken
// in together. A decision grows with the square of the members (1 ms for 300).
constexpr auto digest_every = 100ms;

// With a watch that is healthy nothing is expected of a member whose key has not changed.
constexpr auto quiet_interval = 10s;

policy policy_of(const config::cluster_settings& s, std::vector<demand> demands)
{
    policy p;
    p.cluster = s.name;
    p.demands = std::move(demands);
    p.fresh_for = 3 * s.patroni.interval + s.patroni.timeout;
    p.word_fresh_for = p.fresh_for;
    if (s.dcs)
        p.word_fresh_for += quiet_interval;
    p.stale_after = s.stale_after;
    p.fence_without_dcs = s.on_dcs_loss == config::dcs_loss::fence;
    p.checks_members = s.check.has_value();
    p.end_when_stale = s.on_stale == config::stale_action::shutdown_sessions;
    return p;
}

// A belief that needs no closer look: the holder of the lock is open by its own fresh word.
bool settled(const topology& t)
{
    const auto* p = t.primary();
    return p && t.lock.what == lock_belief::kind::held &&
           std::string_view(p->write.rule) == "lock-and-word";
}

// The holder is open although its Patroni does not answer: its lock may run out at any moment, and
// it must be cut before a successor has been promoted, which takes about a tenth of a second.
bool lock_may_end(const topology& t)
{
    const auto* p = t.primary();
    return p && std::string_view(p->write.rule) == "degraded";
}

template <class T> clock::duration as_ticks(T d)
{
    return std::chrono::duration_cast<clock::duration>(d);
}

} // namespace

monitor::monitor(
    asio::io_context& control,
    const config::cluster_settings& settings,
    std::vector<demand> demands,
    observer& to
)
    : control_(control), settings_(settings), policy_(policy_of(settings, std::move(demands))),
      observer_(to), names_(
                         control,
                         [this]
                         {
                             if (!stopped_)
                                 believe(clock::now());
                         }
                     ),
      wake_(control), random_(std::random_device{}()),
      rest_(control, settings, names_, seen_, [this](const check& c) { take_check(c); })
{
    topology t;
    t.cluster = settings.name;
    t.began = clock::now();
    t.stale_after = settings.stale_after.value_or(t.stale_after);
    believed_ = std::make_shared<const topology>(std::move(t));
    if (settings.check)
        checks_.emplace(control, settings, seen_.checks, to, [this] { believe(clock::now()); });
    if (!settings.dcs)
        return;
    dcs::follower_observer ears;
    ears.on_report = [this](const auto& report, const auto& changed)
    { take_keys(report, changed); };
    ears.on_request = [this](const auto& endpoint, const char* what, const auto& error, auto took)
    {
        check c;
        c.cluster = settings_.name;
        c.member = c.address = endpoint;
        c.source = dcs_->report().source;
        c.path = what;
        c.error = error;
        c.took = took;
        observer_.on_check(c);
    };
    ears.resolve = [this](std::string host)
    { return names_.address_of(std::move(host), dcs::dcs_timeout); };
    ears.avoid = [this](const auto& host, const auto& address) { names_.avoid(host, address); };
    dcs_ = std::make_unique<dcs::follower>(control, *settings.dcs, std::move(ears));
    seen_.dcs = dcs_->report();
}

monitor::~monitor() = default;

void monitor::start()
{
    if (dcs_)
        dcs_->start(life());
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
    rest_.stop();
    if (dcs_)
        dcs_->stop();
    for (const auto& [name, probe] : probes_)
        probe->stop();
    if (checks_)
        checks_->stop();
    wake_.cancel();
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
    const auto* m = believed_->find(member);
    if (seen == life_sign::refused && m)
        names_.avoid(m->host, m->address);
    const auto said = seen_.words.find(member);
    if (seen != life_sign::ended && said != seen_.words.end())
    {
        if (seen == life_sign::refused)
            said->second.refusals.refused(now);
        else
            said->second.unanswered = now;
        believe(now);
    }
    if (bursts_.may_begin(member, believed_->generation, now))
        look_closer(member, now);
}

void monitor::look_closer(const std::string& member, time_point now)
{
    bursts_.begin(member, believed_->generation, now);
    wake_.cancel();
}

asio::awaitable<void> monitor::run()
{
    while (!stopped_)
    {
        const auto now = clock::now();
        const auto p = current_pace(now);
        const auto next = rest_.ask(p, now, life());
        aim_probes(p);
        // The age of the view moves on even while nobody answers.
        const auto due = decided_ + digest_every;
        if (now >= due)
            believe(clock::now());
        wake_.expires_at(std::max(now < due ? std::min(next, due) : next, now + 1ms));
        co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

// --- how closely to look -----------------------------------------------------------------------

// The DCS tells everything but the members' own words.
bool monitor::watched(time_point now) const
{
    return seen_.dcs && dcs_rules(*seen_.dcs, policy_, now) && !lease_runs_out(now);
}

// Nobody renews the lease: who knows how the DCS will be reached when it ends?
bool monitor::lease_runs_out(time_point now) const
{
    const auto& d = seen_.dcs;
    return d && d->listing.leader() && d->lease_ends && now > *d->lease_ends - lease_watch &&
           now < *d->lease_ends + lease_watch;
}

// ... and all is well, or nothing would be learnt by asking more often.
bool monitor::quiet(time_point now) const
{
    return watched(now) && !bursts_.runs(now) && (settled(*believed_) || lock_may_end(*believed_));
}

pace monitor::current_pace(time_point now)
{
    pace p;
    std::uniform_real_distribution<double> jitter(0.9, 1.1);
    p.interval = as_ticks(settings_.patroni.interval * jitter(random_));
    p.fast_interval = settings_.patroni.fast_interval;
    p.watched = watched(now);
    // What a replica has replayed stands in no key of the DCS that is younger than ten seconds.
    if (quiet(now) && !limits_lag(policy_.demands))
        p.quiet_interval = as_ticks(quiet_interval * jitter(random_));
    p.have_listing = p.watched || !seen_.reports.empty();

    const auto limit = burst_ttls * seen_.known_ttl().value_or(default_ttl);
    const bool endless = lock_may_end(*believed_) && !p.watched;
    const bool unsettled =
        unsettled_since_ && !quiet(now) && (endless || now - *unsettled_since_ < limit);
    p.focus = bursts_.members(now);
    p.fast = p.have_listing && (unsettled || !p.focus.empty());
    const auto& holder = believed_->lock.holder.empty() ? last_holder_ : believed_->lock.holder;
    if (!holder.empty() && std::ranges::find(p.focus, holder) == p.focus.end())
        p.focus.push_back(holder);

    time_point newest{};
    for (const auto& [address, report] : seen_.reports)
        newest = std::max(newest, report.seen);
    p.lock_doubtful = p.have_listing && !p.watched && now - newest > 2 * settings_.patroni.interval;
    return p;
}

// One probe a member; asked as often as Patroni is asked for its word, and where Patroni is silent
// at the interval at least.
void monitor::aim_probes(const pace& p)
{
    if (!settings_.sql)
        return;
    for (const auto& m : believed_->members)
    {
        auto& probe = probes_[m.name];
        if (!probe)
        {
            probe = std::make_shared<sql_probe>(
                control_,
                *settings_.sql,
                settings_.patroni.timeout,
                [this, name = m.name](auto took) { take_sql(name, took); }
            );
            probe->start();
        }
        probe->aim(m.host, m.address, m.port);
        const bool focus = std::ranges::find(p.focus, m.name) != p.focus.end();
        const auto calm = m.error.empty() ? std::max(p.interval, p.quiet_interval) : p.interval;
        // A question to PostgreSQL costs a fraction of what Patroni's answer costs.
        probe->set_interval(p.fast && focus ? p.fast_interval / 2 : calm);
    }
}

// --- what the sources bring --------------------------------------------------------------------

void monitor::take_check(const check& c)
{
    observer_.on_check(c);
    learn(c.news);
    wake_.cancel();
}

void monitor::take_keys(const dcs_report& report, const std::set<std::string>& changed)
{
    const auto now = clock::now();
    const bool was_connected = seen_.dcs->connected;
    const auto was_since = seen_.dcs->since;
    const auto was_planned = believed_->switchover;
    seen_.dcs = report;
    auto& listing = seen_.dcs->listing;
    translate(settings_.patroni.address_map, listing);
    if (settings_.patroni.proxy_url)
        take_poolers(listing, seen_.poolers);
    rest_.adopt(listing);
    for (const auto& m : listing.members)
        names_.want(m.host);
    for (const auto& [name, pooler] : seen_.poolers)
        names_.want(pooler.host);
    for (const auto& member : changed)
        rest_.touch(member);
    believe(now);
    // Another holder, or somebody has asked for one now.
    const auto& planned = believed_->switchover;
    const bool asked_for = planned && planned != was_planned && planned->at.empty();
    if (report.since != was_since || asked_for)
        look_closer(believed_->lock.holder.empty() ? last_holder_ : believed_->lock.holder, now);
    if (!changed.empty() || report.connected != was_connected)
        wake_.cancel();
}

void monitor::take_sql(const std::string& member, std::chrono::duration<double> took)
{
    const auto& probe = *probes_.at(member);
    const auto known = std::exchange(seen_.sql[member], probe.report());
    const bool answered = known.error.empty() && known.word;
    const auto& error = probe.report().error;
    observer_.on_check(probe.as_check(settings_.name, member, error, took));
    learn(!repeats(known, probe.report(), 2 * settings_.patroni.interval));
    // Its connection to us has ended like the clients' have.
    if (answered && !error.empty())
        hint(member, life_sign::ended);
}

// --- the belief --------------------------------------------------------------------------------

void monitor::learn(bool news)
{
    const auto now = clock::now();
    if (news || now >= decided_ + digest_every)
        believe(now);
}

void monitor::believe(time_point now)
{
    decided_ = now;
    seen_.addresses = names_.addresses();
    auto next = std::make_shared<const topology>(decide(seen_, policy_, *believed_, now));
    const bool changed = next->generation != believed_->generation;
    if (!next->lock.holder.empty())
        last_holder_ = next->lock.holder;
    believed_ = std::move(next);
    note_unsettled(now);
    forget_strangers();
    if (checks_)
        checks_->follow(*believed_, life());
    if (changed || now - published_ >= republish_every)
    {
        published_ = now;
        observer_.on_topology(believed_, changed);
    }
}

// What belongs to members that decide() has dropped: nothing may grow with names that come and go.
void monitor::forget_strangers()
{
    const auto gone = [this](const std::string& name) { return !believed_->find(name); };
    std::erase_if(seen_.words, [&gone](const auto& w) { return gone(w.first); });
    std::erase_if(seen_.sql, [&gone](const auto& w) { return gone(w.first); });
    std::erase_if(seen_.poolers, [&gone](const auto& p) { return gone(p.first); });
    for (auto it = probes_.begin(); it != probes_.end();)
    {
        if (!gone(it->first))
        {
            ++it;
            continue;
        }
        it->second->stop();
        it = probes_.erase(it);
    }
    rest_.forget(gone);
}

void monitor::note_unsettled(time_point now)
{
    if (settled(*believed_))
        unsettled_since_.reset();
    else if (!unsettled_since_)
        unsettled_since_ = now;
}

} // namespace rolegate::health

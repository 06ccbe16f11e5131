// SPDX-License-Identifier: PostgreSQL
#include "health/monitor.hpp"

#include "health/patroni/cluster_body.hpp"
#include "health/patroni/config_body.hpp"
#include "health/patroni/member_body.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;

// After a hint the member is asked at fast_interval for this long. What it then says makes the
// belief unsettled, or the hint was about nothing and the next one of its kind has to wait.
constexpr auto hint_burst = 1s;
constexpr auto hint_rest = 10s;

// Without a hint and without a settled belief, bursts end after two ttl: nothing that takes longer
// is a role change. Only a lock that may end at any moment is watched without a limit.
constexpr auto default_ttl = 30s;
constexpr int burst_ttls = 2;

// Ages reach the workers at least this often while nothing changes.
constexpr auto republish_every = 500ms;

// How often a request looks whether its host's address has come.
constexpr auto resolve_poll = 20ms;

const char* path_of(question what)
{
    switch (what)
    {
    case question::word:
        return "/patroni";
    case question::claim:
        return "/primary";
    case question::listing:
        return "/cluster";
    case question::ttl:
        break;
    }
    return "/config";
}

policy policy_of(const config::cluster_settings& s)
{
    return {s.name, 3 * s.patroni.interval + s.patroni.timeout, s.stale_after};
}

// A belief that needs no closer look: the holder of the lock is open by its own fresh word.
bool settled(const topology& t)
{
    const auto* p = t.primary();
    return p && t.lock.what == lock_belief::kind::held &&
           std::string_view(p->write.rule) == "lock-and-word";
}

// The holder is open although it does not answer: its lock may run out at any moment, and it must
// be cut before a successor has been promoted, which takes about a tenth of a second.
bool lock_may_end(const topology& t)
{
    const auto* p = t.primary();
    return p && std::string_view(p->write.rule) == "degraded";
}

} // namespace

monitor::monitor(asio::io_context& control, const config::cluster_settings& settings, observer& to)
    : control_(control), settings_(settings), policy_(policy_of(settings)), observer_(to),
      tls_(patroni::make_tls_context(settings.patroni.tls.value_or(config::client_tls{}))),
      names_(
          control,
          [this]
          {
              if (!stopped_)
                  believe(clock::now());
          }
      ),
      wake_(control), random_(std::random_device{}()), endpoints_(settings.patroni.tls.has_value())
{
    for (const auto& seed : settings.patroni.members)
        endpoints_.add_seed(seed.host, seed.port, settings.patroni.tls.has_value());
    topology t;
    t.cluster = settings.name;
    t.began = clock::now();
    t.stale_after = settings.stale_after.value_or(t.stale_after);
    believed_ = std::make_shared<const topology>(std::move(t));
}

void monitor::start()
{
    asio::co_spawn(
        control_,
        run(),
        [](std::exception_ptr e)
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
    wake_.cancel();
}

void monitor::hint(const std::string& member, life_sign seen)
{
    const auto now = clock::now();
    const auto said = seen_.words.find(member);
    if (seen == life_sign::refused && said != seen_.words.end())
    {
        said->second.refusals.refused(now);
        believe(now);
    }
    if (now < hinted_until_) // the burst runs already
        return;
    // The last burst over this member has taught nothing: clients with a wrong password, say, must
    // not keep us asking fast for ever.
    const bool taught = believed_->generation != hinted_generation_;
    if (member == hinted_member_ && !taught && now < hinted_until_ + hint_rest)
        return;
    hinted_member_ = member;
    hinted_generation_ = believed_->generation;
    hinted_until_ = now + hint_burst;
    wake_.cancel();
}

asio::awaitable<void> monitor::run()
{
    while (!stopped_)
    {
        start_asks();
        // The age of the view moves on even while nobody answers.
        believe(clock::now());
        co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

void monitor::start_asks()
{
    const auto now = clock::now();
    const auto plan = make_plan(endpoints_.all(), current_pace(now), now);
    for (const auto& a : plan.asks)
    {
        auto& e = endpoints_.all()[a.endpoint];
        e.in_flight = true;
        if (a.what == question::word || a.what == question::claim)
            e.word_asked = now;
        if (a.what == question::listing)
            listing_asked_ = e.listing_asked = now;
        if (a.what == question::ttl)
            ttl_asked_ = now;
        asio::co_spawn(
            control_,
            ask_one(e.address, a.what),
            [](std::exception_ptr ex)
            {
                if (ex)
                    std::rethrow_exception(ex);
            }
        );
    }
    wake_.expires_at(std::max(plan.next, now + 1ms));
}

pace monitor::current_pace(time_point now)
{
    pace p;
    std::uniform_real_distribution<double> jitter(0.9, 1.1);
    p.interval =
        std::chrono::duration_cast<clock::duration>(settings_.patroni.interval * jitter(random_));
    p.fast_interval = settings_.patroni.fast_interval;
    p.have_listing = !seen_.reports.empty();
    p.listing_asked = listing_asked_;
    p.ttl_asked = ttl_asked_;

    const auto limit = burst_ttls * seen_.ttl.value_or(default_ttl);
    const bool unsettled =
        unsettled_since_ && (lock_may_end(*believed_) || now - *unsettled_since_ < limit);
    const bool hinted = now < hinted_until_;
    p.fast = p.have_listing && (unsettled || hinted);
    if (hinted)
        p.focus.push_back(hinted_member_);
    if (!believed_->lock.holder.empty() && believed_->lock.holder != hinted_member_)
        p.focus.push_back(believed_->lock.holder);

    time_point newest{};
    for (const auto& [address, report] : seen_.reports)
        newest = std::max(newest, report.seen);
    p.lock_doubtful = p.have_listing && now - newest > 2 * settings_.patroni.interval;
    return p;
}

asio::awaitable<void> monitor::ask_one(std::string address, question what)
{
    const auto asked = clock::now();
    const auto place = endpoints_.place_of(*endpoints_.find(address));
    const auto member = endpoints_.find(address)->member;
    patroni::rest_target to;
    to.host = place.host;
    to.port = place.port;
    to.tls = place.tls ? tls_.get() : nullptr;
    to.verify = !settings_.patroni.tls || settings_.patroni.tls->verify;

    to.address = co_await resolved(to.host);
    patroni::rest_answer answer;
    if (to.address.empty())
        answer.error = "host name '" + to.host + "' has no address";
    else
    {
        const std::string path = path_of(what);
        answer = co_await patroni::rest_get(std::move(to), path, settings_.patroni.timeout);
    }

    const auto now = clock::now();
    if (stopped_)
        co_return;
    auto* e = endpoints_.find(address); // in flight, so it was not forgotten
    e->in_flight = false;
    e->finished = now;
    if (answer.error.empty())
        e->latency = now - asked;
    // An endpoint that changed hands while it was asked: nobody knows whose word this is.
    const bool about_member = what == question::word || what == question::claim;
    if (!about_member || e->member == member)
        take_answer(*e, what, answer, now);

    e = endpoints_.find(address); // a listing may have moved it
    check c;
    c.cluster = settings_.name;
    c.member = e->member.empty() ? address : e->member;
    c.address = address;
    c.source = "rest";
    c.path = path_of(what);
    c.error = endpoints_.place_of(*e).error;
    c.took = now - asked;
    observer_.on_check(c);

    believe(now);
    wake_.cancel();
}

// "" when the look-up has brought nothing in time.
asio::awaitable<std::string> monitor::resolved(std::string host)
{
    const auto until = clock::now() + settings_.patroni.timeout;
    asio::steady_timer pause(control_);
    for (;;)
    {
        names_.want(host);
        const auto known = names_.addresses().find(host);
        if (known != names_.addresses().end())
            co_return known->second;
        if (stopped_ || clock::now() >= until)
            co_return "";
        pause.expires_after(resolve_poll);
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

void monitor::take_answer(
    rest_endpoint& e, question what, const patroni::rest_answer& a, time_point now
)
{
    if (!a.error.empty())
        fail(e, what, a.error, now);
    else if (what == question::listing)
        take_listing(e, a, now);
    else if (what == question::ttl)
        take_ttl(e, a);
    else
        take_word(e, what, a, now);
}

void monitor::fail(rest_endpoint& e, question what, const std::string& error, time_point now)
{
    endpoints_.place_of(e).error = error;
    // A failed /cluster is the DCS's failure as often as the member's own: its word decides. A
    // refused connection is the same for every question.
    e.failed = true;
    if (e.member.empty() || what == question::listing || what == question::ttl)
        return;
    auto& w = seen_.words[e.member];
    w.error = error;
    w.error_seen = now;
}

void monitor::take_word(
    rest_endpoint& e, question what, const patroni::rest_answer& a, time_point now
)
{
    auto word = patroni::decode_member(a.body);
    if (!word)
        return fail(e, what, "answer to " + std::string(path_of(what)) + ": " + word.error(), now);
    if (!settings_.patroni.scope.empty() && !word->scope.empty() &&
        word->scope != settings_.patroni.scope)
        return fail(e, what, "belongs to the cluster with scope '" + word->scope + "'", now);

    if (!word->name.empty() && word->name != e.member)
        return fail(e, what, "answers as member '" + word->name + "'", now);

    e.failed = false;
    endpoints_.place_of(e).error.clear();
    auto& w = seen_.words[e.member];
    w.word = *word;
    w.asked = e.word_asked;
    w.seen = now;
    w.refusals.spoke(w.asked, says_running_primary(*word), now);
    w.error.clear();
    if (what == question::claim)
    {
        w.holds_lock = a.status == 200;
        w.holds_lock_seen = now;
    }
}

void monitor::take_listing(rest_endpoint& e, const patroni::rest_answer& a, time_point now)
{
    if (a.status != 200)
        return fail(e, question::listing, "/cluster: HTTP status " + std::to_string(a.status), now);
    auto listing = patroni::decode_cluster(a.body);
    if (!listing)
        return fail(e, question::listing, "answer to /cluster: " + listing.error(), now);
    if (!settings_.patroni.scope.empty() && !listing->scope.empty() &&
        listing->scope != settings_.patroni.scope)
        return fail(
            e, question::listing, "belongs to the cluster with scope '" + listing->scope + "'", now
        );

    e.failed = false;
    endpoints_.place_of(e).error.clear();
    auto& report = seen_.reports[e.address];
    const auto* was = report.listing.leader();
    const auto* is = listing->leader();
    const bool same = report.seen != time_point{} && (was ? was->name : "") == (is ? is->name : "");
    report.since = same ? report.since : now;
    report.seen = now;
    report.listing = std::move(*listing);
    for (const auto& m : report.listing.members)
        names_.want(m.host);
    endpoints_.adopt(report.listing); // may move endpoints: `e` is not used after it
}

void monitor::take_ttl(rest_endpoint& e, const patroni::rest_answer& a)
{
    e.failed = false;
    endpoints_.place_of(e).error.clear();
    if (auto ttl = patroni::decode_ttl(a.body))
        seen_.ttl = *ttl;
}

void monitor::believe(time_point now)
{
    seen_.addresses = names_.addresses();
    auto next = std::make_shared<const topology>(decide(seen_, policy_, *believed_, now));
    const bool changed = next->generation != believed_->generation;
    believed_ = std::move(next);
    note_unsettled(now);
    forget_strangers();
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
    for (const auto& address : endpoints_.forget(gone))
        seen_.reports.erase(address);
}

void monitor::note_unsettled(time_point now)
{
    if (settled(*believed_))
        unsettled_since_.reset();
    else if (!unsettled_since_)
        unsettled_since_ = now;
}

} // namespace rolegate::health

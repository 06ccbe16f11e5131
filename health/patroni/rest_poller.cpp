// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/rest_poller.hpp"

#include "health/heard.hpp"
#include "health/patroni/cluster_body.hpp"
#include "health/patroni/config_body.hpp"
#include "health/patroni/member_body.hpp"
#include "health/patroni/rest_client.hpp"
#include "health/patroni/timestamp.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>

namespace rolegate::health::patroni
{

namespace
{

namespace asio = boost::asio;

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

// Clocks of two hosts differ: never less than nothing.
std::chrono::milliseconds age_of(timestamp then)
{
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    return std::max(now - then, std::chrono::milliseconds(0));
}

} // namespace

rest_poller::rest_poller(
    asio::io_context& control,
    const config::cluster_settings& settings,
    name_cache& names,
    evidence& seen,
    std::function<void(const check&)> learnt
)
    : control_(control), settings_(settings.patroni), cluster_(settings.name),
      scope_(settings.dcs ? settings.dcs->scope : settings.patroni.scope), names_(names),
      seen_(seen), learnt_(std::move(learnt)),
      tls_(settings_.tls ? make_tls_context(*settings_.tls, "patroni.tls") : nullptr),
      endpoints_(settings.patroni.tls.has_value())
{
    for (const auto& seed : settings_.members)
        endpoints_.add_seed(seed.host, seed.port, settings_.tls.has_value());
}

time_point rest_poller::ask(pace p, time_point now, const std::shared_ptr<const void>& owner)
{
    p.listing_asked = listing_asked_;
    p.ttl_asked = ttl_asked_;
    const auto plan = make_plan(endpoints_.all(), p, now);
    for (const auto& a : plan.asks)
    {
        auto& e = endpoints_.all()[a.endpoint];
        e.in_flight = true;
        if (a.what == question::word || a.what == question::claim)
        {
            e.word_asked = now;
            e.touched = false;
        }
        if (a.what == question::listing)
            listing_asked_ = e.listing_asked = now;
        if (a.what == question::ttl)
            ttl_asked_ = now;
        asio::co_spawn(
            control_,
            ask_one(e.address, a.what),
            [owner](std::exception_ptr ex)
            {
                if (ex)
                    std::rethrow_exception(ex);
            }
        );
    }
    return plan.next;
}

void rest_poller::touch(const std::string& member)
{
    for (auto& e : endpoints_.all())
        if (e.member == member)
            e.touched = true;
}

void rest_poller::forget(const std::function<bool(const std::string& member)>& gone)
{
    for (const auto& address : endpoints_.forget(gone))
        seen_.reports.erase(address);
}

http_target rest_poller::target_of(const rest_endpoint& e)
{
    const auto& place = endpoints_.place_of(e);
    http_target to;
    to.host = place.host;
    to.port = place.port;
    // A member may name https although nothing is configured; to read the system's certificates
    // takes milliseconds and most of a megabyte.
    if (place.tls && !tls_)
        tls_ = make_tls_context({}, "patroni.tls");
    to.tls = place.tls ? tls_.get() : nullptr;
    to.verify = !settings_.tls || settings_.tls->verify;
    return to;
}

asio::awaitable<void> rest_poller::ask_one(std::string address, question what)
{
    const auto asked = clock::now();
    const auto member = endpoints_.find(address)->member;
    auto to = target_of(*endpoints_.find(address));
    to.address = co_await names_.address_of(to.host, settings_.timeout);
    http_answer answer;
    if (to.address.empty())
        answer.error = "host name '" + to.host + "' has no address";
    else
    {
        const std::string path = path_of(what);
        const auto host = to.host;
        const auto tried = to.address;
        answer = co_await rest_get(std::move(to), path, settings_.timeout);
        if (!answer.error.empty())
            names_.avoid(host, tried);
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
    const auto known = known_of(member);
    if (!about_member || e->member == member)
        take_answer(*e, what, answer, now);

    e = endpoints_.find(address); // a listing may have moved it
    check c;
    c.cluster = cluster_;
    c.member = e->member.empty() ? address : e->member;
    c.address = address;
    c.source = "rest";
    c.path = path_of(what);
    c.error = endpoints_.place_of(*e).error;
    c.took = now - asked;
    c.news = what != question::word || !repeats(known, known_of(member), 2 * settings_.interval);
    learnt_(c);
}

word_report rest_poller::known_of(const std::string& member) const
{
    const auto found = seen_.words.find(member);
    return found == seen_.words.end() ? word_report{} : found->second;
}

void rest_poller::take_answer(rest_endpoint& e, question what, const http_answer& a, time_point now)
{
    if (!a.error.empty())
        fail(e, what, a.error);
    else if (what == question::listing)
        take_listing(e, a, now);
    else if (what == question::ttl)
        take_ttl(e, a);
    else
        take_word(e, what, a, now);
}

void rest_poller::fail(rest_endpoint& e, question what, const std::string& error)
{
    endpoints_.place_of(e).error = error;
    // A failed /cluster is the DCS's failure as often as the member's own: its word decides. A
    // refused connection is the same for every question.
    e.failed = true;
    if (e.member.empty() || what == question::listing || what == question::ttl)
        return;
    auto& w = seen_.words[e.member];
    w.error = error;
}

void rest_poller::take_word(rest_endpoint& e, question what, const http_answer& a, time_point now)
{
    auto word = decode_member(a.body);
    if (!word)
        return fail(e, what, "answer to " + std::string(path_of(what)) + ": " + word.error());
    if (!scope_.empty() && !word->scope.empty() && word->scope != scope_)
        return fail(e, what, "belongs to the cluster with scope '" + word->scope + "'");
    if (!word->name.empty() && word->name != e.member)
        return fail(e, what, "answers as member '" + word->name + "'");

    e.failed = false;
    endpoints_.place_of(e).error.clear();
    if (word->replayed_timestamp)
        word->replayed_age = age_of(*word->replayed_timestamp);
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

void rest_poller::take_listing(rest_endpoint& e, const http_answer& a, time_point now)
{
    if (a.status != 200)
        return fail(e, question::listing, "/cluster: HTTP status " + std::to_string(a.status));
    auto listing = decode_cluster(a.body);
    if (!listing)
        return fail(e, question::listing, "answer to /cluster: " + listing.error());
    if (!scope_.empty() && !listing->scope.empty() && listing->scope != scope_)
        return fail(
            e, question::listing, "belongs to the cluster with scope '" + listing->scope + "'"
        );

    e.failed = false;
    endpoints_.place_of(e).error.clear();
    translate(settings_.address_map, *listing);
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

void rest_poller::take_ttl(rest_endpoint& e, const http_answer& a)
{
    e.failed = false;
    endpoints_.place_of(e).error.clear();
    if (auto ttl = decode_ttl(a.body))
        seen_.ttl = *ttl;
}

} // namespace rolegate::health::patroni

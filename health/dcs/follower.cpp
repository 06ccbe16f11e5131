// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/follower.hpp"

#include "health/lock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::health::dcs
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using milliseconds = std::chrono::milliseconds;

// Every 1 to 2 s, so that a hundred proxies do not ask in step.
constexpr milliseconds shortest_reread{1000};
constexpr milliseconds longest_reread{2000};

// While a lease is about to end: only what the DCS says at this moment keeps its holder then.
constexpr milliseconds closing_reread{80};

// The re-reads stay at one endpoint for this many, then move on to the next: one after the other,
// also where the watch is, to find out whether that one still answers.
constexpr unsigned rereads_an_endpoint = 5;

// What a re-read has seen should have come over the watch long before this.
constexpr milliseconds watch_grace{50};

// Between rounds over all endpoints.
constexpr milliseconds shortest_pause{100};
constexpr milliseconds longest_pause{2000};

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

void spawn(
    asio::io_context& control, asio::awaitable<void> what, const std::shared_ptr<const void>& owner
)
{
    asio::co_spawn(
        control,
        std::move(what),
        [owner](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
}

} // namespace

follower::follower(
    asio::io_context& control, const config::dcs_settings& settings, follower_observer to
)
    : control_(control), settings_(settings), observer_(std::move(to)),
      tls_(settings.tls ? make_tls_context(*settings.tls, "dcs") : nullptr),
      protocol_(make_protocol(settings)), random_(std::random_device{}()), watch_timer_(control),
      reread_timer_(control)
{
    report_.source = protocol_->name();
    report_.error = "not connected yet";
    // Not all proxies at the first endpoint.
    watched_ = random_() % settings_.hosts.size();
}

void follower::start(const std::shared_ptr<const void>& owner)
{
    spawn(control_, run_watch(), owner);
    spawn(control_, run_rereads(), owner);
}

void follower::stop()
{
    stopped_ = true;
    watch_timer_.cancel();
    reread_timer_.cancel();
    if (watching_)
        watching_->close();
    if (rereading_)
        rereading_->close();
}

// --- the watch ---------------------------------------------------------------------------------

asio::awaitable<void> follower::run_watch()
{
    auto pause = shortest_pause;
    while (!stopped_)
    {
        http_connection connection(control_.get_executor());
        watching_ = &connection;
        const auto at = watched_;
        const auto why = co_await follow(at, connection);
        watching_ = nullptr;
        if (stopped_)
            co_return;
        // One that ends as soon as it stands must not make us ask in a circle.
        const bool lasted = watch_stands_ && clock::now() - stands_since_ >= longest_pause;
        if (lasted)
            pause = shortest_pause;
        failed_in_row_ = lasted ? 1 : failed_in_row_ + 1;
        watch_failed(at, why);
        watched_ = (at + 1) % settings_.hosts.size();
        // At once to the next one, until all were tried.
        if (failed_in_row_ % settings_.hosts.size() != 0)
            continue;
        co_await sleep(watch_timer_, pause);
        pause = std::min(2 * pause, longest_pause);
    }
}

// One watch, from the connect to its end. Returns why it has ended.
asio::awaitable<std::string> follower::follow(std::size_t at, http_connection& connection)
{
    const auto asked = clock::now();
    auto error = co_await connect(at, connection);
    if (!error.empty())
        co_return error;
    const auto everything = co_await protocol_->snapshot(connection);
    error = everything.error.empty() ? take_snapshot(everything, asked) : everything.error;
    tell(at, "snapshot", error, asked);
    if (!error.empty())
        co_return error;

    const auto sink = [this](const server_mark& mark, const std::vector<change>& changes)
    { return take_changes(mark, changes); };
    error = co_await protocol_->watch(connection, everything.mark.index, sink);
    tell(at, "watch", error, clock::now());
    co_return error;
}

void follower::watch_failed(std::size_t at, const std::string& why)
{
    watch_stands_ = false;
    watch_error_ = name_of(at) + ": " + why;
    // In one round over all endpoints most have led to another DCS, and none back to the one that
    // was believed so far.
    if (failed_in_row_ % settings_.hosts.size() == 0)
    {
        if (strangers_ > settings_.hosts.size() / 2)
            guard_.forget();
        strangers_ = 0;
    }
    publish();
}

std::string follower::take_snapshot(const snapshot_answer& s, time_point asked)
{
    if (auto objection = guard_.admit(s.mark.cluster_id, s.mark.term); !objection.empty())
    {
        ++strangers_;
        return objection;
    }
    // A wrong scope, or a DCS that was emptied: it says nothing about our cluster.
    if (s.keys.empty())
    {
        report_.seen = report_.since = {};
        report_.listing = {};
        report_.lease_ends.reset();
        return "no keys below " +
               key_prefix(settings_.name_space, settings_.scope, settings_.group) +
               ": is that the cluster's scope and namespace?";
    }
    keys_.clear();
    for (const auto& kv : s.keys)
        keys_.put(kv);
    report_.revision = s.mark.index;
    report_.lease_ends.reset(); // of another lease, perhaps
    report_.seen = asked;
    report_.endpoint = name_of(watched_);
    reread_soon(); // for the lease's end
    publish();
    return "";
}

// Returns why the watch must not be believed any more, "" = nothing.
std::string follower::take_changes(const server_mark& mark, const std::vector<change>& changes)
{
    if (auto objection = guard_.admit(mark.cluster_id, mark.term); !objection.empty())
        return objection;
    if (!std::exchange(watch_stands_, true))
        stands_since_ = clock::now();
    watch_error_.clear();
    strangers_ = 0;
    std::set<std::string> changed;
    for (const auto& c : changes)
    {
        if (c.deleted)
            keys_.erase(c.kv.key);
        else
            keys_.put(c.kv);
        if (c.kv.key.starts_with("members/"))
            changed.insert(c.kv.key.substr(8));
        if (c.kv.key == "leader")
        {
            report_.lease_ends.reset();
            reread_soon(); // for the new lease's end
        }
    }
    report_.revision = std::max(report_.revision, mark.index);
    if (!changes.empty())
    {
        report_.seen = clock::now();
        report_.endpoint = name_of(watched_);
    }
    publish(changed);
    return "";
}

// --- the re-reads ------------------------------------------------------------------------------

asio::awaitable<void> follower::run_rereads()
{
    std::uniform_int_distribution<milliseconds::rep> jitter(
        shortest_reread.count(), longest_reread.count()
    );
    http_connection connection(control_.get_executor());
    rereading_ = &connection;
    std::size_t at = (watched_ + 1) % settings_.hosts.size();
    std::size_t failed_in_row = 0;
    unsigned turns = 0;
    bool open = false;
    while (!stopped_)
    {
        auto error = co_await reread(at, connection, open);
        if (stopped_)
            break;
        failed_in_row = error.empty() ? 0 : failed_in_row + 1;
        // Whoever does not answer here does not tell changes either.
        if (!error.empty() && at == watched_ && watching_)
            watching_->close();
        if (!error.empty() || ++turns >= rereads_an_endpoint)
        {
            connection.close();
            open = false;
            turns = 0;
            at = (at + 1) % settings_.hosts.size();
        }
        // One endpoint that fails means little: the next one is asked at once.
        if (failed_in_row == 1 && settings_.hosts.size() > 1)
            continue;
        reread_error_ = std::move(error);
        publish();
        if (!std::exchange(reread_due_, false))
            co_await sleep(
                reread_timer_, lease_runs_out() ? closing_reread : milliseconds(jitter(random_))
            );
        reread_due_ = false;
    }
    rereading_ = nullptr;
}

bool follower::lease_runs_out() const
{
    return report_.listing.leader() && report_.lease_ends &&
           clock::now() > *report_.lease_ends - lease_watch;
}

void follower::reread_soon()
{
    reread_due_ = true; // one may be under way, and tell of the time before
    reread_timer_.cancel();
}

asio::awaitable<std::string>
follower::reread(std::size_t at, http_connection& connection, bool& open)
{
    const auto began = clock::now();
    if (!open)
    {
        auto error = co_await connect(at, connection);
        if (!error.empty())
        {
            tell(at, "leader", error, began);
            co_return name_of(at) + ": " + error;
        }
        open = true;
    }
    const auto asked = clock::now();
    const auto l = co_await protocol_->leader(connection);
    auto error = l.error.empty() ? guard_.admit(l.mark.cluster_id, l.mark.term) : l.error;
    tell(at, "leader", error, began);
    if (!error.empty())
        co_return name_of(at) + ": " + error;
    if (report_.seen == time_point{})
        co_return ""; // no snapshot yet
    if (watch_stands_ && !same_leader(l))
        co_await sleep(reread_timer_, watch_grace);
    if (!stopped_ && l.mark.index >= report_.revision)
        take_leader(l, asked);
    co_return "";
}

bool follower::same_leader(const leader_answer& l) const
{
    const auto* known = keys_.find("leader");
    return known ? l.leader && l.leader->value == known->value : !l.leader;
}

void follower::take_leader(const leader_answer& l, time_point asked)
{
    if (!same_leader(l) && watching_)
        watching_->close(); // it hangs, or is behind
    const auto* known = keys_.find("leader");
    const bool same_lease = l.leader && known && *l.leader == *known;
    if (l.leader)
        keys_.put(*l.leader);
    else
        keys_.erase("leader");
    report_.revision = std::max(report_.revision, l.mark.index);
    report_.seen = std::max(report_.seen, asked);
    // The key may be read and its lease not: then what was known of that lease stays true.
    if (l.left)
        report_.lease_ends = asked + *l.left;
    else if (!same_lease)
        report_.lease_ends.reset();
}

// --- both --------------------------------------------------------------------------------------

asio::awaitable<std::string> follower::connect(std::size_t at, http_connection& to)
{
    const auto& host = settings_.hosts[at];
    http_target target;
    target.address = co_await observer_.resolve(host.host);
    if (target.address.empty())
        co_return "host name '" + host.host + "' has no address";
    target.port = host.port;
    target.host = host.host;
    target.tls = tls_.get();
    target.verify = !settings_.tls || settings_.tls->verify;
    const auto address = target.address;
    auto error = co_await to.open(std::move(target), dcs_timeout);
    if (!error.empty())
    {
        observer_.avoid(host.host, address);
        co_return error;
    }
    co_return co_await protocol_->greet(to);
}

void follower::publish(const std::set<std::string>& changed)
{
    if (stopped_)
        return;
    if (report_.seen != time_point{})
    {
        auto state = keys_.state();
        const auto* was = report_.listing.leader();
        const std::string holder = was ? was->name : "";
        if (report_.since == time_point{} || holder != state.leader)
            report_.since = clock::now();
        report_.listing = std::move(state.listing);
        report_.ttl = state.ttl;
        report_.failsafe_mode = state.failsafe_mode;
    }
    report_.connected = watch_stands_ && reread_error_.empty();
    report_.error = report_.connected ? "" : !watch_error_.empty() ? watch_error_ : reread_error_;
    observer_.on_report(report_, changed);
}

void follower::tell(std::size_t at, const char* what, const std::string& error, time_point began)
    const
{
    if (!stopped_)
        observer_.on_request(name_of(at), what, error, clock::now() - began);
}

std::string follower::name_of(std::size_t at) const
{
    const auto& h = settings_.hosts[at];
    return host_and_port(h.host, h.port);
}

asio::awaitable<void> follower::sleep(asio::steady_timer& timer, milliseconds time)
{
    timer.expires_after(time);
    co_await timer.async_wait(nothrow);
}

} // namespace rolegate::health::dcs

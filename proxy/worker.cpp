// SPDX-License-Identifier: PostgreSQL
#include "proxy/worker.hpp"

#include "proxy/listener.hpp"
#include "proxy/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <pthread.h>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;

// Resolution of every time-out of a session. They are seconds long.
constexpr auto sweep_every = worker::tick_length;

// Idle time is looked at once a second: with ten thousand sessions a look takes a millisecond.
constexpr relay::tick idle_sweep_every = 10;

// CancelRequests with unknown keys, a second and at once: more than people and pools ever send,
// fewer than would hurt a server that forks for each.
constexpr double cancel_offers_per_second = 50;
constexpr double cancel_offers_at_once = 100;

// How often the same trouble is worth a line.
constexpr auto tell_again_after = 10s;

// The same hint again within this time tells the monitor nothing new.
constexpr auto hint_every = 10ms;

// After this a client tries a member again that has not answered another one.
constexpr auto silence_rest = 10s;

// Every worker finds out for itself; one of them tells.
void tell_of(log::line& to, const listener_state& l, const std::string& member)
{
    to.add("listener", l.settings.name).name("member", member);
    to.limit(1, {{"listener", l.settings.name}, {"member", member}});
}

} // namespace

worker::worker(
    std::size_t index, std::size_t workers, std::size_t buffer_size, worker_observer& observer
)
    : index_(index), workers_(workers), observer_(observer), buffers_(buffer_size),
      cancel_offers_(cancel_offers_per_second, cancel_offers_at_once), endings_(hint_every),
      refusals_(hint_every), silences_(hint_every), tls_failures_(tell_again_after),
      silent_(silence_rest)
{
}

worker::~worker()
{
    stop();
}

void worker::start()
{
    loop_.post([this] { sweep(); });
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), ("worker-" + std::to_string(index_)).c_str());
}

void worker::run()
{
    for (;;)
        try
        {
            loop_.run();
            return;
        }
        catch (...)
        {
            // Nothing on the byte path throws; what arrives here is our bug or lack of memory. The
            // other sessions go on.
            log::internal_error(std::current_exception());
        }
}

void worker::stop()
{
    loop_.stop();
    if (thread_.joinable())
        thread_.join();
    waiting_.clear_and_dispose([](session* s) { std::default_delete<session>()(s); });
    relaying_.clear_and_dispose([](session* s) { std::default_delete<session>()(s); });
}

// --- sessions ----------------------------------------------------------------------------------

void worker::start_session(unique_fd client, listener_ptr l, const peer& from)
{
    const auto id = ++started_ * workers_ + index_;
    l->traffic.came(std::chrono::steady_clock::now());
    auto s = std::make_unique<session>(*this, std::move(l), id, std::move(client), from);
    waiting_.push_back(*s);
    auto& started = *s.release(); // owned by the list from here on; remove() deletes it
    started.start();
    if (shutting_down_)
        started.leave_when_idle(errc::shutting_down, std::nullopt);
    else if (!is_wanted(started)) // removed while the client was on its way
        drain(started);
}

void worker::remove(session& s)
{
    s.unlink();
    std::default_delete<session>()(&s);
}

void worker::watch(session& s)
{
    // To the end of the list it is in already would be to the end of a walk through it, again and
    // again.
    if (std::exchange(s.waits, true))
        return;
    s.unlink();
    waiting_.push_back(s);
}

void worker::settle(session& s)
{
    s.waits = false;
    s.unlink();
    relaying_.push_back(s);
}

void worker::keep(listener& door)
{
    doors_.push_back(&door);
}

void worker::release(listener& door)
{
    std::erase(doors_, &door);
}

void worker::await_wake(session& s, ticket number)
{
    held_[{s.listener().id, number}] = &s;
}

void worker::forget_wake(const listener_state& l, ticket number)
{
    held_.erase({l.id, number});
}

void worker::wake(std::size_t listener, ticket whose)
{
    loop_.post(
        [this, listener, whose]
        {
            if (const auto found = held_.find({listener, whose}); found != held_.end())
                found->second->on_wake();
        }
    );
}

bool worker::may_offer_cancel()
{
    return cancel_offers_.take(std::chrono::steady_clock::now());
}

void worker::publish(std::size_t cluster, health::topology_ptr t)
{
    loop_.post([this, cluster, t = std::move(t)]() mutable { adopt(cluster, std::move(t)); });
}

void worker::adopt(std::size_t cluster, health::topology_ptr t)
{
    auto& belief = beliefs_[cluster];
    const bool changed = !belief || t->generation != belief->generation;
    belief = std::move(t);
    if (!changed)
        return;
    std::map<std::pair<const listener_state*, std::string>, std::size_t> cut;
    const auto tell = [&](session& s)
    {
        if (s.listener().cluster == cluster && s.on_topology())
            ++cut[{&s.listener(), s.member()}];
    };
    for_each_session(relaying_, tell);
    for_each_session(waiting_, tell);
    for (const auto& [whose, n] : cut)
        note_cut(*whose.first, whose.second, n);
    for (const auto& l : all_listeners())
        if (l->cluster == cluster)
            l->door.wake_head();
    for (auto* d : doors_)
        d->on_look();
    const auto* primary = beliefs_[cluster]->primary();
    if (!primary || primary->name != last_writer_[cluster])
        last_writer_[cluster].clear();
}

void worker::forget(std::size_t cluster)
{
    loop_.post(
        [this, cluster]
        {
            beliefs_.erase(cluster);
            last_writer_.erase(cluster);
            stale_.erase(cluster);
        }
    );
}

void worker::note_routed(const listener_state& l, const std::string& member)
{
    auto& last = last_writer_[l.cluster];
    if (!config::is_leader_only(l.settings.role) || last == member)
        return;
    last = member;
    observer_.first_session(l.cluster, member);
}

bool worker::end_oldest_handshake(const listener_state& l)
{
    const auto oldest = std::ranges::find_if(
        in_handshake_, [&l](const opening& o) { return o.owner.listener().id == l.id; }
    );
    if (oldest == in_handshake_.end())
        return false;
    oldest->owner.give_up_handshake();
    return true;
}

// --- periodic ----------------------------------------------------------------------------------

void worker::sweep()
{
    const auto now = std::chrono::steady_clock::now();
    // Armed first: whatever goes wrong below, time-outs go on.
    sweeper_.call_at(now + sweep_every, completion([this](const auto&) { sweep(); }));
    ++tick_;
    if (index_ == 0) // they all see the same
        tell_stale(now);
    sweep_gone_clients(now);
    end_stale_sessions(now);
    for_each_session(waiting_, [now](session& s) { s.on_sweep(now); });
    if (tick_ % idle_sweep_every == 0)
    {
        sweep_idle();
        send_back();
    }
    rebalance(now);
    for (auto* d : doors_)
        d->on_look();
}

void worker::sweep_idle()
{
    const auto limited = [](const auto& l)
    { return l->settings.timeouts.client.count() > 0 || l->settings.timeouts.server.count() > 0; };
    if (std::ranges::none_of(all_listeners(), limited))
        return;
    for (auto* list : {&relaying_, &waiting_})
        for_each_session(*list, [this](session& s) { s.on_idle_sweep(tick_); });
}

// on_stale: shutdown_sessions.
void worker::end_stale_sessions(session::time_point now)
{
    for (const auto& [cluster, belief] : beliefs_)
    {
        if (!belief->end_when_stale || !belief->stale(now))
            continue;
        const auto end = [stale = cluster](session& s)
        {
            if (s.listener().cluster == stale)
                s.on_stale();
        };
        for_each_session(relaying_, end);
        for_each_session(waiting_, end); // drain, or wait for the other side's end
    }
}

// A client that waits for a server is not read from; whether it has gone is asked of the kernel,
// for all of them in one call.
void worker::sweep_gone_clients(session::time_point now)
{
    polled_.clear();
    polled_session_.clear();
    for (auto& s : waiting_)
    {
        const int fd = s.watched_client();
        if (fd < 0)
            continue;
        polled_.push_back({fd, POLLRDHUP, 0});
        polled_session_.push_back(&s);
    }
    if (polled_.empty() || ::poll(polled_.data(), polled_.size(), 0) <= 0)
        return;
    for (std::size_t i = 0; i < polled_.size(); ++i)
        if (polled_[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
            polled_session_[i]->on_client_gone(now);
}

void worker::begin_shutdown()
{
    loop_.post(
        [this]
        {
            shutting_down_ = true;
            const auto leave = [](session& s)
            { s.leave_when_idle(errc::shutting_down, std::nullopt); };
            for_each_session(waiting_, leave);
            for_each_session(relaying_, leave);
        }
    );
}

void worker::cut_all()
{
    loop_.post(
        [this]
        {
            for_each_session(waiting_, [](session& s) { s.end(errc::shutting_down); });
            for_each_session(relaying_, [](session& s) { s.end(errc::shutting_down); });
        }
    );
}

// --- for others --------------------------------------------------------------------------------

worker_stats worker::stats() const
{
    worker_stats copy;
    for (const auto& l : listeners_)
        copy.emplace(l->id, stats_of(*l));
    for (const auto* list : {&waiting_, &relaying_})
        for (const auto& s : *list)
            if (const auto l = copy.find(s.listener().id); l != copy.end() && !s.member().empty())
                s.add_live_bytes(l->second.members[s.member()]);
    return copy;
}

std::size_t worker::sessions() const
{
    return waiting_.size() + relaying_.size();
}

void worker::note_cut(const listener_state& l, const std::string& member, std::size_t n)
{
    log::line(config::log_level::info, "sessions_cut")
        .add("listener", l.settings.name)
        .name("member", member)
        .add("sessions", static_cast<std::int64_t>(n))
        .add("worker", static_cast<std::int64_t>(index_));
    if (config::is_leader_only(l.settings.role))
        observer_.sessions_cut(l.cluster, member, n);
}

void worker::hint(std::size_t cluster, const std::string& member, health::life_sign seen)
{
    auto& told = seen == health::life_sign::refused  ? refusals_
                 : seen == health::life_sign::silent ? silences_
                                                     : endings_;
    if (told.note(cluster, member, std::chrono::steady_clock::now()))
        observer_.hint(cluster, member, seen);
}

void worker::note_silent(const listener_state& l, const std::string& member)
{
    if (!silent_.note(l.cluster, member, std::chrono::steady_clock::now()))
        return;
    log::line line(config::log_level::warning, "server_silent");
    tell_of(line, l, member);
    line.text("text", "no answer in time: others come first for 10 s");
}

void worker::note_server_tls_failed(
    const listener_state& l, const std::string& member, const std::string& problem
)
{
    if (!tls_failures_.note(l.id, member, std::chrono::steady_clock::now()))
        return;
    log::line line(config::log_level::warning, "server_tls_failed");
    tell_of(line, l, member);
    line.text("error", problem);
}

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
//
// How a session comes to a server: routed, held while nobody is open, connected, tried again.
#include "proxy/connect.hpp"
#include "proxy/route.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;
using milliseconds = std::chrono::milliseconds;

// A member that refused is tried again after 20 ms, then 40 ... 320: fast enough for a promotion,
// slow enough for a server that is starting.
constexpr milliseconds first_pause{20};
constexpr milliseconds longest_pause{320};

// A limit on connects below this is a matter of this listener, and says nothing of the member:
// a second is when a lost SYN is sent again.
constexpr milliseconds least_silence{1000};

double seconds(std::chrono::steady_clock::duration d)
{
    return std::chrono::duration<double>(d).count();
}

// Why a client is turned away that has been held for its time.
errc end_of(hold::turn held_by)
{
    switch (held_by)
    {
    case hold::turn::full:
        return errc::too_many_sessions;
    case hold::turn::paused:
        return errc::paused;
    default:
        return errc::no_routable_member;
    }
}

} // namespace

// Until a member is open for this listener and takes the connection, or the hold is over.
asio::awaitable<bool> session::reach_server()
{
    if (server_.is_open())
        co_return true;
    auto& o = *opening_;
    for (;;)
    {
        const auto now = std::chrono::steady_clock::now();
        take_new_settings();
        if (!o.hold_until)
            o.hold_until = now + listener_->settings.queue.timeout;
        if (o.client_left)
            co_return fail(errc::client_gone);
        if (leaving_ != errc::none)
        {
            end_hold("shutdown");
            co_return fail(leaving_);
        }
        if (now >= *o.hold_until && !o.refusals.empty() && !has_untried_member(now))
        {
            end_hold("timeout");
            co_return fail(o.refused_why);
        }
        const auto rested = rest_members(now);
        if (worker_.believed(listener_->cluster)->stale(now))
        {
            end_hold("stale");
            co_return fail(errc::stale_view);
        }
        const auto turn = take_place(now);
        if (turn != hold::turn::entered)
        {
            // Also when nobody is open: a member that rests may open before its rest is over.
            const bool goes_on =
                co_await hold_for(turn, std::min(rested, listener_->members.next_step(now)));
            if (!goes_on)
                co_return false;
            continue;
        }
        const bool there = co_await go_to_member();
        if (there)
            end_hold("routed");
        if (there || why_ != errc::none)
            co_return there;
    }
}

// A reload is no reason to turn away whoever waits: it goes on by what holds now.
void session::take_new_settings()
{
    auto now = worker_.current(listener_->id);
    if (now && now != listener_ && now->continues(*listener_))
        listener_ = std::move(now);
}

// Through the listener's door to an open member that has a place.
hold::turn session::take_place(time_point now)
{
    const auto t = worker_.believed(listener_->cluster);
    const asker who{peer_.address, opening_->resting, worker_.silent_members(), listener_->cluster};
    auto& l = *listener_;
    const auto choose = [&](const hold::room& room)
    {
        const auto member = l.members.choose(room, *t, now, who);
        if (member.empty())
            return member;
        // The client itself is in the queue until it goes in.
        const auto others = l.door.held() - (visit_.waits() ? 1U : 0U);
        l.traffic.chose(member, room.sessions(member) + 1, l.door.sessions() + 1, others, now);
        return member;
    };
    // A copy would be allocated for every session.
    return visit_.enter(std::cref(choose), l.cluster);
}

// To the member that take_place() has found. False: another try, or why_ says why not.
asio::awaitable<bool> session::go_to_member()
{
    member_ = visit_.member();
    opening_->role_gone = false;
    opening_->server_silent = false;
    count_retry();
    const auto t = worker_.believed(listener_->cluster);
    const auto* m = t->find(member_);
    if (!m)
        co_return false;
    const error_code ec = co_await connect_to(*m);
    if (why_ != errc::none)
        co_return false;
    if (ec)
    {
        lose_server(
            ec == asio::error::connection_refused ? health::life_sign::refused
                                                  : health::life_sign::ended
        );
        co_return false;
    }
    const bool readable = opening_->hands.step() == handshake::next::startup;
    if (!readable || m->address.starts_with('/') || !wants_server_tls(member_))
        co_return true;
    const bool secured = co_await secure_server(m->host);
    if (!secured && why_ == errc::none)
        lose_server();
    co_return secured;
}

void session::count_retry()
{
    const auto& refusals = opening_->refusals;
    if (refusals.empty())
        return;
    auto& stats = worker_.stats_of(*listener_).members[member_];
    ++stats.retries;
    if (std::ranges::find(refusals, member_, &refusal::member) == refusals.end())
        ++stats.redispatches;
}

// Open, and not one of those that have refused this client, or are silent; or the one that stands
// in as soon as they are known not to answer. The member that is being tried does not count.
bool session::has_untried_member(time_point now) const
{
    const auto t = worker_.believed(listener_->cluster);
    std::vector<const health::member*> eligible;
    const auto& l = *listener_;
    find_eligible(l.to, *t, now, l.cluster_settings, l.members.listed(), eligible);
    const auto was_tried = [&](const health::member* m)
    {
        return m->name == member_ ||
               std::ranges::find(opening_->refusals, m->name, &refusal::member) !=
                   opening_->refusals.end() ||
               worker_.silent_members().has(listener_->cluster, m->name, now);
    };
    return !std::ranges::all_of(eligible, was_tried) || has_stand_in(listener_->to, *t, member_);
}

// Lists the members that rest after a refusal; returns when the first of them may be tried again.
session::time_point session::rest_members(time_point now)
{
    auto& o = *opening_;
    auto first = time_point::max();
    o.resting.clear();
    for (const auto& r : o.refusals)
        if (now < r.until)
        {
            o.resting.push_back(r.member);
            first = std::min(first, r.until);
        }
    return first;
}

// Parks the client. False: it has ended, or the hold has.
asio::awaitable<bool> session::hold_for(hold::turn why, time_point until)
{
    auto& o = *opening_;
    phase_ = phase::queue;
    if (why == hold::turn::queue_full)
        co_return fail(errc::queue_full);
    if (!held_)
    {
        held_ = true;
        ++worker_.stats_of(*listener_).held;
        held_since_ = std::chrono::steady_clock::now();
        listener_->traffic.held(listener_->door.held(), listener_->door.sessions());
    }
    o.waiting = true;
    worker_.await_wake(*this, visit_.number());
    co_await o.timer.wait_until(std::min(until, *o.hold_until));
    worker_.forget_wake(*listener_, visit_.number());
    o.waiting = false;
    if (why_ != errc::none)
    {
        const bool ours = why_ == errc::shutting_down || why_ == errc::removed;
        end_hold(ours ? "shutdown" : "gone");
        co_return false;
    }
    if (std::chrono::steady_clock::now() < *o.hold_until)
        co_return true;
    end_hold("timeout");
    if (!o.refusals.empty())
        co_return fail(o.refused_why);
    co_return fail(end_of(visit_.waits_for()));
}

void session::end_hold(const char* result)
{
    if (!held_)
        return;
    held_ = false;
    auto& stats = worker_.stats_of(*listener_);
    --stats.held;
    const auto took = std::chrono::steady_clock::now() - held_since_;
    stats.hold_seconds[result].observe(seconds(took));
    waited_ += took;
}

asio::awaitable<error_code> session::connect_to(const health::member& m)
{
    phase_ = phase::connect;
    const auto began = std::chrono::steady_clock::now();
    // Where its name has other addresses, each gets its part of the time.
    const auto count = static_cast<milliseconds::rep>(1 + m.other_addresses.size());
    const auto part = listener_->settings.timeouts.connect / count;
    set_deadline(deadline::connect, part);
    server_address to{m.address, m.port};
    error_code ec = co_await connect(server_, std::move(to), listener_->settings);
    for (const auto& other : m.other_addresses)
    {
        const bool given_up = !server_.is_open() && !opening_->server_silent;
        if (!ec || why_ != errc::none || opening_->role_gone || given_up)
            break;
        opening_->server_silent = false;
        set_deadline(deadline::connect, part);
        server_address next{other, m.port};
        const error_code again = co_await connect(server_, std::move(next), listener_->settings);
        // That one refused says more than that another is not reached.
        if (!again || ec != asio::error::connection_refused)
            ec = again;
    }
    clear_deadline();
    connecting_ = std::chrono::steady_clock::now() - began;
    if (!ec && (why_ != errc::none || !server_.is_open()))
        ec = asio::error::operation_aborted;
    if (ec)
        co_return ec;
    routed_ = std::chrono::steady_clock::now();
    worker_.stats_of(*listener_).members[member_].connect_seconds.observe(seconds(connecting_));
    co_return error_code{};
}

// --- talking to it -----------------------------------------------------------------------------

// The server is not to be had now: the monitor should look, and this member rests a little.
void session::lose_server(health::life_sign seen)
{
    server_.close();
    clear_deadline();
    auto& o = *opening_;
    o.answer.clear();
    // We left it because it lost the role: that is no refusal, and nothing to look at again.
    if (std::exchange(o.role_gone, false))
        return member_.clear();
    const bool silent = std::exchange(o.server_silent, false);
    const bool waited = listener_->settings.timeouts.connect >= least_silence;
    if (silent && waited && seen == health::life_sign::ended)
        seen = health::life_sign::silent;
    ++worker_.stats_of(*listener_).members[member_].failed;
    worker_.hint(listener_->cluster, member_, seen);
    listener_->members.note_failed(member_, std::chrono::steady_clock::now());
    if (silent)
        worker_.note_silent(*listener_, member_);
    auto r = std::ranges::find(o.refusals, member_, &refusal::member);
    if (r == o.refusals.end())
        r = o.refusals.insert(r, {member_, {}, {}});
    r->pause = std::clamp(2 * r->pause, first_pause, longest_pause);
    r->until = std::chrono::steady_clock::now() + r->pause;
    member_.clear();
}

// Sends and waits for the first byte of an answer.
asio::awaitable<bool> session::ask_server(pgwire::bytes data)
{
    // It may take its time where nobody else could be asked.
    const auto& limits = listener_->settings.timeouts;
    const bool alternative = has_untried_member(std::chrono::steady_clock::now());
    set_deadline(
        deadline::first_answer,
        alternative ? std::min(limits.connect, limits.handshake) : limits.handshake
    );
    const bool told = co_await tell_server(data);
    if (!told)
        co_return false;
    const bool heard = co_await hear_server(1);
    // Its process has been forked: the next may come. Before that it would only add to the crowd.
    if (heard)
        visit_.connected();
    co_return heard;
}

asio::awaitable<bool> session::tell_server(pgwire::bytes data)
{
    const auto [ec, n] = co_await server_.write(data);
    co_return !ec && why_ == errc::none && server_.is_open();
}

// Appends to opening_->answer until it has this many bytes.
asio::awaitable<bool> session::hear_server(std::size_t at_least)
{
    auto& answer = opening_->answer;
    std::array<std::byte, 2048> room;
    while (answer.size() < at_least)
    {
        // The answer to an encryption request is one byte; what is behind it is not ours to take.
        const auto wanted = opening_->hands.step() == handshake::next::negotiate ? 1 : room.size();
        const auto [ec, n] = co_await server_.read_some(std::span(room).first(wanted));
        if (ec || why_ != errc::none || !server_.is_open())
            co_return false;
        answer.insert(answer.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
    }
    co_return true;
}

asio::awaitable<bool> session::tell_client(pgwire::bytes data)
{
    clear_deadline();
    const auto [ec, n] = co_await client_.write(data);
    opening_out_ += n;
    if (why_ != errc::none)
        co_return false;
    co_return ec ? fail(errc::client_gone) : true;
}

} // namespace rolegate::proxy

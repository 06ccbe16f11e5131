// SPDX-License-Identifier: PostgreSQL
//
// What reaches a session from outside its own flow: new beliefs, time-outs, the end of the process.
// And what remains of it: last words and one record.
#include "proxy/log.hpp"
#include "proxy/pgwire/error_response.hpp"
#include "proxy/route.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <algorithm>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using milliseconds = std::chrono::milliseconds;

// After the client has closed while its server has not answered yet.
constexpr milliseconds hung_server_limit{5000};

// For the rest of a message when a session is ended in the middle of it: what is on its way comes
// at once, and a server that hangs or a client that does not read gets no more than this.
constexpr milliseconds message_end_limit{100};

// Clients that are refused with their first packet, in ten seconds, of one listener and reason.
constexpr unsigned rejects_told = 20;

double seconds(std::chrono::steady_clock::duration d)
{
    return std::chrono::duration<double>(d).count();
}

std::int64_t in_ms(std::chrono::steady_clock::duration d)
{
    return std::chrono::duration_cast<milliseconds>(d).count();
}

// For a client that asked for this role.
const char* what_was_lost(config::listener_role r)
{
    switch (r)
    {
    case config::listener_role::primary:
        return "the primary";
    case config::listener_role::leader:
        return "the leader";
    case config::listener_role::standby_leader:
        return "the standby leader";
    default:
        return config::is_replica_only(r) ? "a replica" : "fit for this port";
    }
}

// An encryption request must not be answered with an error, nor protocol 2 in the words of 3.
bool understands_errors(const handshake& h)
{
    return h.step() == handshake::next::startup && pgwire::startup_protocol(h.packet()) >> 16 >= 3;
}

} // namespace

bool session::on_topology()
{
    const auto t = worker_.believed(listener_->cluster);
    const bool lost = !member_.empty() && !may_stay(listener_->to, *t, member_);
    const bool must_go = !member_.empty() && must_leave(*t, member_);
    if (relay_)
    {
        if (why_ != errc::none)
            return false;
        // Where the file names the members, one that has gone from it is wanted no more.
        if (!lost && t->kind != health::cluster_kind::patroni && !t->find(member_))
            leave_when_idle(
                errc::removed, std::chrono::steady_clock::now() + listener_->settings.drain_deadline
            );
        obey_maintenance(must_go);
        if (!lost)
            return false;
        switch (listener_->settings.on_marked_down)
        {
        case config::marked_down_action::shutdown_sessions:
            end_at_boundary(errc::role_lost);
            return true;
        case config::marked_down_action::drain:
            leave_when_idle(
                errc::role_lost,
                std::chrono::steady_clock::now() + listener_->settings.drain_deadline
            );
            return false;
        case config::marked_down_action::none:
            return false;
        }
    }
    // Still opening: nothing of that server has reached the client, so another one is found.
    if (opening_ && (lost || must_go) && server_.is_open())
    {
        opening_->role_gone = true;
        server_.close();
    }
    return false;
}

void session::on_stale()
{
    if (relay_ && why_ == errc::none)
        end(errc::view_lost);
}

void session::on_wake()
{
    if (opening_ && opening_->waiting)
        opening_->timer.cancel();
}

void session::end(errc why)
{
    fail(why);
    if (relay_)
        return relay_->stop(why_);
    client_.cancel();
    server_.close();
    if (opening_)
        opening_->timer.cancel();
}

// The client gets the rest of the message that is on its way, so that it can be told why.
void session::end_at_boundary(errc why)
{
    fail(why);
    relay_->stop_at_boundary(why_);
    if (recorded_)
        return;
    set_deadline(deadline::message_end, message_end_limit);
    worker_.watch(*this);
}

void session::leave_when_idle(errc why, std::optional<time_point> by)
{
    if (leaving_ == errc::none)
        leaving_ = why;
    if (by)
        leave_by_ = std::min(leave_by_, *by);
    if (recorded_)
        return;
    if (!relay_)
    {
        // With a server at hand the session is as good as established and ends when it is idle.
        if (phase_ != phase::connect)
            end(leaving_);
        return;
    }
    relay_->tell_when_idle();
    worker_.watch(*this);
    if (relay_->idle())
        on_idle();
}

bool session::move_on()
{
    if (!relay_ || why_ != errc::none || !relay_->idle())
        return false;
    end(errc::moved);
    return true;
}

void session::on_idle()
{
    if (leaving_ != errc::none && why_ == errc::none)
        end(leaving_);
}

void session::try_to_leave(time_point now)
{
    if (recorded_ || !relay_ || why_ != errc::none)
        return;
    if (now >= leave_by_)
        return end_at_boundary(leaving_);
    if (relay_->idle())
        end(leaving_);
}

int session::watched_client() noexcept
{
    const bool unread = opening_ && why_ == errc::none && phase_ != phase::handshake;
    return unread ? client_.native_handle() : -1;
}

void session::on_client_gone(time_point now)
{
    // What it has said before it closed its side may be all it has to say; it waits for the answer.
    if (is_any_protocol() && early_byte())
        return;
    if (opening_->waiting)
        return end(errc::client_gone);
    if (std::exchange(opening_->client_left, true))
        return;
    // It may have sent all it has to say and wait for the answer; a server that never gives one
    // must not keep it for long.
    if (deadline_ == deadline::first_answer)
        deadline_at_ = std::min(deadline_at_, now + hung_server_limit);
}

void session::set_deadline(deadline what, milliseconds after)
{
    if (what == deadline::first_answer && opening_->client_left)
        after = std::min(after, hung_server_limit);
    deadline_ = what;
    deadline_at_ = std::chrono::steady_clock::now() + after;
}

void session::on_sweep(time_point now)
{
    if (leaving_ != errc::none)
        try_to_leave(now);
    if (opening_ && opening_->waiting && worker_.believed(listener_->cluster)->stale(now))
        opening_->timer.cancel();
    if (deadline_ == deadline::none || now < deadline_at_)
        return;

    switch (std::exchange(deadline_, deadline::none))
    {
    case deadline::none:
        return;
    case deadline::handshake:
        return end(errc::handshake_timeout);
    case deadline::connect:
    case deadline::server_tls:
    case deadline::first_answer:
        opening_->server_silent = true;
        return server_.close(); // another try, or the end of the hold
    case deadline::message_end:
        return relay_->stop(why_);
    case deadline::peer_fin:
        return on_peer_fin_due();
    case deadline::goodbye:
        return client_.close();
    }
}

// One side has ended; as long as the other's bytes flow, both are wanted.
void session::on_peer_fin_due()
{
    const auto limit = listener_->settings.timeouts.client_fin;
    const auto heard = std::max(relay_->client_heard(), relay_->server_heard());
    const auto silent = (worker_.now() - heard) * worker::tick_length;
    if (silent >= limit)
        return end(errc::client_fin_timeout);
    set_deadline(deadline::peer_fin, limit - silent);
}

// While a query runs its client waits, and may do so for as long as it likes; silence begins with
// the end of its answer. Where queries cannot be seen, bytes of either side say that one runs.
void session::on_idle_sweep(relay::tick now)
{
    if (!relay_ || why_ != errc::none || relay_->busy())
        return;
    const auto heard = std::max(relay_->client_heard(), relay_->server_heard());
    const auto silent = (now - heard) * worker::tick_length;
    const auto over = [silent](milliseconds limit) { return limit.count() > 0 && silent >= limit; };
    const auto& limits = listener_->settings.timeouts;
    if (over(limits.client))
        end_at_boundary(errc::client_idle);
    else if (over(limits.server))
        end_at_boundary(errc::server_idle);
}

// --- what remains ------------------------------------------------------------------------------

// What the client is told, where it can be told anything at this point.
std::string session::last_words() const
{
    const auto& i = info(why_);
    if (!i.sqlstate)
        return {};
    const bool may_speak =
        !opening_ ||
        (why_ == errc::bytes_before_tls ? opening_->said_no : understands_errors(opening_->hands));
    if (!may_speak)
        return {};
    if (why_ == errc::role_lost)
    {
        return pgwire::fatal_error(
            i.sqlstate,
            "terminating connection: member " + member_ + " is no longer " +
                what_was_lost(listener_->settings.role)
        );
    }
    // libpq goes on to its next host only after 57P03, never after 57P01.
    const bool elsewhere = why_ == errc::shutting_down || why_ == errc::removed;
    const auto* sqlstate = opening_ && elsewhere ? "57P03" : i.sqlstate;
    return pgwire::fatal_error(sqlstate, i.text);
}

void session::add_live_bytes(member_stats& to) const
{
    if (!relay_ || recorded_)
        return;
    to.bytes_in += opening_in_ + relay_->bytes_in();
    to.bytes_out += opening_out_ + relay_->bytes_out();
}

void session::record_end()
{
    if (recorded_)
        return;
    recorded_ = true;
    const auto total = std::chrono::steady_clock::now() - accepted_;
    const auto in = opening_in_ + (relay_ ? relay_->bytes_in() : 0);
    const auto out = opening_out_ + (relay_ ? relay_->bytes_out() : 0);
    const auto term = termination(why_, phase_);

    auto& stats = worker_.stats_of(*listener_);
    auto& member = stats.members[member_];
    ++member.ended[term];
    member.bytes_in += in;
    member.bytes_out += out;
    stats.session_seconds.observe(seconds(total));
    if (phase_ == phase::data)
    {
        member.wait_seconds.observe(seconds(waited_));
        member.connecting_seconds.observe(seconds(connecting_));
        member.total_seconds.observe(seconds(total));
    }
    if (phase_ == phase::handshake && info(why_).who == side::client &&
        (in > 0 || why_ != errc::client_gone))
        ++stats.handshake_rejects[info(why_).word];
    const bool shut_down = why_ == errc::role_lost || why_ == errc::moved ||
                           why_ == errc::view_lost || why_ == errc::removed ||
                           why_ == errc::maintenance || why_ == errc::killed ||
                           why_ == errc::shutting_down;
    if (phase_ == phase::data && shut_down)
        ++member.shut_down[info(why_).word];

    // A probe that connects and closes is no session worth a line.
    const bool probe = why_ == errc::client_gone && opening_in_ == 0;
    const char* cancel = opening_ ? opening_->cancel_result : nullptr;
    const bool well = why_ == errc::none && (!cancel || opening_->cancel_sent);
    if (!log::wants_session_end(well))
        return;
    log::line told(probe ? config::log_level::debug : config::log_level::info, "session_end");
    if (!told)
        return;
    told.add("id", static_cast<std::int64_t>(id_))
        .add("client", peer_.text())
        .add("listener", listener_->settings.name)
        .name("member", member_)
        .add("tw_ms", in_ms(waited_))
        .add("tc_ms", in_ms(connecting_))
        .add("tt_ms", in_ms(total))
        .add("in", static_cast<std::int64_t>(in))
        .add("out", static_cast<std::int64_t>(out))
        .add("term", term)
        .add("why", info(why_).word);
    if (cancel)
        told.add("cancel", cancel);
    // Whoever only knocks must not be able to fill the disk.
    if (phase_ == phase::handshake && info(why_).who == side::client)
        told.limit(
            rejects_told, {{"listener", listener_->settings.name}, {"why", info(why_).word}}
        );
}

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
#include "proxy/session.hpp"

#include "proxy/connect.hpp"
#include "proxy/log.hpp"
#include "proxy/pgwire/error_response.hpp"
#include "proxy/pgwire/startup_message.hpp"
#include "proxy/route.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/co_spawn.hpp>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using milliseconds = std::chrono::milliseconds;

// The last words of a session and the client's own goodbye: a local client needs microseconds.
constexpr milliseconds goodbye_limit{2000};

// Answers to a startup packet that say "not now": the server is starting, stopping, or was just
// told to stop. Another try is unseen by the client, for nothing has reached it yet.
bool worth_another_try(std::string_view sqlstate)
{
    return sqlstate == "57P03" || sqlstate == "57P01" || sqlstate == "57P02";
}

pgwire::bytes bytes_of(const std::string& text)
{
    return std::as_bytes(std::span(text));
}

} // namespace

session::session(worker& w, listener_ptr l, std::uint64_t id, unique_fd client, const peer& from)
    : worker_(w), listener_(std::move(l)), id_(id), client_(w.loop(), std::move(client)),
      server_(w.loop()), peer_(from), visit_(listener_->door, w.index()),
      opening_(std::make_unique<opening>(*this, w.loop())),
      accepted_(std::chrono::steady_clock::now())
{
}

session::~session()
{
    // Still here when its worker stops: a session that ends has a record all the same.
    fail(errc::shutting_down);
    end_hold("shutdown");
    record_end();
    leave_member();
    --listener_->process.clients;
}

void session::start()
{
    asio::co_spawn(
        worker_.loop().get_executor(),
        run(),
        [this](std::exception_ptr e)
        {
            if (e)
            {
                log::internal_error(e);
                fail(errc::internal);
            }
            if (!relay_)
                worker_.remove(*this); // destroys this session
        }
    );
}

// --- a client's life, in order -----------------------------------------------------------------

asio::awaitable<void> session::run()
{
    // It may have been ended before it has begun.
    bool established = false;
    if (why_ == errc::none)
        established = co_await establish();
    if (established)
        co_return start_relay();
    finish();
    auto words = last_words();
    co_await say_goodbye(std::move(words));
}

// From the first byte to a server that has given its first answer. False: why_ says why not.
//
// The results of co_await have names: g++ 12 loses the coroutine's `this` when one is awaited in
// the condition of an `if` inside a `switch`.
asio::awaitable<bool> session::establish()
{
    if (!co_await meet_client())
        co_return false;
    if (is_any_protocol())
        co_return co_await open_any_protocol();
    for (;;)
    {
        if (!co_await read_packet())
            co_return false;
        const auto step = opening_->hands.step();
        if (step == handshake::next::reject)
            co_return fail(errc::startup_malformed);
        if (step == handshake::next::negotiate && settles_encryption())
        {
            if (!co_await accept_encryption())
                co_return false;
            continue; // the next packet comes inside TLS, or in clear text after an N
        }
        clear_deadline();
        end_handshake();
        // Whether there is TLS has been settled with us: no server is asked again, and what comes
        // unread would pass `required` and `ca` by.
        const bool settled = step == handshake::next::startup || step == handshake::next::opaque;
        if (ends_tls() && settled && opening_->hands.kind() != pgwire::first_packet::startup)
            co_return fail(errc::startup_malformed);
        if (step == handshake::next::cancel)
        {
            co_await forward_cancel();
            co_return false;
        }
        if (const auto why = find_listener(); why != errc::none)
            co_return fail(why);
        if (step == handshake::next::startup)
            co_return co_await start_up();
        if (step == handshake::next::opaque)
            co_return co_await pass_on_unread();
        const bool answered = co_await negotiate();
        if (!answered || opening_->hands.step() == handshake::next::opaque)
            co_return answered;
        // Answered with N: the next packet comes in clear text.
    }
}

// SSLRequest or GSSENCRequest: the server answers with one byte. Until that byte has reached the
// client any other server may be asked instead.
asio::awaitable<bool> session::negotiate()
{
    auto& answer = opening_->answer;
    for (;;)
    {
        if (!co_await reach_server())
            co_return false;
        const auto request = opening_->hands.packet();
        const bool heard = co_await ask_server(request);
        if (heard)
            break;
        if (why_ != errc::none)
            co_return false;
        lose_server();
    }

    // Nothing may come from the client before it has the answer, but the ClientHello of one that
    // does not wait for it.
    const auto early = early_byte();
    const auto reply = static_cast<char>(answer.front());
    const bool injected = early && (reply == 'N' || !pgwire::begins_tls(*early));
    phase_ = phase::handshake;
    if (injected && reply != 'N')
        co_return fail(errc::bytes_before_tls);

    const auto reply_bytes = pgwire::bytes(answer);
    if (!co_await tell_client(reply_bytes))
        co_return false;
    answer.clear();
    opening_->said_no = reply == 'N';
    if (injected)
        co_return fail(errc::bytes_before_tls);
    opening_->hands.answered(reply);
    // Whoever is sought for the next packet is sought anew.
    opening_->hold_until.reset();
    opening_->refusals.clear();
    co_return true;
}

// StartupMessage, which can be read. The server's first answer is looked at before the client sees
// it: one that says "not now" is answered with another try.
asio::awaitable<bool> session::start_up()
{
    const auto& l = listener_->settings;
    if (ends_tls() && l.tls.required && !client_.encrypted())
        co_return fail(errc::tls_required);
    auto& startup = opening_->startup;
    const auto packet = opening_->hands.packet();
    startup.assign(packet.begin(), packet.end());
    names_.remember(startup);
    if (l.application_name_add_host)
        startup = pgwire::with_application_name_host(startup, peer_.text());

    // The client has asked this server for TLS and was told N: whoever insists on TLS to servers
    // asks again.
    if (l.server_tls.sslmode >= config::sslmode::require)
        server_.close();
    auto& answer = opening_->answer;
    for (;;)
    {
        if (!co_await reach_server())
            co_return false;
        answer.clear();
        bool heard = co_await ask_server(startup);
        auto first = pgwire::parse_first_answer(answer);
        while (heard && first.status == pgwire::parse_status::need_more)
        {
            heard = co_await hear_server(answer.size() + 1);
            first = pgwire::parse_first_answer(answer);
        }
        if (why_ != errc::none)
            co_return false;
        const bool not_now = heard && worth_another_try(first.sqlstate);
        if (heard && !not_now && !flips_server_tls())
            break;
        if (heard && !not_now)
            continue;
        lose_server(heard ? health::life_sign::refused : health::life_sign::ended);
    }
    const auto answer_bytes = pgwire::bytes(answer);
    co_return co_await tell_client(answer_bytes);
}

// Not a byte is read before there is a server: it may be the one that speaks first.
asio::awaitable<bool> session::open_any_protocol()
{
    clear_deadline();
    end_handshake();
    const bool reached = co_await reach_server();
    if (reached)
        visit_.connected();
    co_return reached;
}

// TLS from the first byte: nothing of it can be read or answered here.
asio::awaitable<bool> session::pass_on_unread()
{
    for (;;)
    {
        if (!co_await reach_server())
            co_return false;
        const auto data = opening_->hands.packet();
        const bool told = co_await tell_server(data);
        if (told)
        {
            visit_.connected();
            co_return true;
        }
        if (why_ != errc::none)
            co_return false;
        lose_server();
    }
}

// --- the relay ---------------------------------------------------------------------------------

void session::start_relay()
{
    const auto o = std::move(opening_);
    const bool readable = o->hands.step() == handshake::next::startup;

    phase_ = phase::data;
    counted_ = &worker_.stats_of(*listener_).members[member_];
    ++counted_->sessions;
    relay_.emplace(client_, server_, worker_.loop(), worker_.buffers(), worker_.now(), *this);
    worker_.settle(*this);
    worker_.note_routed(*listener_, member_);
    if (readable)
        relay_->start_readable(o->answer);
    else
        relay_->start_opaque();
    // The belief may have changed while the last words of the opening were on their way.
    if (on_topology())
        worker_.note_cut(*listener_, member_, 1);
    if (leaving_ != errc::none)
        leave_when_idle(leaving_, std::nullopt);
}

// The session can be cancelled from now on.
void session::on_backend_key(pgwire::bytes key)
{
    const auto* m = worker_.believed(listener_->cluster)->find(member_);
    if (!m)
        return;
    const bool one_place = m->other_addresses.empty();
    cancel_key_ = listener_->process.keys.add(
        key, one_place ? server_address{m->address, m->port} : place_of(server_)
    );
}

void session::on_half_closed()
{
    if (relay_->server_ended())
        visit_.leave(); // its place is free, however long the client stays
    set_deadline(deadline::peer_fin, listener_->settings.timeouts.client_fin);
    worker_.watch(*this);
}

void session::on_relay_end(errc why)
{
    clear_deadline();
    if (why_ == errc::none)
        why_ = why;
    if (why_ == errc::server_ended || why_ == errc::server_reset)
        worker_.hint(listener_->cluster, member_, health::life_sign::ended);

    auto words = relay_->take_unsent();
    if (relay_->can_say_last_words())
        words += last_words();
    finish();
    // Nobody listens any more, or there is nothing to say.
    const auto& i = info(why_);
    const bool client_done =
        why_ == errc::none || why_ == errc::server_ended || (i.who == side::client && !i.sqlstate);
    if (client_done)
        return worker_.remove(*this);
    worker_.watch(*this);
    asio::co_spawn(
        worker_.loop().get_executor(),
        say_goodbye(std::move(words)),
        [this](std::exception_ptr e)
        {
            if (e)
                log::internal_error(e);
            worker_.remove(*this);
        }
    );
}

// --- the end -----------------------------------------------------------------------------------

bool session::fail(errc why) noexcept
{
    if (why_ == errc::none)
        why_ = why;
    return false;
}

// The server's side is over; the session is counted and recorded.
void session::finish()
{
    server_.close();
    cancel_key_.remove();
    record_end();
    leave_member();
}

// Last words, FIN, and whatever the client still sends is read and dropped: closing with unread
// data would make the kernel reset the connection and throw the words away (P-334).
asio::awaitable<void> session::say_goodbye(std::string last_words)
{
    set_deadline(deadline::goodbye, goodbye_limit);
    if (!last_words.empty())
        co_await client_.write(bytes_of(last_words));
    // One that nobody takes has done nothing wrong: it gets its FIN.
    const bool impolite = info(why_).who == side::client && why_ != errc::no_match;
    if (impolite && last_words.empty())
        co_return client_.close();
    client_.finish_sending();
    // Others have their turn after every buffer: one that sends without end would keep the worker.
    while (client_.is_open())
    {
        const auto ec = co_await client_.readable();
        if (ec)
            break;
        const auto dropped = client_.receive(worker_.buffers().scratch());
        if (dropped.status == io_status::ended || dropped.status == io_status::broken)
            break;
    }
    client_.close();
}

void session::leave_member()
{
    visit_.leave();
    if (!counted_)
        return;
    --counted_->sessions;
    counted_ = nullptr;
}

} // namespace rolegate::proxy

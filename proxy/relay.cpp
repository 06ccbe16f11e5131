// SPDX-License-Identifier: PostgreSQL
#include "proxy/relay.hpp"

#include "proxy/log.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace rolegate::proxy
{

namespace
{

// After this many full buffers others get their turn.
constexpr int max_rounds = 8;

// Terminate of the PostgreSQL protocol: 'X' and its length. A driver that says goodbye and waits
// for the server to close first ends its session as it should.
bool ends_with_terminate(std::span<const std::byte> seen)
{
    constexpr std::array terminate{
        std::byte{'X'}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{4}};
    return seen.size() >= terminate.size() && std::ranges::equal(seen.last<5>(), terminate);
}

} // namespace

relay::relay(
    transport& client,
    transport& server,
    event_loop& loop,
    buffer_pool& buffers,
    const tick& now,
    relay_owner& owner
) noexcept
    : from_client_{client, server, errc::client_reset, errc::server_reset, {}},
      from_server_{server, client, errc::server_reset, errc::client_reset, {}}, loop_(loop),
      buffers_(buffers), owner_(owner), now_(now)
{
}

relay::~relay()
{
    buffers_.give_back(std::move(from_client_.parked));
    buffers_.give_back(std::move(from_server_.parked));
}

void relay::start_opaque()
{
    start();
}

void relay::start_readable(pgwire::bytes answer)
{
    readable_ = true;
    key_ = std::make_unique<pgwire::backend_key>();
    observe(from_server_, answer);
    start();
}

void relay::start()
{
    from_client_.heard = from_server_.heard = now_;
    for (auto* f : {&from_server_, &from_client_})
        // What TLS has decrypted already is no event of the socket; all else is, also what has come
        // before.
        if (f->from.encrypted())
            again(*f, &relay::read);
        else
            wait(*f, f->from, io_status::want_read, &relay::read);
}

// --- waiting -----------------------------------------------------------------------------------

void relay::wait(flow& f, transport& on, io_status for_what, step next)
{
    if (stopping_)
        return;
    f.waits_on = &on;
    f.events = for_what == io_status::want_write ? EPOLLOUT : EPOLLIN;
    f.next = next;
    if (!ask(on))
        finish(errc::internal);
}

// Goes on in the loop's next turn.
void relay::again(flow& f, step next)
{
    f.waits_on = nullptr;
    f.goes_on = true;
    f.next = next;
    loop_.defer(*this);
}

// The kernel is to report what is waited for and nothing else: it tells again and again.
bool relay::ask(transport& t) noexcept
{
    std::uint32_t events = 0;
    for (const auto* f : {&from_server_, &from_client_})
        if (f->waits_on == &t)
            events |= f->events;
    return t.tell(*this, events);
}

// An error or a hangup is found by the recv or send that follows.
void relay::on_ready(transport& t, std::uint32_t events)
{
    for (auto* f : {&from_server_, &from_client_})
        if (!stopping_ && f->waits_on == &t && (events & (f->events | EPOLLERR | EPOLLHUP)) != 0)
            take(*f);
    if (!stopping_ && !ask(t))
        finish(errc::internal);
}

void relay::on_turn()
{
    // Only here and not at the end: stop() always means the next turn.
    if (stopping_)
        return owner_.on_relay_end(why_); // destroys this, perhaps
    for (auto* f : {&from_server_, &from_client_})
        if (!stopping_ && std::exchange(f->goes_on, false))
            take(*f);
}

void relay::take(flow& f) noexcept
{
    f.waits_on = nullptr;
    try
    {
        (this->*f.next)(f);
    }
    catch (...)
    {
        // Lack of memory. What was under way cannot be taken up again; the other sessions go on.
        log::internal_error(std::current_exception());
        finish(errc::internal);
    }
}

// --- the way of a byte -------------------------------------------------------------------------

void relay::read(flow& f)
{
    if (muted(f))
        return;
    for (int round = 0; round < max_rounds; ++round)
    {
        const auto room = room_for(f);
        const auto r = f.from.receive(room);
        if (r.status == io_status::ended)
            return on_eof(f);
        if (r.status == io_status::broken)
            return finish(f.from_broke);
        if (r.status != io_status::done)
            return wait(f, f.from, r.status, &relay::read);
        f.bytes += r.size;
        f.heard = now_;
        observe(f, room.first(r.size));
        const bool passed = pass_on(f, r.size);
        if (ending_ && (answers_.at_boundary() || answers_.lost()))
            return stop(why_);
        if (!passed || ends_when_idle())
            return;
        // That was all; a further recv would only say EAGAIN.
        if (r.size < room.size() && !f.from.has_buffered())
            return wait(f, f.from, io_status::want_read, &relay::read);
    }
    again(f, &relay::read);
}

// While the relay ends, no byte behind the message that is under way is taken from the server.
std::span<std::byte> relay::room_for(const flow& f)
{
    const auto room = buffers_.scratch();
    return ending_ && &f == &from_server_
               ? room.first(std::min(room.size(), answers_.message_left()))
               : room;
}

bool relay::ends_when_idle()
{
    if (tells_idle_ && idle())
        owner_.on_idle();
    return stopping_;
}

bool relay::muted(const flow& f) const noexcept
{
    return ending_ && &f == &from_client_;
}

void relay::observe(flow& f, std::span<const std::byte> seen)
{
    if (!readable_)
        return;
    if (&f == &from_client_)
    {
        requests_.feed(seen);
        terminated_ = ends_with_terminate(seen);
        return;
    }
    const auto answered = answers_.counted();
    const auto copied = answers_.copies_ended();
    answers_.feed(seen);
    // Where no COPY came of it, the Syncs before its data's end are answered like all others.
    if (answers_.counted() != answered)
    {
        const auto within = requests_.take_ignorable();
        ignored_ += answers_.copies_ended() != copied ? within : 0;
    }
    if (!key_)
        return;
    key_->feed(seen);
    if (!key_->done())
        return;
    if (!key_->key().empty())
        owner_.on_backend_key(key_->key());
    key_.reset();
}

// Sends `size` bytes of the scratch buffer. False: they were not all taken, or the receiver broke;
// the flow goes on when it is writable, or not at all.
bool relay::pass_on(flow& f, std::size_t size)
{
    const auto data = buffers_.scratch().first(size);
    std::size_t sent = 0;
    while (sent < size)
    {
        const auto r = f.to.send(data.subspan(sent));
        sent += r.size;
        if (r.status == io_status::done)
            continue;
        if (r.status == io_status::ended || r.status == io_status::broken)
        {
            finish(f.to_broke);
            return false;
        }
        f.parked = buffers_.park();
        f.begin = sent;
        f.end = size;
        wait(f, f.to, r.status, &relay::write_parked);
        return false;
    }
    return true;
}

void relay::write_parked(flow& f)
{
    if (muted(f))
        return;
    while (f.begin < f.end)
    {
        const auto r = f.to.send({f.parked.get() + f.begin, f.end - f.begin});
        f.begin += r.size;
        if (r.status == io_status::ended || r.status == io_status::broken)
            return finish(f.to_broke);
        if (r.status != io_status::done)
            return wait(f, f.to, r.status, &relay::write_parked);
    }
    buffers_.give_back(std::move(f.parked));
    if (!ends_when_idle())
        read(f);
}

// --- the end -----------------------------------------------------------------------------------

void relay::on_eof(flow& f)
{
    f.ended = true;
    const bool other_ended = &f == &from_client_ ? from_server_.ended : from_client_.ended;
    // To close says FIN as well, but no close_notify.
    if (!other_ended || f.to.encrypted())
        f.to.finish_sending();
    if (ending_)
        return stop(why_);
    if (other_ended)
        return finish(why_);
    // Remembered for the end: a server that ends first has something to explain.
    const bool goodbye = terminated_ || (!readable_ && from_client_.from.hung_up());
    why_ = &f == &from_server_ && !goodbye ? errc::server_ended : errc::none;
    owner_.on_half_closed();
}

void relay::stop(errc why)
{
    if (stopping_)
        return;
    stopping_ = true;
    why_ = why;
    from_server_.from.close();
    from_client_.from.tell_nobody();
    loop_.defer(*this);
}

void relay::stop_at_boundary(errc why)
{
    if (stopping_ || ending_)
        return;
    if (!readable_ || answers_.lost() || answers_.at_boundary() || from_server_.ended)
        return stop(why);
    ending_ = true;
    why_ = why;
}

// A server that has ended already is the reason for whatever breaks afterwards.
void relay::finish(errc why)
{
    if (is_goodbye(why))
        why = errc::none;
    stop(ending_ || why_ == errc::server_ended ? why_ : why);
}

// Inside TLS that is not ours nobody sees Terminate. Who has closed answers the other's last record
// with a reset: where it had said FIN before, or the other side has ended as well, that was no
// accident.
bool relay::is_goodbye(errc why) const noexcept
{
    if (readable_ || ending_)
        return false;
    const auto& client = from_client_.from;
    return (why == errc::server_reset && client.hung_up()) ||
           (why == errc::client_reset &&
            (from_client_.ended || client.said_fin() || from_server_.from.hung_up()));
}

// --- what is known -----------------------------------------------------------------------------

bool relay::idle() const noexcept
{
    return readable_ && answers_.ready_status() == 'I' && requests_.at_boundary() && !busy();
}

// The first ReadyForQuery answers the StartupMessage, which is not counted.
bool relay::busy() const noexcept
{
    return readable_ &&
           (requests_.unsynced() || requests_.counted() + 1 - ignored_ != answers_.counted());
}

std::string relay::take_unsent()
{
    auto& f = from_server_;
    std::string unsent;
    if (f.parked)
        unsent.assign(reinterpret_cast<const char*>(f.parked.get()) + f.begin, f.end - f.begin);
    buffers_.give_back(std::move(f.parked));
    can_speak_ = readable_ && !answers_.lost();
    if (!can_speak_ || answers_.at_boundary())
        return unsent;
    // Of the message that is not whole the client has got nothing yet: it never will. What TLS has
    // begun to send cannot be taken back.
    can_speak_ = answers_.into_message() <= unsent.size() && !f.to.encrypted();
    if (can_speak_)
        unsent.erase(unsent.size() - answers_.into_message());
    return unsent;
}

} // namespace rolegate::proxy

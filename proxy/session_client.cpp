// SPDX-License-Identifier: PostgreSQL
//
// How a session comes to know its client: a PROXY header, TLS that ends here, the first packet.
#include "proxy/cancel.hpp"
#include "proxy/log.hpp"
#include "proxy/pgwire/backend_key.hpp"
#include "proxy/pgwire/proxy_header.hpp"
#include "proxy/route.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <algorithm>
#include <array>
#include <sys/socket.h>
#include <utility>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;

// Handshakes that fail in the same way, in ten seconds, of one listener.
constexpr unsigned tls_failures_told = 5;

// IPv4 as ::ffff:a.b.c.d, as handshake_count wants it.
std::optional<address_key> key_of(const client_address& a)
{
    address_key key{};
    switch (a.family)
    {
    case client_family::unix_socket:
        return std::nullopt;
    case client_family::v6:
        return a.bytes;
    case client_family::v4:
        break;
    }
    key[10] = key[11] = 0xff;
    std::copy_n(a.bytes.begin(), 4, key.begin() + 12);
    return key;
}

// Where this listener's sessions may be, each place once.
void add_servers(
    const listener_state& l, const health::topology& t, std::vector<server_address>& to
)
{
    const auto add = [&to](server_address a)
    {
        if (std::ranges::find(to, a) == to.end())
            to.push_back(std::move(a));
    };
    for (const auto& m : t.members)
    {
        if (m.address.empty() || !may_stay(l.to, t, m.name))
            continue;
        add({m.address, m.port});
        for (const auto& other : m.other_addresses)
            add({other, m.port});
    }
}

} // namespace

bool session::ends_tls() const noexcept
{
    return listener_->settings.tls.mode == config::tls_mode::terminate;
}

bool session::is_any_protocol() const noexcept
{
    return listener_->cluster_settings.tcp.has_value();
}

// What must be known before a word is exchanged: who it is, and whether it may be here.
asio::awaitable<bool> session::meet_client()
{
    set_deadline(deadline::handshake, listener_->settings.timeouts.handshake);
    const bool for_another = listener_->demands_proxy_header(peer_.address);
    if (!enter_handshake(for_another))
        co_return fail(errc::too_many_handshakes);
    if (for_another)
    {
        const bool known = co_await read_proxy_header();
        if (!known)
            co_return false;
    }
    if (!listener_->allows(peer_.address))
        co_return fail(errc::not_allowed);
    if (!ends_tls())
        co_return true;
    co_return co_await accept_direct_tls();
}

// When the listener has no place left, whoever has been silent here for longest gives up his: one
// who means well needs milliseconds, so a crowd of silent ones keeps nobody out. A balancer speaks
// for many: what comes through it is counted for the listener alone.
bool session::enter_handshake(bool for_another)
{
    const auto from = for_another ? std::nullopt : key_of(peer_.address);
    auto counted = listener_->handshakes.enter(from);
    if (counted.hit == handshake_count::limit::listener && worker_.end_oldest_handshake(*listener_))
        counted = listener_->handshakes.enter(from);
    if (counted.place.empty())
        return false;
    opening_->counted = std::move(counted.place);
    worker_.note_handshake(*opening_);
    return true;
}

void session::end_handshake() noexcept
{
    opening_->counted.end();
    opening_->unlink();
}

void session::give_up_handshake()
{
    end_handshake();
    end(errc::too_many_handshakes);
}

// Not a byte behind the header is taken: it may belong to TLS.
asio::awaitable<bool> session::read_proxy_header()
{
    std::array<std::byte, pgwire::max_proxy_header_size> room;
    std::size_t size = 0;
    for (;;)
    {
        const auto seen = std::span(room).first(size);
        pgwire::proxy_header header;
        const auto status = pgwire::parse_proxy_header(seen, header);
        if (status == pgwire::parse_status::malformed)
            co_return fail(errc::proxy_header_bad);
        if (status == pgwire::parse_status::complete)
        {
            const auto address = parse_client_address(header.source_address);
            if (!header.local && address)
                peer_ = {*address, header.source_port};
            co_return true;
        }
        const auto wanted = std::span(room).subspan(size, pgwire::proxy_header_wanted(seen));
        const auto [ec, n] = co_await client_.read_some(wanted);
        if (why_ != errc::none)
            co_return false;
        if (ec)
            co_return fail(size == 0 ? errc::client_gone : errc::proxy_header_bad);
        size += n;
        opening_in_ += n;
    }
}

// TLS from the first byte (PostgreSQL 17) is told by that byte, which is left to the TLS library.
asio::awaitable<bool> session::accept_direct_tls()
{
    const auto first = co_await client_.peek();
    if (why_ != errc::none)
        co_return false;
    if (!first)
        co_return fail(errc::client_gone);
    if (!pgwire::begins_tls(*first))
        co_return true;
    const bool secured = co_await secure_client();
    if (secured && !client_.alpn_agreed()) // demanded by PostgreSQL, too (P-155)
        co_return fail(errc::tls_failed);
    co_return secured;
}

// SSLRequest is answered with S and followed by TLS, if it ends here; all else with N.
asio::awaitable<bool> session::accept_encryption()
{
    const bool tls = ends_tls() && opening_->hands.kind() == pgwire::first_packet::ssl_request;
    const auto early = early_byte();
    if (early && !(tls && pgwire::begins_tls(*early)))
        co_return fail(errc::bytes_before_tls);
    const std::byte answer{static_cast<unsigned char>(tls ? 'S' : 'N')};
    const auto [ec, sent] = co_await client_.write(std::span(&answer, 1));
    if (why_ != errc::none)
        co_return false;
    if (ec)
        co_return fail(errc::client_gone);
    ++opening_out_;
    if (tls)
        co_return co_await secure_client();
    opening_->said_no = true;
    opening_->hands.answered('N');
    co_return true;
}

asio::awaitable<bool> session::secure_client()
{
    auto context = listener_->tls.client;
    const auto problem = co_await client_.accept_tls(std::move(context));
    if (why_ != errc::none)
        co_return false;
    if (problem)
    {
        log::line(config::log_level::info, "client_tls_failed")
            .add("id", static_cast<std::int64_t>(id_))
            .add("client", peer_.text())
            .add("listener", listener_->settings.name)
            .text("error", *problem)
            .limit(
                tls_failures_told, {{"listener", listener_->settings.name}, {"error", *problem}}
            );
        co_return fail(errc::tls_failed);
    }
    opening_->hands.secured();
    co_return true;
}

// What the client has sent too early; it stays where it is.
std::optional<std::byte> session::early_byte()
{
    std::byte next{};
    const auto n = ::recv(client_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 1 ? std::optional(next) : std::nullopt;
}

// One whole packet, and not a byte more.
asio::awaitable<bool> session::read_packet()
{
    auto& hands = opening_->hands;
    phase_ = phase::handshake;
    // From the accept to the whole first packet, TLS of ours included; and again after an N.
    if (deadline_ != deadline::handshake)
        set_deadline(deadline::handshake, listener_->settings.timeouts.handshake);
    while (hands.step() == handshake::next::read)
    {
        const auto [ec, n] = co_await client_.read_some(hands.room());
        if (why_ != errc::none)
            co_return false;
        if (ec)
            co_return fail(errc::client_gone);
        opening_in_ += n;
        hands.filled(n);
    }
    co_return true;
}

// --- one of those that share a bind --------------------------------------------------------------

// Behind an encryption that only a server can agree to the client could not be read: where nobody
// takes such clients there is none to ask.
bool session::settles_encryption() const noexcept
{
    return ends_tls() || !listener_->taker_of_all();
}

// Whoever cannot be read, or not yet, goes to the one that takes everybody; not to one that was
// removed from the configuration meanwhile.
errc session::find_listener()
{
    const auto& hands = opening_->hands;
    auto* l = hands.step() == handshake::next::startup ? listener_->taker_of(hands.packet())
                                                       : listener_->taker_of_all();
    if (!l)
        return errc::no_match;
    if (l != listener_.get())
        move_to(*l);
    return worker_.current(l->id) ? errc::none : errc::removed;
}

// The server of the one that took everybody may have been asked for encryption, and said no.
void session::move_to(listener_state& l) noexcept
{
    visit_.move_to(l.door);
    server_.close();
    member_.clear();
    listener_ = neighbour(listener_, l);
}

// --- cancel --------------------------------------------------------------------------------------

// To the server that gave out the key. A key that is not known belongs to a session that cannot be
// read, or to another proxy's: it means something to one server only and harms no other, so it is
// offered to all that this bind leads to.
asio::awaitable<void> session::forward_cancel()
{
    const auto packet = opening_->hands.packet();
    std::vector<server_address> servers;
    const char* result = "routed";
    if (const auto server = listener_->process.keys.find(pgwire::cancel_key(packet)))
        servers.push_back(*server);
    else if (!worker_.may_offer_cancel())
        result = "rate_limited";
    else
    {
        for (const auto* l : listener_->sharing)
            add_servers(*l, *worker_.believed(l->cluster), servers);
        result = servers.empty() ? "no_member" : "offered";
    }
    ++worker_.stats_of(*listener_).cancel_requests[result];
    opening_->cancel_result = result;
    opening_->cancel_sent = !servers.empty();
    co_await offer_cancel(worker_.loop(), servers, packet, listener_->settings);
}

} // namespace rolegate::proxy

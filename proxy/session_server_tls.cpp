// SPDX-License-Identifier: PostgreSQL
//
// TLS to the server, as libpq does it.
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <algorithm>
#include <array>

namespace rolegate::proxy
{

namespace asio = boost::asio;

bool session::wants_server_tls(const std::string& member) const
{
    const auto mode = listener_->settings.server_tls.sslmode;
    const bool first = mode >= config::sslmode::prefer;
    const auto& flipped = opening_->flipped;
    return std::ranges::find(flipped, member) == flipped.end() ? first : !first;
}

// allow and prefer: a server that refuses what was tried first is tried the other way, once.
// True: it is about to be, and nothing has been said to the client.
bool session::flips_server_tls()
{
    const auto mode = listener_->settings.server_tls.sslmode;
    auto& o = *opening_;
    const bool before_authentication = !o.answer.empty() && o.answer.front() == std::byte{'E'};
    const bool two_ways =
        mode == config::sslmode::allow || (mode == config::sslmode::prefer && server_.encrypted());
    if (!two_ways || !before_authentication ||
        std::ranges::find(o.flipped, member_) != o.flipped.end())
        return false;
    o.flipped.push_back(member_);
    server_.close();
    return true;
}

// SSLRequest, one byte, TLS. True also where the server has none and none is insisted on.
asio::awaitable<bool> session::secure_server(std::string host)
{
    static constexpr std::array request{
        std::byte{0},
        std::byte{0},
        std::byte{0},
        std::byte{8},
        std::byte{0x04},
        std::byte{0xd2},
        std::byte{0x16},
        std::byte{0x2f}};
    const auto mode = listener_->settings.server_tls.sslmode;
    set_deadline(deadline::server_tls, listener_->settings.timeouts.connect);
    std::byte answer{};
    const bool asked = co_await tell_server(request);
    if (asked)
    {
        const auto [ec, n] = co_await server_.read_some(std::span(&answer, 1));
        if (ec)
            answer = {};
    }
    if (why_ != errc::none)
        co_return false;
    std::optional<std::string> problem = "the server does not speak SSL";
    if (answer == std::byte{'S'})
    {
        auto context = listener_->tls.server;
        problem = co_await server_.connect_tls(std::move(context), std::move(host));
    }
    else if (answer == std::byte{})
        problem = "closed by the server";
    clear_deadline();
    if (why_ != errc::none)
        co_return false;
    if (!problem || (answer == std::byte{'N'} && mode <= config::sslmode::prefer))
        co_return true;
    if (mode == config::sslmode::prefer)
        opening_->flipped.push_back(member_);
    else
        opening_->refused_why = errc::server_tls_failed;
    worker_.note_server_tls_failed(*listener_, member_, *problem);
    co_return false;
}

} // namespace rolegate::proxy

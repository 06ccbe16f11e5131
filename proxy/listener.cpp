// SPDX-License-Identifier: PostgreSQL
#include "proxy/listener.hpp"

#include "proxy/log.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>

#include <sstream>
#include <stdexcept>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Out of descriptors or memory: clients wait in the kernel's queue meanwhile.
constexpr auto accept_pause = 100ms;

tcp::endpoint endpoint_of(const config::host_port& bind)
{
    if (bind.host == "*")
        return {tcp::v4(), bind.port};
    return {asio::ip::make_address(bind.host), bind.port};
}

std::string text_of(const tcp::endpoint& e)
{
    std::ostringstream out;
    out << e;
    return out.str();
}

} // namespace

listener::listener(listener_state& state, worker& home, std::vector<worker*> all)
    : state_(state), home_(home), all_(std::move(all))
{
    for (const auto& bind : state.settings.bind)
        open_door(bind);
}

void listener::open_door(const config::host_port& bind)
{
    const auto endpoint = endpoint_of(bind);
    try
    {
        auto& d = doors_.emplace_back(
            tcp::acceptor(home_.context()), asio::steady_timer(home_.context())
        );
        d.acceptor.open(endpoint.protocol());
        d.acceptor.set_option(tcp::acceptor::reuse_address(true));
        // "[::]" is every IPv6 address and no IPv4 one, so that "*" may stand beside it.
        if (endpoint.address().is_v6())
            d.acceptor.set_option(asio::ip::v6_only(true));
        d.acceptor.bind(endpoint);
        d.acceptor.listen(asio::socket_base::max_listen_connections);
        bound_.push_back(text_of(d.acceptor.local_endpoint()));
    }
    catch (const boost::system::system_error& e)
    {
        throw std::runtime_error(
            "listener '" + state_.settings.name + "' cannot listen on " + text_of(endpoint) + ": " +
            e.code().message()
        );
    }
}

void listener::start()
{
    asio::post(
        home_.context(),
        [this]
        {
            for (auto& d : doors_)
                accept_next(d);
        }
    );
}

void listener::stop()
{
    asio::post(
        home_.context(),
        [this]
        {
            stopped_ = true;
            error_code ignored;
            for (auto& d : doors_)
            {
                d.acceptor.close(ignored);
                d.pause.cancel();
            }
        }
    );
}

std::vector<std::string> listener::bound() const
{
    return bound_;
}

void listener::accept_next(door& d)
{
    if (stopped_)
        return;
    auto& to = *all_[next_++ % all_.size()];
    d.acceptor.async_accept(
        to.context(),
        [this, &d, &to](const error_code& ec, tcp::socket client)
        {
            if (ec == asio::error::operation_aborted)
                return;
            if (!ec)
            {
                d.pausing = false;
                accepted(to, std::move(client));
                return accept_next(d);
            }
            if (ec == asio::error::connection_aborted)
                return accept_next(d);
            // One line for the whole time that it lasts.
            if (!std::exchange(d.pausing, true))
                log::line(config::log_level::warning, "accept_failed")
                    .add("listener", state_.settings.name)
                    .text("error", ec.message());
            d.pause.expires_after(accept_pause);
            d.pause.async_wait([this, &d](const error_code&) { accept_next(d); });
        }
    );
}

void listener::accepted(worker& to, tcp::socket client)
{
    if (&to == &home_)
        return to.start_session(std::move(client), state_);
    asio::post(
        to.context(),
        [&to, this, client = std::move(client)]() mutable
        { to.start_session(std::move(client), state_); }
    );
}

} // namespace rolegate::proxy

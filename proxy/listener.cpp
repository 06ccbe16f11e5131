// SPDX-License-Identifier: PostgreSQL
#include "proxy/listener.hpp"

#include "proxy/log.hpp"
#include "proxy/route.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;

// Out of descriptors or memory, or at maxconn: one line for the whole time that it lasts.
constexpr auto tell_again_after = 10s;

} // namespace

listener::listener(
    const listener_ptr& state, const config::host_port& bind, worker& home, std::vector<worker*> all
)
try : address(text_of(bind)), state_(state), home_(home), all_(std::move(all)),
    socket_(home.loop(), *this, bind, state->settings)
{
}
catch (const boost::system::system_error& e)
{
    throw std::runtime_error(
        "listener '" + state->settings.name + "' cannot listen on " + text_of(bind) + ": " +
        e.code().message()
    );
}

void listener::start()
{
    home_.loop().post(
        [this]
        {
            home_.keep(*this);
            open();
        }
    );
}

void listener::lead_to(listener_ptr state)
{
    home_.loop().post(
        [this, state = std::move(state)]() mutable
        {
            state_ = std::move(state);
            socket_.use(state_->settings);
            on_look();
        }
    );
}

void listener::stop()
{
    home_.loop().post([this] { close(); });
}

void listener::end(std::shared_ptr<listener> which)
{
    auto& home = which->home_;
    home.loop().post(
        [which = std::move(which)]
        {
            which->stopped_ = true;
            which->socket_.close_for_good();
            which->home_.release(*which);
        }
    );
}

void listener::leave_to_others()
{
    home_.loop().post(
        [this]
        {
            stopped_ = true;
            socket_.leave_to_others();
        }
    );
}

void listener::close()
{
    stopped_ = true;
    socket_.close();
}

// --- accepting ---------------------------------------------------------------------------------

void listener::on_client(listening_socket& s)
{
    if (state_->process.clients >= state_->process.maxconn)
        return pause("maxconn is reached");
    peer from;
    auto [client, ec] = s.accept(from);
    // Another process has been quicker, or the client has gone again.
    if (ec == asio::error::would_block || ec == asio::error::connection_aborted)
        return;
    if (ec)
        return pause(ec.message());
    accepted(std::move(client), from);
}

// Clients wait in the kernel's queue until the next look.
void listener::pause(const std::string& why)
{
    const auto now = std::chrono::steady_clock::now();
    if (now - std::exchange(told_, now) >= tell_again_after)
        log::line(config::log_level::warning, "accept_failed")
            .add("listener", state_->settings.name)
            .text("error", why);
    pauses_ = true;
    socket_.ignore_clients();
}

void listener::open()
{
    pauses_ = false;
    // It may have been inherited; and whoever else has it may have had it refuse connects.
    if (const auto ec = socket_.listen_again(); ec)
        return pause(ec.message());
    if (!socket_.watch_clients())
        pause(last_error().message());
}

void listener::accepted(unique_fd client, const peer& from)
{
    auto& to = *all_[next_++ % all_.size()];
    // Here and not where it goes to: the next is accepted before that worker has looked.
    ++state_->process.clients;
    if (&to == &home_)
        return to.start_session(std::move(client), state_, from);
    to.loop().post([&to, state = state_, client = std::move(client), from]() mutable
                   { to.start_session(std::move(client), std::move(state), from); });
}

// --- a door that leads nowhere -----------------------------------------------------------------

void listener::on_look()
{
    if (stopped_)
        return;
    if (pauses_ && !withdrawn_)
        open();
    const auto after = state_->settings.withdraw_after;
    // A unix socket could not come back, and leads to no other host.
    if (socket_.is_unix() || (after == after.zero() && !withdrawn_))
        return;
    const auto now = std::chrono::steady_clock::now();
    if (after == after.zero() || leads_anywhere())
    {
        closed_since_.reset();
        if (withdrawn_)
            come_back();
        return;
    }
    if (!closed_since_)
        closed_since_ = now;
    if (!withdrawn_ && now - *closed_since_ >= after)
        withdraw();
}

bool listener::leads_anywhere() const
{
    const auto now = std::chrono::steady_clock::now();
    const auto is_open = [&](const listener_state* l)
    { return has_open_member(l->to, *home_.believed(l->cluster), now); };
    return std::ranges::any_of(state_->sharing, is_open);
}

void listener::withdraw()
{
    withdrawn_ = true;
    socket_.ignore_clients();
    socket_.refuse_connects();
    log::line(config::log_level::warning, "withdrawn")
        .add("listener", state_->settings.name)
        .add("bind", bound())
        .text("text", "nobody has been routable for withdraw_after: connections are refused");
}

// A socket that cannot listen is tried again with every look.
void listener::come_back()
{
    const auto ec = socket_.listen_again();
    if (ec && !std::exchange(listen_failed_, true))
        log::line(config::log_level::error, "listen_failed")
            .add("listener", state_->settings.name)
            .add("bind", bound())
            .text("error", ec.message());
    if (ec)
        return;
    withdrawn_ = false;
    listen_failed_ = false;
    open();
    log::line(config::log_level::info, "listening_again")
        .add("listener", state_->settings.name)
        .add("bind", bound());
}

} // namespace rolegate::proxy

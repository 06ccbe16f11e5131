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

listener::listener(listener_state& state, worker& home, std::vector<worker*> all)
    : state_(state), home_(home), all_(std::move(all))
{
    for (const auto& bind : state.settings.bind)
        bind_to(bind);
}

listener::entrance::entrance(listener& of, const config::host_port& bind)
    : socket(of.home_.loop(), of, bind, of.state_.settings)
{
}

void listener::bind_to(const config::host_port& bind)
{
    try
    {
        entrances_.emplace_back(*this, bind);
    }
    catch (const boost::system::system_error& e)
    {
        throw std::runtime_error(
            "listener '" + state_.settings.name + "' cannot listen on " + text_of(bind) + ": " +
            e.code().message()
        );
    }
}

void listener::start()
{
    home_.loop().post(
        [this]
        {
            home_.keep(*this);
            for (auto& e : entrances_)
                open(e);
        }
    );
}

void listener::stop()
{
    home_.loop().post(
        [this]
        {
            stopped_ = true;
            for (auto& e : entrances_)
                e.socket.close();
        }
    );
}

void listener::leave_to_others()
{
    home_.loop().post(
        [this]
        {
            stopped_ = true;
            for (auto& e : entrances_)
                e.socket.leave_to_others();
        }
    );
}

std::vector<shared_socket> listener::sockets() const
{
    std::vector<shared_socket> all;
    for (const auto& e : entrances_)
        all.push_back(e.socket.shared_as(state_.settings.name));
    return all;
}

std::vector<std::string> listener::bound() const
{
    std::vector<std::string> all;
    for (const auto& e : entrances_)
        all.push_back(e.socket.bound());
    return all;
}

// --- accepting ---------------------------------------------------------------------------------

void listener::on_client(listening_socket& s)
{
    auto& e = *std::ranges::find(entrances_, &s, [](auto& each) { return &each.socket; });
    if (state_.process.clients >= state_.process.maxconn)
        return pause(e, "maxconn is reached");
    peer from;
    auto [client, ec] = s.accept(from);
    // Another process has been quicker, or the client has gone again.
    if (ec == asio::error::would_block || ec == asio::error::connection_aborted)
        return;
    if (ec)
        return pause(e, ec.message());
    accepted(std::move(client), from);
}

// Clients wait in the kernel's queue until the next look.
void listener::pause(entrance& e, const std::string& why)
{
    const auto now = std::chrono::steady_clock::now();
    if (now - std::exchange(e.told, now) >= tell_again_after)
        log::line(config::log_level::warning, "accept_failed")
            .add("listener", state_.settings.name)
            .text("error", why);
    e.pauses = true;
    e.socket.ignore_clients();
}

void listener::open(entrance& e)
{
    e.pauses = false;
    // It may have been inherited; and whoever else has it may have had it refuse connects.
    if (const auto ec = e.socket.listen_again(); ec)
        return pause(e, ec.message());
    if (!e.socket.watch_clients())
        pause(e, last_error().message());
}

void listener::accepted(unique_fd client, const peer& from)
{
    auto& to = *all_[next_++ % all_.size()];
    // Here and not where it goes to: the next is accepted before that worker has looked.
    ++state_.process.clients;
    if (&to == &home_)
        return to.start_session(std::move(client), state_, from);
    to.loop().post([&to, this, client = std::move(client), from]() mutable
                   { to.start_session(std::move(client), state_, from); });
}

// --- a door that leads nowhere -----------------------------------------------------------------

void listener::on_look()
{
    for (auto& e : entrances_)
        if (e.pauses && !stopped_ && !e.withdrawn)
            open(e);
    const auto after = state_.settings.withdraw_after;
    if (stopped_ || after == after.zero())
        return;
    const auto now = std::chrono::steady_clock::now();
    const auto is_open = [&](const listener_state* l)
    { return has_open_member(l->to, *home_.believed(l->cluster), now); };
    if (std::ranges::any_of(state_.sharing, is_open))
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

void listener::withdraw()
{
    withdrawn_ = true;
    for (auto& e : entrances_)
    {
        if (e.socket.is_unix())
            continue; // cannot come back, and leads to no other host
        e.withdrawn = true;
        e.socket.ignore_clients();
        e.socket.refuse_connects();
    }
    log::line(config::log_level::warning, "withdrawn")
        .add("listener", state_.settings.name)
        .text("text", "nobody has been routable for withdraw_after: connections are refused");
}

// A socket that cannot listen is tried again with every look; the others serve meanwhile.
void listener::come_back()
{
    bool all = true;
    for (auto& e : entrances_)
    {
        if (e.withdrawn && !listen_again(e))
        {
            all = false;
            continue;
        }
        e.withdrawn = false;
        open(e);
    }
    if (!all)
        return;
    withdrawn_ = false;
    listen_failed_ = false;
    log::line(config::log_level::info, "listening_again").add("listener", state_.settings.name);
}

bool listener::listen_again(entrance& e)
{
    const auto ec = e.socket.listen_again();
    if (ec && !std::exchange(listen_failed_, true))
        log::line(config::log_level::error, "listen_failed")
            .add("listener", state_.settings.name)
            .text("error", ec.message());
    return !ec;
}

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
#include "proxy/process_life.hpp"

#include "proxy/inherited_sockets.hpp"
#include "proxy/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <unistd.h>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
using config::log_level;

// Clients are better served by the process before than held by one that has no view yet. For so
// long: a cluster that cannot be seen must not keep a new version from coming.
constexpr auto first_view_limit = 10s;

std::optional<predecessor> find_predecessor(boost::asio::io_context& control)
{
    inherited().adopt_environment();
    return predecessor::find(control);
}

} // namespace

process_life::process_life(boost::asio::io_context& control, owner& whose)
    : owner_(whose), first_views_(control), predecessor_(find_predecessor(control)),
      report_(
          control,
          notify_,
          [this] { return owner_.sessions_left(); },
          [this](std::size_t sessions) { return owner_.status(sessions); }
      ),
      upgrade_(
          control,
          {[this] { return owner_.stand_still(); },
           [this] { return owner_.sockets(); },
           [this] { return to_hand_over(); },
           [this](pid_t successor) { leave(successor); },
           [this](standing_orders orders) { owner_.obey(std::move(orders)); },
           [this] { successor_died(); }}
      )
{
}

role_history::memory process_life::past() const
{
    return predecessor_ ? predecessor_->left().history : role_history::memory{};
}

void process_life::start()
{
    unused_ = inherited().close_rest();
    if (!predecessor_)
        return open();
    waits_ = true;
    owner_.obey(predecessor_->left().orders);
    first_views_.expires_after(first_view_limit);
    first_views_.async_wait(
        [this](const boost::system::error_code& stopped)
        {
            if (!stopped)
                open();
        }
    );
}

void process_life::all_seen()
{
    if (predecessor_)
        open();
}

void process_life::open()
{
    if (std::exchange(open_, true) || stopping_)
        return;
    waits_ = false;
    first_views_.cancel();
    owner_.open();
    if (predecessor_)
    {
        log::line(log_level::info, "taken_over").add("predecessor", predecessor_->left().pid);
        remove_left_files();
        predecessor_->tell(accepting);
        predecessor_->await_end();
    }
    // A proxy that waits for its cluster works, and says in its status what it waits for.
    notify_.ready();
    notify_.keep(owner_.sockets(), unused_);
    report_.start();
}

void process_life::pass_on(const standing_orders& orders)
{
    if (predecessor_ && open_)
        predecessor_->tell_orders(to_json(orders));
}

// Of sockets that are not bound any more: no process would.
void process_life::remove_left_files()
{
    const auto ours = owner_.sockets();
    for (const auto& file : predecessor_->left().socket_files)
        if (std::ranges::find(ours, file, &shared_socket::file) == ours.end())
            ::unlink(file.c_str());
}

// --- the service manager -----------------------------------------------------------------------

// While somebody else is its main process it hears nothing of us.
void process_life::reload_begins()
{
    if (open_)
        notify_.reload_begins();
}

void process_life::reload_ends(bool changed)
{
    if (!open_)
        return;
    notify_.reload_ends();
    if (changed)
        notify_.keep(owner_.sockets(), {});
}

// --- the next one ------------------------------------------------------------------------------

void process_life::upgrade()
{
    if (open_ && !stopping_)
        return upgrade_.begin();
    log::line(log_level::warning, "upgrade_refused")
        .text(
            "text", stopping_ ? "the proxy is shutting down" : "it has not taken over itself yet"
        );
}

void process_life::leave(pid_t successor)
{
    if (stopping_)
        return;
    log::line(log_level::info, "handed_over").add("successor", successor);
    notify_.replaced_by(successor);
    report_.stop();
    if (predecessor_)
        predecessor_->tell(handed_on);
    owner_.leave();
}

void process_life::successor_died()
{
    if (stopping_)
        return;
    notify_.takes_back();
    owner_.successor_died();
}

handed_over process_life::to_hand_over()
{
    handed_over h;
    h.pid = ::getpid();
    h.orders = owner_.orders();
    h.history = owner_.history();
    for (const auto& s : owner_.sockets())
        if (!s.file.empty())
            h.socket_files.push_back(s.file);
    return h;
}

void process_life::stop()
{
    stopping_ = true;
    if (open_ || !predecessor_)
        notify_.stopping();
    upgrade_.give_up();
}

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
#include "proxy/upgrade.hpp"

#include "proxy/log.hpp"

#include <boost/asio/co_spawn.hpp>

#include <utility>

namespace rolegate::proxy
{

namespace
{

using config::log_level;

void tell_failed(const std::string& why)
{
    log::line(log_level::error, "upgrade_failed")
        .text("error", why)
        .text("text", "this process goes on as before");
}

} // namespace

upgrade::upgrade(boost::asio::io_context& control, steps s)
    : control_(control), steps_(std::move(s))
{
}

void upgrade::begin()
{
    if (successor_)
    {
        log::line(log_level::warning, "upgrade_refused")
            .add("successor", successor_->pid())
            .text("text", done_ ? "another process has taken over" : "one is under way");
        return;
    }
    if (command_.program.empty())
        return tell_failed("/proc/self/cmdline cannot be read");
    try
    {
        const auto standing = steps_.stand_still();
        successor_.emplace(control_, command_, steps_.sockets(), to_json(steps_.state()));
    }
    catch (const std::exception& e)
    {
        return tell_failed(e.what());
    }
    log::line(log_level::info, "upgrade_started")
        .add("successor", successor_->pid())
        .text("program", command_.program);
    boost::asio::co_spawn(
        control_,
        follow_successor(),
        [](const std::exception_ptr& e)
        {
            if (e)
                log::internal_error(e);
        }
    );
}

boost::asio::awaitable<void> upgrade::follow_successor()
{
    const auto why_not = co_await successor_->accepts();
    if (!why_not.empty())
    {
        tell_failed(why_not);
        successor_.reset();
        co_return;
    }
    done_ = true;
    steps_.leave(successor_->pid());
    for (;;)
    {
        const auto order = co_await successor_->order();
        if (order.empty())
            co_return;
        if (order == handed_on)
            handed_on_ = true;
        else if (auto orders = standing_orders_from(order))
            steps_.obey(*std::move(orders));
    }
}

void upgrade::give_up() noexcept
{
    if (under_way())
        successor_->kill();
}

void upgrade::reap()
{
    if (!successor_ || !done_ || !successor_->reap() || successor_->ended_well() || handed_on_)
        return;
    log::line(log_level::error, "successor_died")
        .add("successor", successor_->pid())
        .text("error", successor_->last_words());
    steps_.died();
}

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
//
// One gathering for everybody who asks at about the same time: a thousand requests a second cost
// the workers what forty do. Nobody gets a view that is older than his request. Control thread
// only.
#pragma once

#include "proxy/process_view.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace rolegate::proxy::admin
{

using view_ptr = std::shared_ptr<const process_view>;

class shared_view
{
public:
    using source = std::function<boost::asio::awaitable<process_view>()>;

    // From the beginning of one gathering to that of the next at least.
    static constexpr std::chrono::milliseconds pause{25};

    shared_view(boost::asio::io_context& control, source gather)
        : gather_(std::move(gather)), change_(control)
    {
    }

    // Throws what gathering throws.
    [[nodiscard]] boost::asio::awaitable<view_ptr> get();

private:
    boost::asio::awaitable<void> gather_now();

    source gather_;
    boost::asio::steady_timer change_; // expires when the next gathering may begin
    view_ptr view_;
    std::uint64_t asked_ = 0;   // requests so far
    std::uint64_t covered_ = 0; // of these, those that came before `view_` was gathered
    std::chrono::steady_clock::time_point next_{};
    bool gathering_ = false;
};

} // namespace rolegate::proxy::admin

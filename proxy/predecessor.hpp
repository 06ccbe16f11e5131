// SPDX-License-Identifier: PostgreSQL
//
// The process that we take over from: what it has left us, and what it is told.
#pragma once

#include "proxy/handed_over.hpp"
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::proxy
{

class predecessor
{
public:
    // Among the inherited descriptors. nullopt: we have been started by somebody else.
    [[nodiscard]] static std::optional<predecessor> find(boost::asio::io_context& control);

    [[nodiscard]] const handed_over& left() const noexcept { return left_; }

    // A line, see successor.hpp; it may have ended long ago. What finds no room is sent later.
    void tell(std::string_view line);

    // The same, of orders: only the newest wait for room.
    void tell_orders(std::string line);

    // With its end ends the way to it. Its place must not change any more, from the first tell()
    // on.
    void await_end();

private:
    explicit predecessor(boost::asio::io_context& control) : word_(control) {}

    void send();
    void wait_for_room();

    handed_over left_;
    boost::asio::local::stream_protocol::socket word_;
    std::string unsent_; // lines, of the first perhaps only the rest
    std::string orders_; // a line behind them
    bool waits_ = false; // for room
};

// Before this process accepts: why it cannot, for the log of the one that it was to take over from.
// Of several lines the first. Nothing happens where there is none.
void tell_failed(std::string_view why);

} // namespace rolegate::proxy

// SPDX-License-Identifier: PostgreSQL
//
// One walk through the sessions for everybody who asks the same at about the same time, and not
// more of them than the threads that route can bear. Nobody gets a list that is older than his
// request. Control thread only.
#pragma once

#include "proxy/admin/routes.hpp"
#include "proxy/session_list.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace rolegate::proxy::admin
{

class shared_listing
{
public:
    // A list for each query, in their order.
    using source = std::function<
        boost::asio::awaitable<std::vector<session_list>>(std::vector<session_query>)>;

    // From the beginning of one walk to that of the next at least.
    static constexpr std::chrono::milliseconds pause{25};

    // Of one walk: different queries, and rows that they want together, unless one alone wants
    // more. The rest waits for the next.
    static constexpr std::size_t most_queries = 8;
    static constexpr std::size_t most_rows = 10'000;

    // Different queries that wait for a walk; whoever comes with one more is refused (503).
    static constexpr std::size_t most_waiting = 16;

    shared_listing(boost::asio::io_context& control, source walk)
        : walk_(std::move(walk)), change_(control)
    {
    }

    // Throws what the walk throws.
    [[nodiscard]] boost::asio::awaitable<response> get(session_query q);

private:
    struct question
    {
        session_query query;
        bool answered = false;
        std::exception_ptr failed{};
        response answer{};
    };
    using question_ptr = std::shared_ptr<question>;

    [[nodiscard]] question_ptr join(session_query q); // nullptr: too many wait
    [[nodiscard]] std::vector<question_ptr> take_turn();
    boost::asio::awaitable<void> walk_now();

    source walk_;
    boost::asio::steady_timer change_; // expires when the next walk may begin
    std::deque<question_ptr> waiting_; // for a walk that has not begun; whoever asks holds one, too
    std::chrono::steady_clock::time_point next_{};
    bool walking_ = false;
};

} // namespace rolegate::proxy::admin

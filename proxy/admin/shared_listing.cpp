// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/shared_listing.hpp"

#include "proxy/admin/json.hpp"
#include "proxy/admin/sessions_json.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

// Behind a walk that took long there is a rest so many times as long, since its text is made on the
// thread that follows the clusters. A worker that hung is no reason to wait for ever.
constexpr int rests = 3;
constexpr std::chrono::milliseconds longest_rest{250};

constexpr const char* too_many = "too many different lists of sessions are asked for; try again";

} // namespace

asio::awaitable<response> shared_listing::get(session_query q)
{
    const auto mine = join(std::move(q));
    if (!mine)
        co_return response{503, "application/json", error_json(too_many)};
    while (!mine->answered)
    {
        if (!walking_ && clock::now() >= next_)
            co_await walk_now();
        else
            co_await change_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (mine->failed)
        std::rethrow_exception(mine->failed);
    co_return mine->answer;
}

shared_listing::question_ptr shared_listing::join(session_query q)
{
    const auto same = [&q](const auto& each) { return each->query == q; };
    const auto found = std::ranges::find_if(waiting_, same);
    if (found != waiting_.end())
        return *found;
    if (waiting_.size() >= most_waiting)
        return nullptr;
    waiting_.push_back(std::make_shared<question>(question{std::move(q)}));
    return waiting_.back();
}

// Those that have waited for longest.
std::vector<shared_listing::question_ptr> shared_listing::take_turn()
{
    std::vector<question_ptr> turn;
    turn.reserve(most_queries); // nobody is lost between the two for want of memory
    std::size_t rows = 0;
    while (!waiting_.empty() && turn.size() < most_queries)
    {
        rows += waiting_.front()->query.limit;
        if (!turn.empty() && rows > most_rows)
            break;
        turn.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    return turn;
}

asio::awaitable<void> shared_listing::walk_now()
{
    walking_ = true;
    change_.expires_at(clock::time_point::max());
    const auto began = clock::now();
    std::vector<question_ptr> turn;
    try
    {
        turn = take_turn();
        std::vector<session_query> queries;
        for (const auto& each : turn)
            queries.push_back(each->query);
        auto walk = walk_(std::move(queries));
        const auto lists = co_await std::move(walk);
        for (std::size_t i = 0; i < turn.size(); ++i)
            turn[i]->answer = sessions_answer(lists.at(i));
    }
    catch (...)
    {
        for (const auto& each : turn)
            each->failed = std::current_exception();
    }
    for (const auto& each : turn)
        each->answered = true;
    walking_ = false;
    const auto now = clock::now();
    const auto rest = std::min<clock::duration>(rests * (now - began), longest_rest);
    next_ = std::max(began + pause, now + rest);
    change_.expires_at(next_); // and whoever waits is woken
}

} // namespace rolegate::proxy::admin

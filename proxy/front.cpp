// SPDX-License-Identifier: PostgreSQL
#include "proxy/front.hpp"

#include "proxy/route.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>

namespace rolegate::proxy
{

namespace asio = boost::asio;

front::front(const config::settings& settings, worker_observer& observer)
{
    const auto count = settings.workers.value_or(std::max(1U, std::thread::hardware_concurrency()));
    for (std::size_t i = 0; i < count; ++i)
        workers_.push_back(std::make_unique<worker>(i, count, settings.buffer_size, observer));
}

front::~front()
{
    stop();
}

void front::start()
{
    for (auto& w : workers_)
        w->start();
}

// --- clusters ----------------------------------------------------------------------------------

void front::publish(std::size_t cluster, const health::topology_ptr& t)
{
    const auto now = health::clock::now();
    beliefs_[cluster] = t;
    for (const auto& l : now_.states)
        if (l->cluster == cluster)
            l->members.adopt(*t, now);
    for (auto& w : workers_)
        w->publish(cluster, t);
}

std::vector<seating::demand> front::demands(std::size_t cluster) const
{
    const auto found = seatings_.find(cluster);
    return found == seatings_.end() ? std::vector<seating::demand>() : found->second.demands();
}

bool front::tidy()
{
    bool changed = false;
    for (auto& [number, its_seats] : seatings_)
        changed = its_seats.tidy() || changed;
    return changed;
}

bool front::uses(std::size_t cluster) const
{
    const auto found = seatings_.find(cluster);
    return found != seatings_.end() && !found->second.empty();
}

void front::forget(std::size_t cluster)
{
    seatings_.erase(cluster);
    beliefs_.erase(cluster);
    for (auto& w : workers_)
        w->forget(cluster);
}

// --- listeners ---------------------------------------------------------------------------------

listener_ptr front::find(std::string_view name) const
{
    const auto found = std::ranges::find_if(
        now_.states, [name](const auto& l) { return l->settings.name == name; }
    );
    return found == now_.states.end() ? nullptr : *found;
}

bool front::pause(std::string_view listener, bool paused)
{
    const auto found = find(listener);
    if (!found)
        return false;
    paused ? found->door.pause() : found->door.resume();
    return true;
}

std::vector<std::string> front::bound(std::size_t i) const
{
    std::vector<std::string> all;
    for (const auto& e : now_.groups[now_.group_of[i]].entrances)
        all.push_back(e->bound());
    return all;
}

std::vector<std::string> front::names() const
{
    std::vector<std::string> out;
    for (const auto& l : now_.states)
        out.push_back(l->settings.name);
    return out;
}

std::vector<std::string> front::deserted(const health::topology& t) const
{
    std::vector<std::string> names;
    const auto now = health::clock::now();
    for (const auto& l : now_.states)
        if (l->settings.cluster == t.cluster && !has_open_member(l->to, t, now))
            names.push_back(l->settings.name);
    return names;
}

void front::begin_shutdown()
{
    for (const auto& g : now_.groups)
        for (const auto& e : g.entrances)
            e->stop();
    for (auto& w : workers_)
        w->begin_shutdown();
}

void front::leave_to_others()
{
    for (const auto& g : now_.groups)
        for (const auto& e : g.entrances)
            e->leave_to_others();
}

std::vector<shared_socket> front::sockets() const
{
    std::vector<shared_socket> all;
    for (const auto& g : now_.groups)
        for (const auto& e : g.entrances)
            all.push_back(e->shared_as(g.states.front()->settings.name));
    return all;
}

std::unique_ptr<standstill> front::stand_still()
{
    // A loop turns in milliseconds; clients notice a second.
    constexpr std::chrono::seconds limit{1};
    std::vector<event_loop*> loops;
    for (auto& w : workers_)
        loops.push_back(&w->loop());
    return std::make_unique<standstill>(loops, limit);
}

void front::cut_all()
{
    for (auto& w : workers_)
        w->cut_all();
}

void front::stop()
{
    for (auto& w : workers_)
        w->stop();
}

// --- asked of the workers ----------------------------------------------------------------------

// On the worker's thread; the answer is taken on the caller's.
template <class T> asio::awaitable<T> front::ask(worker& w, const std::function<T(worker&)>& what)
{
    const auto ours = co_await asio::this_coro::executor;
    asio::steady_timer answered(ours, asio::steady_timer::time_point::max());
    std::optional<T> answer;
    std::exception_ptr thrown;
    w.loop().post(
        [&]
        {
            try
            {
                answer.emplace(what(w));
            }
            catch (...)
            {
                thrown = std::current_exception();
            }
            asio::post(ours, [&answered] { answered.cancel(); });
        }
    );
    co_await answered.async_wait(nothrow);
    if (thrown)
        std::rethrow_exception(thrown);
    co_return std::move(*answer);
}

asio::awaitable<std::size_t> front::sessions_left()
{
    const std::function<std::size_t(worker&)> count = &worker::sessions;
    std::size_t left = 0;
    for (auto& w : workers_)
        left += co_await ask(*w, count);
    // One may be on its way from the worker that has accepted it to another.
    co_return std::max(left, process_.clients.load());
}

asio::awaitable<worker_stats> front::stats()
{
    const std::function<worker_stats(worker&)> counters = &worker::stats;
    worker_stats sum;
    for (auto& w : workers_)
    {
        const auto copy = co_await ask(*w, counters);
        merge(sum, copy);
    }
    co_return sum;
}

// The worker that has made the number keeps the session.
asio::awaitable<kill_result> front::kill(std::uint64_t session)
{
    const std::function<kill_result(worker&)> end = [session](worker& w)
    { return w.kill(session); };
    const auto result = co_await ask(*workers_[session % workers_.size()], end);
    co_return result;
}

asio::awaitable<std::vector<session_list>> front::sessions(std::vector<session_query> queries)
{
    using lists = std::vector<session_list>;
    const std::function<lists(worker&)> list = [&queries](worker& w)
    {
        lists out;
        for (const auto& q : queries)
            out.push_back(w.list(q));
        return out;
    };
    std::vector<lists> parts(queries.size()); // of each query by worker
    for (auto& w : workers_)
    {
        auto of_worker = co_await ask(*w, list);
        for (std::size_t i = 0; i < parts.size(); ++i)
            parts[i].push_back(std::move(of_worker[i]));
    }
    lists all;
    for (std::size_t i = 0; i < parts.size(); ++i)
        all.push_back(merged(std::move(parts[i]), queries[i].limit));
    co_return all;
}

} // namespace rolegate::proxy

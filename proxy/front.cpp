// SPDX-License-Identifier: PostgreSQL
#include "proxy/front.hpp"

#include "config/sharing.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/route.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <optional>
#include <thread>

namespace rolegate::proxy
{

namespace asio = boost::asio;

front::front(
    const config::settings& settings,
    const std::vector<health::topology_ptr>& first_beliefs,
    worker_observer& observer
)
{
    process_.maxconn = most_clients(settings.maxconn);
    make_states(settings);
    make_workers(settings, first_beliefs, observer);
    load_tls();
    make_listeners(settings);
}

void front::make_states(const config::settings& settings)
{
    for (std::size_t i = 0; i < settings.listeners.size(); ++i)
    {
        const auto& l = settings.listeners[i];
        const auto cluster =
            std::ranges::find(settings.clusters, l.cluster, &config::cluster_settings::name);
        const auto earlier = std::ranges::count(
            settings.listeners.begin(),
            settings.listeners.begin() + static_cast<std::ptrdiff_t>(i),
            l.cluster,
            &config::listener_settings::cluster
        );
        auto& state = states_.emplace_back(
            l,
            static_cast<std::size_t>(earlier),
            *cluster,
            process_,
            [this, i](std::size_t worker, ticket whose) { workers_[worker]->wake(i, whose); }
        );
        state.index = i;
        state.cluster = static_cast<std::size_t>(cluster - settings.clusters.begin());
    }
}

void front::make_workers(
    const config::settings& settings,
    const std::vector<health::topology_ptr>& beliefs,
    worker_observer& observer
)
{
    const auto count = settings.workers.value_or(std::max(1U, std::thread::hardware_concurrency()));
    std::vector<listener_state*> states;
    for (auto& state : states_)
        states.push_back(&state);
    for (std::size_t i = 0; i < count; ++i)
        workers_.push_back(
            std::make_unique<worker>(i, count, settings.buffer_size, beliefs, states, observer)
        );
}

void front::make_listeners(const config::settings& settings)
{
    std::vector<worker*> all;
    for (const auto& w : workers_)
        all.push_back(w.get());
    entrances_.resize(states_.size());
    for (const auto& group : config::groups_of(settings.listeners))
    {
        std::vector<listener_state*> sharing;
        for (const auto i : group)
            sharing.push_back(&states_[i]);
        auto& first = *sharing.front();
        listeners_.push_back(std::make_unique<listener>(first, *all[first.index % all.size()], all)
        );
        for (auto* state : sharing)
        {
            state->sharing = sharing;
            entrances_[state->index] = listeners_.back().get();
        }
    }
}

void front::start()
{
    for (auto& w : workers_)
        w->start();
    for (auto& l : listeners_)
        l->start();
}

void front::publish(std::size_t cluster, const health::topology_ptr& t)
{
    const auto now = health::clock::now();
    for (auto& state : states_)
        if (state.cluster == cluster)
            state.members.adopt(*t, now);
    for (auto& w : workers_)
        w->publish(cluster, t);
}

void front::load_tls()
{
    std::vector<listener_tls_contexts> made;
    for (const auto& state : states_)
        made.push_back(make_tls_contexts(state.settings));
    for (auto& w : workers_)
        for (std::size_t i = 0; i < made.size(); ++i)
            w->use_tls(i, made[i]);
}

bool front::pause(std::string_view listener, bool paused)
{
    const auto named = [listener](const listener_state& s) { return s.settings.name == listener; };
    const auto found = std::ranges::find_if(states_, named);
    if (found == states_.end())
        return false;
    paused ? found->door.pause() : found->door.resume();
    return true;
}

std::vector<std::string> front::names() const
{
    std::vector<std::string> out;
    for (const auto& state : states_)
        out.push_back(state.settings.name);
    return out;
}

std::vector<std::string> front::deserted(const health::topology& t) const
{
    std::vector<std::string> names;
    const auto now = health::clock::now();
    for (const auto& state : states_)
        if (state.settings.cluster == t.cluster && !has_open_member(state.to, t, now))
            names.push_back(state.settings.name);
    return names;
}

void front::begin_shutdown()
{
    for (auto& l : listeners_)
        l->stop();
    for (auto& w : workers_)
        w->begin_shutdown();
}

void front::leave_to_others()
{
    for (auto& l : listeners_)
        l->leave_to_others();
}

std::vector<shared_socket> front::sockets() const
{
    std::vector<shared_socket> all;
    for (const auto& l : listeners_)
        std::ranges::copy(l->sockets(), std::back_inserter(all));
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
    co_return left;
}

asio::awaitable<worker_stats> front::stats()
{
    const std::function<worker_stats(worker&)> counters = &worker::stats;
    worker_stats sum(states_.size());
    for (auto& w : workers_)
    {
        const auto copy = co_await ask(*w, counters);
        merge(sum, copy);
    }
    co_return sum;
}

// The worker that has made the number keeps the session.
asio::awaitable<bool> front::kill(std::uint64_t session)
{
    const std::function<bool(worker&)> end = [session](worker& w) { return w.kill(session); };
    const bool found = co_await ask(*workers_[session % workers_.size()], end);
    co_return found;
}

asio::awaitable<session_list> front::sessions(const session_query& q)
{
    const std::function<session_list(worker&)> list = [q](worker& w) { return w.list(q); };
    session_list all;
    for (auto& w : workers_)
    {
        auto of_worker = co_await ask(*w, list);
        merge(all, std::move(of_worker), q.limit);
    }
    co_return all;
}

} // namespace rolegate::proxy

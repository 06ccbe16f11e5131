// SPDX-License-Identifier: PostgreSQL
#include "tests/support/front_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <algorithm>

namespace rolegate::support
{

namespace
{

namespace asio = boost::asio;

template <class T> T answer_of(asio::awaitable<T> question)
{
    asio::io_context io(1);
    auto answer = asio::co_spawn(io, std::move(question), asio::use_future);
    io.run();
    return answer.get();
}

} // namespace

config::settings
front_fixture::settings_for(std::vector<config::listener_settings> listeners, unsigned workers)
{
    config::settings s;
    s.workers = workers;
    for (const auto& l : listeners)
        if (std::ranges::find(s.clusters, l.cluster, &config::cluster_settings::name) ==
            s.clusters.end())
            s.clusters.emplace_back().name = l.cluster;
    s.listeners = std::move(listeners);
    return s;
}

front_fixture::front_fixture(std::vector<config::listener_settings> listeners, unsigned workers)
    : descriptors_before_(open_descriptors()),
      settings_(settings_for(std::move(listeners), workers))
{
    front_.emplace(settings_, told_);
    REQUIRE(reload(settings_).empty());
    front_->start();
}

front_fixture::~front_fixture()
{
    CHECK(run_until([this] { return sessions_left() == 0; }));
    front_->begin_shutdown();
    CHECK(sessions_left() == 0); // and the listeners' worker has closed their sockets
    front_->stop();
    front_.reset();
    CHECK(run_until([this] { return open_descriptors() == descriptors_before_; }));
}

std::vector<std::string> front_fixture::reload(const config::settings& next)
{
    auto numbers = numbers_;
    for (const auto& c : next.clusters)
        numbers.try_emplace(c.name, clusters_made_++);
    auto made = front_->prepare(next, numbers);
    if (!made.problems.empty())
        return made.problems;
    settings_ = next;
    numbers_ = numbers;
    for (const auto& [name, number] : numbers_)
        believe(name, members_[name]);
    front_->commit(std::move(made));
    return {};
}

void front_fixture::believe(const std::string& cluster, const std::vector<believed>& members)
{
    const auto number = numbers_.at(cluster);
    auto t = topology_of(
        members,
        health::clock::now(),
        config::listener_role::primary,
        front_->demands(number).size()
    );
    t->cluster = cluster;
    t->generation = ++generation_;
    front_->publish(number, std::move(t));
    members_[cluster] = members;
}

std::uint16_t front_fixture::port(std::size_t listener) const
{
    const auto text = front_->bound(listener).at(0);
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
}

proxy::listener_stats front_fixture::stats(std::size_t listener)
{
    return answer_of(front_->stats()).at(front_->listeners().at(listener)->id);
}

std::size_t front_fixture::relaying(std::size_t listener)
{
    std::size_t sum = 0;
    for (const auto& [name, member] : stats(listener).members)
        sum += member.sessions;
    return sum;
}

proxy::session_list front_fixture::list(const proxy::session_query& q)
{
    return answer_of(front_->sessions({q})).at(0);
}

proxy::kill_result front_fixture::kill(std::uint64_t session)
{
    return answer_of(front_->kill(session));
}

std::size_t front_fixture::sessions_left()
{
    return answer_of(front_->sessions_left());
}

} // namespace rolegate::support

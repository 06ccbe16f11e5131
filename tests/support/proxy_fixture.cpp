// SPDX-License-Identifier: PostgreSQL
#include "tests/support/proxy_fixture.hpp"

#include "tests/support/allocations.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <dirent.h>
#include <future>
#include <numeric>

namespace rolegate::support
{

namespace
{

using namespace std::chrono_literals;

// On the worker's thread. What is asked in between must not hang the test.
template <class Question> auto ask(proxy::worker& w, Question question)
{
    using answer_type = decltype(question(w));
    auto promise = std::make_shared<std::promise<answer_type>>();
    auto answer = promise->get_future();
    w.loop().post([promise, question, &w] { promise->set_value(question(w)); });
    const bool answered = answer.wait_for(scaled(patience)) == std::future_status::ready;
    CHECK_MESSAGE(answered, "a worker does not answer");
    return answered ? answer.get() : answer_type();
}

} // namespace

config::listener_settings quick_listener(config::listener_role role)
{
    config::listener_settings s;
    s.name = role == config::listener_role::primary ? "write" : "read";
    s.bind = {{"127.0.0.1", 0}};
    s.cluster = "main";
    s.role = role;
    s.queue.timeout = scaled(patience);
    s.timeouts.handshake = scaled(patience);
    s.timeouts.connect = scaled(patience);
    s.timeouts.client_fin = scaled(patience);
    return s;
}

config::listener_settings tls_listener(config::listener_role role)
{
    auto s = quick_listener(role);
    s.tls.mode = config::tls_mode::terminate;
    s.tls.cert = pki().for_server().cert;
    s.tls.key = pki().for_server().key;
    return s;
}

std::shared_ptr<health::topology> topology_of(
    const std::vector<believed>& members,
    health::time_point confirmed,
    config::listener_role role,
    std::size_t listeners
)
{
    auto t = std::make_shared<health::topology>();
    t->cluster = "main";
    t->confirmed = confirmed;
    t->stale_after = 10min;
    for (const auto& b : members)
    {
        auto& m = t->members.emplace_back();
        m.name = b.name;
        m.host = b.host;
        m.address = b.folder.empty() ? "127.0.0.1" : b.folder;
        if (!b.addresses.empty())
        {
            m.address = b.addresses.front();
            m.other_addresses.assign(b.addresses.begin() + 1, b.addresses.end());
        }
        m.port = b.port;
        auto& grant = role == config::listener_role::primary ? m.write : m.read;
        grant.verdict = b.verdict;
        grant.rule = b.rule;
        m.grants.assign(listeners, grant);
        m.word_seen = confirmed;
        m.order.state = b.order;
    }
    std::ranges::sort(t->members, {}, &health::member::name);
    return t;
}

std::size_t open_descriptors()
{
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), ::closedir);
    REQUIRE(dir);
    std::size_t n = 0;
    while (::readdir(dir.get()))
        ++n;
    return n - 3; // ".", ".." and the directory itself
}

proxy_fixture::proxy_fixture(
    config::listener_settings settings,
    std::size_t workers,
    config::cluster_settings cluster,
    std::size_t maxconn
)
    : descriptors_before_(open_descriptors()),
      way_(std::make_shared<proxy::doorway>(
          0,
          workers,
          settings,
          [this](std::size_t w, proxy::ticket whose) { workers_[w]->wake(0, whose); }
      )),
      state_(state_with(settings, cluster, proxy::make_tls_contexts(settings), nullptr))
{
    process_.maxconn = maxconn;
    health::topology nothing;
    nothing.cluster = "main";
    nothing.began = health::clock::now();
    const auto first = std::make_shared<const health::topology>(nothing);
    std::vector<proxy::worker*> all;
    for (std::size_t i = 0; i < workers; ++i)
    {
        workers_.push_back(
            std::make_unique<proxy::worker>(i, workers, config::settings{}.buffer_size, told_)
        );
        workers_.back()->publish(0, first);
        workers_.back()->use({state_});
        all.push_back(workers_.back().get());
    }
    for (const auto& bind : settings.bind)
    {
        auto& l = listeners_.emplace_back(
            std::make_unique<proxy::listener>(state_, bind, *all.front(), all)
        );
        bound_.push_back(l->bound());
        l->start();
    }
    for (auto* w : all)
        w->start();
}

proxy::listener_ptr proxy_fixture::state_with(
    const config::listener_settings& settings,
    const config::cluster_settings& cluster,
    const proxy::listener_tls_contexts& tls,
    const proxy::listener_state* before
)
{
    const auto place = std::make_shared<proxy::seat>();
    return std::make_shared<proxy::listener_state>(
        settings, cluster, place, way_, tls, process_, before
    );
}

proxy_fixture::~proxy_fixture()
{
    if (!workers_.empty())
    {
        expect_nothing_left();
        stop_workers();
    }
    CHECK(run_until([this] { return open_descriptors() == descriptors_before_; }));
}

void proxy_fixture::expect_nothing_left()
{
    CHECK(run_until([this] { return sessions() == 0; }));
    const auto s = stats();
    CHECK(s.held == 0);
    CHECK(way_->door.held() == 0);
    CHECK(way_->door.sessions() == 0);
    CHECK(way_->handshakes.size() == 0);
    CHECK(process_.keys.size() == 0);
    CHECK(process_.clients == 0);
    for (const auto& [name, member] : s.members)
    {
        CAPTURE(name);
        CHECK(member.sessions == 0);
    }
    CHECK(parked() == 0);
}

void proxy_fixture::stop_workers()
{
    stop_listening();
    for (auto& w : workers_)
        w->stop();
    listeners_.clear();
    workers_.clear();
}

void proxy_fixture::believe(const std::vector<believed>& members)
{
    publish(members, health::clock::now(), config::stale_action::refuse_new);
}

void proxy_fixture::believe_stale(const std::vector<believed>& members, config::stale_action then)
{
    publish(members, health::clock::now() - 1h, then);
}

void proxy_fixture::publish(
    const std::vector<believed>& members,
    health::time_point confirmed,
    config::stale_action when_stale
)
{
    auto t = topology_of(members, confirmed, state_->settings.role);
    t->generation = ++generation_;
    t->end_when_stale = when_stale == config::stale_action::shutdown_sessions;
    state_->members.adopt(*t, health::clock::now());
    for (auto& w : workers_)
        w->publish(0, t);
}

void proxy_fixture::use_tls(const proxy::listener_tls_contexts& tls)
{
    state_ = state_with(state_->settings, state_->cluster_settings, tls, state_.get());
    for (auto& w : workers_)
        w->use({state_});
    for (auto& l : listeners_)
        l->lead_to(state_);
    static_cast<void>(sessions()); // any answer comes after that
}

void proxy_fixture::stop_listening()
{
    for (auto& l : listeners_)
        l->stop();
    // Any answer of the listeners' worker comes after that.
    static_cast<void>(sessions());
}

void proxy_fixture::begin_shutdown()
{
    for (auto& w : workers_)
        w->begin_shutdown();
}

void proxy_fixture::cut_all()
{
    for (auto& w : workers_)
        w->cut_all();
}

std::uint16_t proxy_fixture::port() const
{
    const auto& text = bound_.front();
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
}

proxy::listener_stats proxy_fixture::stats()
{
    proxy::worker_stats sum;
    for (auto& w : workers_)
        proxy::merge(sum, ask(*w, [](auto& it) { return it.stats(); }));
    return sum[0];
}

std::size_t proxy_fixture::sessions()
{
    const auto each = sessions_by_worker();
    return std::accumulate(each.begin(), each.end(), std::size_t(0));
}

std::vector<std::size_t> proxy_fixture::sessions_by_worker()
{
    std::vector<std::size_t> each;
    for (auto& w : workers_)
        each.push_back(ask(*w, [](auto& it) { return it.sessions(); }));
    return each;
}

std::size_t proxy_fixture::relaying()
{
    std::size_t sum = 0;
    for (const auto& [name, member] : stats().members)
        sum += member.sessions;
    return sum;
}

std::size_t proxy_fixture::parked()
{
    std::size_t sum = 0;
    for (auto& w : workers_)
        sum += ask(*w, [](auto& it) { return it.buffers().parked(); });
    return sum;
}

std::uint64_t proxy_fixture::allocations()
{
    std::uint64_t sum = 0;
    for (auto& w : workers_)
        sum += ask(*w, [](auto&) { return allocations_here(); });
    return sum;
}

std::vector<health::life_sign> proxy_fixture::signs() const
{
    const std::lock_guard lock(told_.mutex);
    return told_.signs;
}

std::vector<std::string> proxy_fixture::hints() const
{
    const std::lock_guard lock(told_.mutex);
    return told_.hints;
}

std::vector<std::string> proxy_fixture::cut() const
{
    const std::lock_guard lock(told_.mutex);
    return told_.cut;
}

std::vector<std::string> proxy_fixture::first_sessions() const
{
    const std::lock_guard lock(told_.mutex);
    return told_.first_sessions;
}

std::size_t proxy_fixture::ended(const std::string& termination)
{
    std::size_t sum = 0;
    for (const auto& [name, member] : stats().members)
        if (const auto found = member.ended.find(termination); found != member.ended.end())
            sum += found->second;
    return sum;
}

std::size_t proxy_fixture::ended()
{
    std::size_t sum = 0;
    for (const auto& [name, member] : stats().members)
        for (const auto& [termination, n] : member.ended)
            sum += n;
    return sum;
}

logged_in_client::logged_in_client(proxy_fixture& proxy) : client(proxy.port())
{
    send(startup());
    REQUIRE(receive(login_answer().size()) == login_answer());
}

tls_client::tls_client(proxy_fixture& proxy) : client(proxy.port())
{
    REQUIRE(ask_for_tls(*this));
    send(startup());
    REQUIRE(receive(login_answer().size()) == login_answer());
}

} // namespace rolegate::support

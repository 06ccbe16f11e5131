// SPDX-License-Identifier: PostgreSQL
#include "proxy/server.hpp"

#include "health/monitor.hpp"
#include "proxy/admin/http_server.hpp"
#include "proxy/cluster_record.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/listener.hpp"
#include "proxy/log.hpp"
#include "proxy/worker.hpp"
#include "proxy/worker_observer.hpp"
#include "rolegate_version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <deque>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using config::log_level;

// How often a process that is to end looks whether its last session has gone.
constexpr auto drain_poll = 50ms;

// After shutdown_timeout sessions are cut; their goodbyes take no longer than this.
constexpr auto cut_limit = 3s;

class server final : public health::observer, public worker_observer
{
public:
    explicit server(const config::settings& settings);
    ~server() override { stop_workers(); }

    int run();

private:
    void on_topology(const health::topology_ptr& t, bool changed) override;
    void on_check(const health::check& c) override;
    void hint(std::size_t cluster, const std::string& member, health::life_sign seen) override;
    void sessions_cut(std::size_t cluster, const std::string& member, std::size_t n) override;
    void first_session(std::size_t cluster, const std::string& member) override;

    void make_listener_states();
    void make_workers();
    void make_listeners();
    void load_tls();
    void reload_tls();
    void await_signal();
    void on_signal(int number);
    void begin_shutdown();
    asio::awaitable<void> drain();
    asio::awaitable<std::size_t> sessions_left();
    asio::awaitable<process_view> gather();
    void stop_workers();

    [[nodiscard]] std::size_t cluster_index(const std::string& name) const;

    const config::settings settings_;
    const std::chrono::system_clock::time_point loaded_ = std::chrono::system_clock::now();
    asio::io_context control_{1};
    asio::signal_set signals_{control_, SIGTERM, SIGINT, SIGQUIT};
    asio::steady_timer drain_timer_{control_};

    process_state process_;
    std::deque<listener_state> listener_states_; // addresses stay
    std::vector<std::unique_ptr<health::monitor>> monitors_;
    std::vector<cluster_record> records_;
    std::vector<health::topology_ptr> told_; // by cluster, as of its last change
    role_history history_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::unique_ptr<listener>> listeners_;
    admin::http_server admin_;
    bool shutting_down_ = false;
    bool cut_ = false;
};

server::server(const config::settings& settings)
    : settings_(settings), records_(settings.clusters.size()),
      admin_(control_, settings.admin.bind, [this] { return gather(); })
{
    for (const auto& c : settings_.clusters)
        monitors_.push_back(std::make_unique<health::monitor>(control_, c, *this));
    process_.maxconn = most_clients(settings_.maxconn);
    make_listener_states();
    make_workers();
    load_tls();
    make_listeners();
}

void server::make_listener_states()
{
    for (std::size_t i = 0; i < settings_.listeners.size(); ++i)
    {
        const auto& l = settings_.listeners[i];
        const auto cluster = cluster_index(l.cluster);
        auto& state = listener_states_.emplace_back(
            l,
            settings_.clusters[cluster],
            process_,
            [this, i](std::size_t worker, ticket whose) { workers_[worker]->wake(i, whose); }
        );
        state.index = i;
        state.cluster = cluster;
    }
}

void server::make_workers()
{
    const auto count =
        settings_.workers.value_or(std::max(1U, std::thread::hardware_concurrency()));
    std::vector<health::topology_ptr> beliefs;
    for (const auto& m : monitors_)
        beliefs.push_back(m->believed());
    told_ = beliefs;
    std::vector<listener_state*> states;
    for (auto& state : listener_states_)
        states.push_back(&state);
    for (std::size_t i = 0; i < count; ++i)
        workers_.push_back(std::make_unique<worker>(i, count, beliefs, states, *this));
}

// Throws when a file is missing or wrong; then nothing has changed.
void server::load_tls()
{
    std::vector<listener_tls_contexts> made;
    for (const auto& l : settings_.listeners)
        made.push_back(make_tls_contexts(l));
    for (auto& w : workers_)
        for (std::size_t i = 0; i < made.size(); ++i)
            w->use_tls(i, made[i]);
}

void server::reload_tls()
{
    try
    {
        load_tls();
        log::line(log_level::info, "tls_reloaded")
            .text("text", "certificates are read again; other settings need a restart");
    }
    catch (const std::exception& e)
    {
        log::line(log_level::error, "reload_failed").text("error", e.what());
    }
}

void server::make_listeners()
{
    std::vector<worker*> all;
    for (const auto& w : workers_)
        all.push_back(w.get());
    for (auto& state : listener_states_)
        listeners_.push_back(std::make_unique<listener>(state, *all[state.index % all.size()], all)
        );
}

std::size_t server::cluster_index(const std::string& name) const
{
    std::size_t i = 0;
    while (i < settings_.clusters.size() && settings_.clusters[i].name != name)
        ++i;
    return i;
}

int server::run()
{
    signals_.add(SIGHUP);
    signals_.add(SIGUSR2);
    await_signal();
    for (auto& w : workers_)
        w->start();
    for (auto& m : monitors_)
        m->start();
    admin_.start();
    for (auto& l : listeners_)
        l->start();

    log::line(log_level::info, "started")
        .add("version", version)
        .add("workers", static_cast<std::int64_t>(workers_.size()))
        .add("admin", admin_.bound());
    for (std::size_t i = 0; i < listeners_.size(); ++i)
        for (const auto& address : listeners_[i]->bound())
            log::line(log_level::info, "listening")
                .add("listener", listener_states_[i].settings.name)
                .add("bind", address);

    control_.run();
    stop_workers();
    log::line(log_level::info, "stopped");
    return 0;
}

// --- beliefs -----------------------------------------------------------------------------------

void server::on_topology(const health::topology_ptr& t, bool changed)
{
    const auto cluster = cluster_index(t->cluster);
    for (auto& w : workers_)
        w->publish(cluster, t);
    if (!changed)
        return;

    const auto now = std::chrono::steady_clock::now();
    records_[cluster].on_topology(*t, now);
    history_.on_topology(*told_[cluster], *t, now, std::chrono::system_clock::now());
    told_[cluster] = t;
}

void server::on_check(const health::check& c)
{
    records_[cluster_index(c.cluster)].on_check(c, std::chrono::steady_clock::now());
}

// --- what workers tell, on their threads -------------------------------------------------------

void server::hint(std::size_t cluster, const std::string& member, health::life_sign seen)
{
    asio::post(control_, [this, cluster, member, seen] { monitors_[cluster]->hint(member, seen); });
}

void server::sessions_cut(std::size_t cluster, const std::string& member, std::size_t n)
{
    const auto now = std::chrono::steady_clock::now();
    const auto note = [this, cluster, member, n, now]
    { history_.on_sessions_cut(settings_.clusters[cluster].name, member, n, now); };
    asio::post(control_, note);
}

void server::first_session(std::size_t cluster, const std::string& member)
{
    const auto now = std::chrono::steady_clock::now();
    const auto note = [this, cluster, member, now]
    { history_.on_first_session(settings_.clusters[cluster].name, member, now); };
    asio::post(control_, note);
}

// --- the end -----------------------------------------------------------------------------------

void server::await_signal()
{
    signals_.async_wait(
        [this](const boost::system::error_code& ec, int number)
        {
            if (!ec)
                on_signal(number);
        }
    );
}

void server::on_signal(int number)
{
    log::line(log_level::info, "signal").add("number", number);
    if (number == SIGQUIT)
        return control_.stop();
    if (number == SIGHUP)
    {
        reload_tls();
        return await_signal();
    }
    if (number == SIGUSR2)
    {
        // To die of it would cut every session.
        log::line(log_level::warning, "not_supported")
            .text("text", "this version cannot be upgraded while it runs; restart it");
        return await_signal();
    }
    if (shutting_down_)
        cut_ = true; // asked twice
    else
        begin_shutdown();
    await_signal();
}

void server::begin_shutdown()
{
    shutting_down_ = true;
    for (auto& l : listeners_)
        l->stop();
    for (auto& w : workers_)
        w->begin_shutdown();
    asio::co_spawn(
        control_,
        drain(),
        [this](std::exception_ptr e)
        {
            control_.stop();
            if (e)
                std::rethrow_exception(e);
        }
    );
}

// Until the last session has gone. The monitors go on: a session that is left must not outlive its
// member's role.
asio::awaitable<void> server::drain()
{
    const auto cut_at = std::chrono::steady_clock::now() + settings_.shutdown_timeout;
    auto give_up_at = health::time_point::max();
    while (co_await sessions_left() > 0)
    {
        const auto now = std::chrono::steady_clock::now();
        if (now >= give_up_at)
            break;
        if ((cut_ || now >= cut_at) && give_up_at == health::time_point::max())
        {
            give_up_at = now + cut_limit;
            for (auto& w : workers_)
                w->cut_all();
        }
        drain_timer_.expires_after(drain_poll);
        co_await drain_timer_.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<std::size_t> server::sessions_left()
{
    std::size_t left = 0;
    for (auto& w : workers_)
        left += co_await asio::co_spawn(w->context(), w->count_sessions(), asio::use_awaitable);
    co_return left;
}

void server::stop_workers()
{
    admin_.stop();
    for (auto& m : monitors_)
        m->stop();
    for (auto& w : workers_)
        w->stop();
}

// --- what is shown -----------------------------------------------------------------------------

asio::awaitable<process_view> server::gather()
{
    worker_stats stats(settings_.listeners.size());
    for (auto& w : workers_)
    {
        const auto copy =
            co_await asio::co_spawn(w->context(), w->copy_stats(), asio::use_awaitable);
        merge(stats, copy);
    }

    process_view v;
    v.version = version;
    v.now = std::chrono::steady_clock::now();
    v.wall_clock = std::chrono::system_clock::now();
    v.config_loaded = loaded_;
    v.shutting_down = shutting_down_;
    for (std::size_t i = 0; i < monitors_.size(); ++i)
        v.clusters.push_back(records_[i].view(monitors_[i]->believed()));
    v.changes = {history_.changes().begin(), history_.changes().end()};
    for (std::size_t i = 0; i < listeners_.size(); ++i)
        v.listeners.push_back({settings_.listeners[i], listeners_[i]->bound(), stats[i]});
    co_return v;
}

} // namespace

int run_server(const config::settings& settings)
{
    log::init(settings.level);
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    try
    {
        server s(settings);
        return s.run();
    }
    catch (const std::exception& e)
    {
        log::line(log_level::error, "failed").text("error", e.what());
        return 1;
    }
}

} // namespace rolegate::proxy
